#include "learner/pretrain/noun_attention.h"

#include <cmath>
#include <sstream>

#include "learner/pretrain/caption_reading.h"

namespace conceptd::pretrain {
namespace {
constexpr double kTarget = .5;
constexpr int64_t kThings = 2;
}  // namespace

Nouns find_nouns(const std::vector<std::string>& captions, std::span<const world::Scene> scenes) {
  const auto b = static_cast<int64_t>(captions.size());
  auto tokens = torch::zeros({b, kThings, kContext});
  auto masks = torch::zeros({b, kThings, world::kSide, world::kSide}, torch::kByte);
  auto at = tokens.accessor<float, 3>();
  for (int64_t row = 0; row < b; ++row) {
    const auto r = static_cast<std::size_t>(row);
    std::istringstream words(captions[r]);
    int64_t position = 1, thing = 0;  // the start token is first
    for (std::string word; words >> word; ++position) {
      if (thing < kThings && is_noun(word)) at[row][thing++][position] = 1;
    }
    for (int64_t k = 0; k < thing; ++k) {
      world::render_mask(scenes[r], static_cast<std::size_t>(k),
                         {masks[row][k].data_ptr<uint8_t>(), static_cast<std::size_t>(world::kSide * world::kSide)});
    }
  }
  return {tokens, masks.to(torch::kFloat) / 255};
}

Tensor NounAttention::linear(diffusion::AdaptedLinearImpl& base, const Tensor& x) {
  return base.plain(keys_.defined() && base.site.path.ends_with(".attn2.to_k") ? keys_ : x);
}

void NounAttention::route(const diffusion::Site& site, diffusion::Attend& a) {
  if (!site.path.ends_with(".attn2")) return;
  const auto scaled = a.query * (1 / std::sqrt(static_cast<double>(a.query.size(-1))));
  const auto map = torch::matmul(scaled, a.key.transpose(-2, -1)).softmax(-1).mean(1);        // (b, l, n)
  const auto seen = torch::matmul(nouns_.tokens, map.transpose(1, 2)).clamp(1e-5, 1 - 1e-5);  // (b, k, l)
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(map.size(1)))));
  const auto where = torch::adaptive_avg_pool2d(nouns_.masks, {side, side}).flatten(2);  // (b, k, l)
  const auto asked = nouns_.tokens.sum(-1, true);                                        // (b, k, 1)
  const auto target = kTarget * where;
  const auto entropy = -(target * seen.log() + (1 - target) * (1 - seen).log()) * asked;
  losses_.push_back(entropy.sum() / (asked.sum() * map.size(1)).clamp_min(1));
  const auto inside = where * asked;
  shares_.push_back(((seen.detach() * inside).sum() / inside.sum().clamp_min(1e-6)).item<double>());
}

Tensor NounAttention::loss() const { return torch::stack(losses_).mean(); }

double NounAttention::share() const {
  double sum = 0;
  for (const double share : shares_) sum += share;
  return shares_.empty() ? 0 : sum / static_cast<double>(shares_.size());
}

}  // namespace conceptd::pretrain
