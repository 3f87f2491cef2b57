#include "diffusion/guidance/attention_losses.h"

namespace conceptd::diffusion {

namespace {
constexpr double kSigma = .5;

Tensor map_of(const Tensor& maps, int64_t token) { return maps.select(2, token - 1); }  // (h, w)

std::vector<int64_t> words_of(const std::vector<ConceptTokens>& concepts) {
  std::vector<int64_t> tokens;
  for (const auto& one : concepts) tokens.push_back(one.word);
  return tokens;
}

Tensor flat(const Tensor& maps, const std::vector<int64_t>& tokens) {  // (m, h w)
  std::vector<Tensor> rows;
  for (const auto token : tokens) rows.push_back(map_of(maps, token).flatten());
  return torch::stack(rows);
}

Tensor shares(const Tensor& rows) { return rows / rows.sum(1, true).clamp_min(1e-12); }
}  // namespace

Tensor sharpened_maps(const Tensor& maps, double sharpness) {
  const auto tokens = maps.slice(2, 1, maps.size(2) - 1);
  const auto sharp = (tokens * sharpness).softmax(2).permute({2, 0, 1}).unsqueeze(1);  // (n - 2, 1, h, w)
  const auto x = torch::arange(-1, 2, torch::kFloat);
  const auto one = torch::exp(-(x / (2 * kSigma)).pow(2));
  const auto kernel = torch::outer(one, one) / one.sum().pow(2);
  const auto padded = torch::reflection_pad2d(sharp, {1, 1, 1, 1});
  return torch::conv2d(padded, kernel.view({1, 1, 3, 3})).squeeze(1).permute({1, 2, 0});
}

Tensor peaks(const Tensor& maps, const std::vector<int64_t>& tokens) { return std::get<0>(flat(maps, tokens).max(1)); }

Tensor attend_loss(const Tensor& maps, const std::vector<ConceptTokens>& concepts, double dynamics) {
  const auto of_words = peaks(maps, words_of(concepts));
  const auto lowest = of_words.detach() - of_words.detach().min();
  const auto weights = torch::softmax(-lowest / std::max(dynamics, 1e-9), 0);
  auto loss = (weights * (1 - of_words)).sum();
  std::vector<int64_t> identifiers;
  bool apart = false;
  for (const auto& one : concepts) identifiers.push_back(one.identifier), apart |= one.identifier != one.word;
  // A token that is identifier and class word in one is asked for once.
  return apart ? loss + (weights * (1 - peaks(maps, identifiers))).sum() : loss;
}

Tensor unmix_masks(const Tensor& maps, const std::vector<ConceptTokens>& concepts) {
  const torch::NoGradGuard no_grad;
  const auto h = maps.size(0), w = maps.size(1), m = static_cast<int64_t>(concepts.size());
  const auto mass = shares(flat(maps, words_of(concepts))).view({m, h, w});
  const auto y = (mass.sum(2) * torch::arange(h)).sum(1) / static_cast<double>(h);  // (m) in 0..1
  const auto x = (mass.sum(1) * torch::arange(w)).sum(1) / static_cast<double>(w);
  const bool along_x = (x.max() - x.min()).item<double>() >= (y.max() - y.min()).item<double>();
  const auto order = std::get<1>((along_x ? x : y).sort(/*stable=*/true, 0, false));
  auto masks = torch::ones({m, h, w});
  const auto side = along_x ? w : h;
  for (int64_t k = 0; k < m; ++k) {
    const auto from = side * k / m, to = side * (k + 1) / m;
    auto own = masks[order[k].item<int64_t>()];
    (along_x ? own.slice(1, from, to) : own.slice(0, from, to)).zero_();
  }
  return masks;
}

Tensor unmix_loss(const Tensor& maps, const std::vector<ConceptTokens>& concepts) {
  return (shares(flat(maps, words_of(concepts))) * unmix_masks(maps, concepts).flatten(1)).sum();
}

Tensor orthogonal_loss(const Tensor& maps, const std::vector<ConceptTokens>& concepts) {
  std::vector<int64_t> identifiers;
  for (const auto& one : concepts) identifiers.push_back(one.identifier);
  const auto unit = [](const Tensor& rows) { return rows / rows.norm(2, 1, true).clamp_min(1e-12); };
  const auto cosines = torch::matmul(unit(flat(maps, identifiers)), unit(flat(maps, words_of(concepts))).t());
  return (cosines - torch::eye(cosines.size(0))).pow(2).sum();
}

Tensor attention_loss(const Tensor& maps, const std::vector<ConceptTokens>& concepts, const AttentionLosses& losses) {
  const auto sharp = sharpened_maps(maps, losses.sharpness);
  auto loss = torch::zeros({});
  if (losses.attend > 0) loss = loss + losses.attend * attend_loss(sharp, concepts, losses.dynamics);
  if (losses.unmix > 0) loss = loss + losses.unmix * unmix_loss(sharp, concepts);
  if (losses.orthogonal > 0) loss = loss + losses.orthogonal * orthogonal_loss(sharp, concepts);
  return loss;
}

}  // namespace conceptd::diffusion
