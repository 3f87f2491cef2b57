#include "learner/gate/judge.h"

#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/text_to_image.h"
#include "diffusion/weights.h"

namespace conceptd::learner {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kConfigBytesMax = 1u << 20;

Json config_in(const fs::path& folder, const char* name) {
  return parse_json(read_file(folder / name, kConfigBytesMax), (folder / name).string());
}

}  // namespace

Judge Judge::open(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw Error(Code::not_found, "there is no judge in " + folder.string());
  try {
    Judge judge{.tokenizer = diffusion::ClipTokenizer::open(folder / "tokenizer")};
    const auto text = diffusion::ClipTextConfig::from_json(config_in(folder, "text_encoder/config.json"));
    const auto image = diffusion::ClipVisionConfig::from_json(config_in(folder, "image_encoder/config.json"));
    if (!text.with_projection || text.projection_dim != image.projection_dim)
      throw Error(Code::corrupt, "its towers do not project to one width");
    judge.text = diffusion::ClipTextModel(text), judge.image = diffusion::ClipVisionModel(image);
    using diffusion::SafetensorsFile;
    diffusion::load_weights(*judge.text, SafetensorsFile::open(folder / "text_encoder" / "model.safetensors"));
    diffusion::load_weights(*judge.image, SafetensorsFile::open(folder / "image_encoder" / "model.safetensors"));
    judge.preprocess =
        diffusion::ClipPreprocess::from_json(config_in(folder, "feature_extractor/preprocessor_config.json"));
    return judge;
  } catch (const Error& error) {
    const std::string what = error.what();
    throw Error(error.code() == Code::invalid ? Code::corrupt : error.code(),
                "the judge in " + folder.string() + ": " + what, error.field());
  }
}

Tensor Judge::of_pictures(const Tensor& pictures) {
  torch::NoGradGuard frozen;
  diffusion::Adaptation none;
  const auto pixels = diffusion::to_pixels(pictures);
  std::vector<Tensor> prepared;
  for (int64_t k = 0; k < pixels.size(0); ++k) prepared.push_back(preprocess(pixels[k]));
  return torch::nn::functional::normalize(image(torch::cat(prepared), none).image_embeds);
}

Tensor Judge::of_captions(const std::vector<std::string>& captions) {
  torch::NoGradGuard frozen;
  diffusion::Adaptation none;
  std::vector<diffusion::Encoding> encodings;
  for (const auto& caption : captions)
    encodings.push_back(tokenizer.encode(caption, {}, text->config.max_position_embeddings));
  return torch::nn::functional::normalize(text->forward(diffusion::ids_tensor(encodings), none).text_embeds);
}

double Judge::fit(const Tensor& seen, const std::vector<std::string>& captions) {
  return (seen * of_captions(captions)).sum(1).mean().item<double>();
}

}  // namespace conceptd::learner
