#include "diffusion/token_covariance.h"

#include "core/error.h"
#include "diffusion/safetensors.h"
#include "diffusion/weights.h"

namespace conceptd::diffusion {
namespace fs = std::filesystem;

namespace {
constexpr std::size_t kCaptionsMin = 100, kBatch = 64;
constexpr const char* kTextEncoder = "text_encoder";  // whose encodings: its parameter_digest
fs::path path_in(const fs::path& base_folder) { return base_folder / "perfusion" / "covariance.safetensors"; }
}  // namespace

TokenCovariance::TokenCovariance(const Tensor& covariance, const Digest& text_encoder)
    : covariance_(covariance.to(torch::kDouble).contiguous()), text_encoder_(text_encoder) {
  const auto c = covariance_.size(0);
  auto [lower, failed] = torch::linalg_cholesky_ex(covariance_);
  if (failed.item<int>() != 0) {  // perfusion A3: a ridge, then once more
    const auto ridge = 1e-6 * covariance_.trace() / static_cast<double>(c);
    covariance_ = covariance_ + ridge * torch::eye(c, torch::kDouble);
    std::tie(lower, failed) = torch::linalg_cholesky_ex(covariance_);
    if (failed.item<int>() != 0)
      throw Error(Code::corrupt, "the covariance of text encodings is not positive definite");
  }
  cholesky_ = lower;
}

TokenCovariance TokenCovariance::measure(ModelBundle& bundle, const std::vector<std::string>& captions) {
  if (captions.size() < kCaptionsMin) throw Error(Code::invalid, "at least 100 captions are needed", "captions");
  torch::NoGradGuard frozen;
  Adaptation base;
  const auto c = bundle.text_encoder->config.hidden_size;
  auto sum = torch::zeros({c, c}, torch::kDouble);
  int64_t rows = 0;
  for (std::size_t from = 0; from < captions.size(); from += kBatch) {
    std::vector<Encoding> encodings;
    for (auto k = from; k < std::min(captions.size(), from + kBatch); ++k)
      encodings.push_back(bundle.tokenizer.encode(captions[k]));
    const auto states =
        bundle.text_encoder(ids_tensor(encodings), base).last_hidden_state.flatten(0, 1).to(torch::kDouble);
    sum += torch::matmul(states.t(), states);
    rows += states.size(0);
  }
  return TokenCovariance((sum / static_cast<double>(rows)).to(torch::kFloat), parameter_digest(*bundle.text_encoder));
}

TokenCovariance TokenCovariance::of(const ModelBundle& bundle) {
  const auto path = path_in(bundle.folder);
  if (!fs::exists(path)) {
    throw Error(Code::unavailable, path.string() + " is not there; it is made once a base from a list of captions");
  }
  const auto file = SafetensorsFile::open(path);
  const auto covariance = file.tensor("covariance");
  const auto c = bundle.text_encoder->config.hidden_size;
  if (covariance.dim() != 2 || covariance.size(0) != c || covariance.size(1) != c) {
    throw Error(Code::conflict, path.string() + " belongs to a text encoder of another width");
  }
  const auto stated = file.metadata().find(kTextEncoder);
  if (stated == file.metadata().end()) return TokenCovariance(covariance);
  const auto own = parameter_digest(*bundle.text_encoder);
  if (stated->second != own.hex())
    throw Error(Code::conflict, path.string() + " was measured with another text encoder; measure it again");
  return TokenCovariance(covariance, own);
}

std::optional<TokenCovariance> TokenCovariance::if_any(const ModelBundle& bundle) {
  try {
    return of(bundle);
  } catch (const Error& error) {
    if (error.code() != Code::unavailable) throw;
    return std::nullopt;
  }
}

void TokenCovariance::save(const fs::path& base_folder) const {
  fs::create_directories(path_in(base_folder).parent_path());
  StringMap notes{{"rows", "all positions"}};
  if (text_encoder_ != Digest{}) notes[kTextEncoder] = text_encoder_.hex();
  save_safetensors(path_in(base_folder), {{"covariance", covariance_.to(torch::kFloat)}}, notes);
}

Tensor TokenCovariance::key_of(const Tensor& input) const {
  torch::NoGradGuard frozen;
  const auto i = input.to(torch::kDouble);
  const auto solved = torch::cholesky_solve(i.unsqueeze(1), cholesky_).squeeze(1);
  return (solved / torch::dot(solved, i)).to(torch::kFloat);
}

Digest TokenCovariance::digest() const {
  const auto bytes = covariance_.to(torch::kFloat).contiguous();
  return Digest::of(std::string_view(static_cast<const char*>(bytes.data_ptr()), bytes.nbytes()));
}

}  // namespace conceptd::diffusion
