#include "learner/class_prior.h"

#include "diffusion/prompt.h"
#include "diffusion/text_to_image.h"
#include "learner/word_embedding.h"

namespace conceptd::learner {

Tensor identifier_row(diffusion::ModelBundle& bundle, torch::Generator& random) {
  if (bundle.tokenizer.is_single_token("sks")) return class_row(bundle, "sks");
  const auto table = bundle.text_encoder->text_model->embeddings->token_embedding->weight.detach().to(torch::kFloat);
  return table.mean(0, true) + table.std(0, true, true) * torch::randn({1, table.size(1)}, random);
}

PhotoLatents class_prior(diffusion::ModelBundle& bundle, const std::string& class_word, int64_t pictures,
                         std::uint64_t seed) {
  torch::NoGradGuard frozen;
  constexpr int64_t kSteps = 25, kAtOnce = 8;
  const auto context = diffusion::prepare_prompt(bundle, "a " + class_word).context;
  const auto negative = diffusion::prepare_prompt(bundle, "").context;
  std::vector<Tensor> drawn;
  for (int64_t from = 0; from < pictures; from += kAtOnce) {
    diffusion::TextToImageRequest request{.sampler = "ddim", .steps = kSteps};
    for (int64_t k = from; k < std::min(from + kAtOnce, pictures); ++k) {
      request.rows.push_back({.context = context,
                              .negative_context = negative,
                              .seed = seed + static_cast<std::uint64_t>(k),
                              .guidance = bundle.defaults.guidance});
    }
    diffusion::Steering none;
    drawn.push_back(diffusion::denoise(bundle, request, none).to(torch::kFloat));
  }
  const auto latents = torch::cat(drawn);
  auto everywhere = torch::ones({latents.size(0), 1, latents.size(2), latents.size(3)});
  return {latents, torch::zeros_like(latents), everywhere};
}

Draw joined(const Draw& a, const Draw& b) {
  const auto both = [](const Tensor& x, const Tensor& y) { return torch::cat({x, y}); };
  return {.photo = both(a.photo, b.photo),
          .noisy = both(a.noisy, b.noisy),
          .target = both(a.target, b.target),
          .timesteps = both(a.timesteps, b.timesteps),
          .mask = both(a.mask, b.mask)};
}

}  // namespace conceptd::learner
