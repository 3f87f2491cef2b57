#include "diffusion/edits/token_gate.h"

#include "core/error.h"

namespace conceptd::diffusion {

namespace {
constexpr double kBackgroundScale = .95, kBalanceRate = .5;
constexpr int kBalanceRounds = 20;

Tensor mean_over_heads(const Tensor& per_head) { return per_head.mean(1); }  // (b, h, n) -> (b, n)

// Over `tokens`, which are few: (b, n).
Tensor score_of(const Tensor& query, const Attend& attend, const Tensor& tokens, GateScore score) {
  const auto logits = torch::matmul(query, attend.key.index_select(2, tokens).transpose(-2, -1)).to(torch::kFloat);
  if (score == GateScore::max_logit) return mean_over_heads(logits.amax(-1));
  return mean_over_heads(logits.logsumexp(-1)) - std::log(static_cast<double>(tokens.size(0)));
}

std::vector<Tensor> masses(const Tensor& query, const Attend& attend, const TokenGroups& groups, bool with_prompt) {
  auto logits = torch::matmul(query, attend.key.transpose(-2, -1)).to(torch::kFloat);
  logits = logits.masked_fill(groups.all() == TokenGroups::kPadding, -INFINITY);
  const auto probabilities = logits.softmax(-1);
  const auto on = [&](const Tensor& tokens) { return mean_over_heads(probabilities.index_select(-1, tokens).sum(-1)); };
  std::vector<Tensor> all;
  for (int64_t k = 0; k < groups.subjects; ++k) all.push_back(on(groups.reference_tokens(k)));
  if (with_prompt) all.push_back(on((groups.all() == TokenGroups::kPrompt).nonzero().squeeze(1)));
  return all;
}

Tensor as_grids(const Tensor& x, const Routing& routing) {  // (b, n, k) -> (b, k, height, width)
  return x.transpose(1, 2).unflatten(2, {routing.height, routing.width});
}

// Morphology by 2x2, outside counting as empty. Erosion looks to the left and above, dilation to the right and below.
Tensor eroded(const Tensor& mask) {
  return 1 - torch::max_pool2d(torch::constant_pad_nd(1 - mask, {1, 0, 1, 0}, 1), {2, 2}, {1, 1});
}
Tensor dilated(const Tensor& mask) {
  return torch::max_pool2d(torch::constant_pad_nd(mask, {0, 1, 0, 1}), {2, 2}, {1, 1});
}
Tensor opened(const Tensor& mask) { return dilated(eroded(mask)); }  // specks go
Tensor closed(const Tensor& mask) {                                  // holes go; a border, so that the edge is no shape
  return torch::constant_pad_nd(eroded(dilated(torch::constant_pad_nd(mask, {1, 1, 1, 1}))), {-1, -1, -1, -1});
}

Tensor balanced(const Tensor& scores, const Routing& routing) {
  const auto c = scores.size(2);
  const auto spread = scores.std().clamp_min(1e-6);
  auto bias = torch::zeros({scores.size(0), 1, c});
  Tensor votes;
  for (int round = 0; round < kBalanceRounds; ++round) {
    votes = torch::one_hot((scores + bias).argmax(2), c).to(torch::kFloat);
    bias = bias - kBalanceRate * spread * (votes.mean(1, true) - 1. / static_cast<double>(c));
  }
  const auto around = torch::avg_pool2d(as_grids(votes, routing), {3, 3}, {1, 1}, {1, 1}, false, false);
  return around.flatten(2).argmax(1);
}

Tensor against_background(const Tensor& scores, const Routing& routing) {
  const auto c = scores.size(2) - 1;
  const auto shares = routing.score == GateScore::attention_mass ? scores : scores.softmax(2);
  const auto best = shares.slice(2, 0, c).amax(2), background = kBackgroundScale * shares.select(2, c);
  const auto wins = as_grids((best >= background).to(torch::kFloat).unsqueeze(2), routing);  // (b, 1, height, width)
  const auto owner = scores.slice(2, 0, c).argmax(2);
  return torch::where(closed(opened(wins)).flatten(1) > .5, owner, torch::full_like(owner, -1));
}
}  // namespace

void check_routing(const Routing& routing, const TokenGroups& groups) {
  const auto check = [](bool fits, const char* field, const std::string& why) {
    if (!fits) throw Error(Code::invalid, std::string(field) + " " + why, field);
  };
  const auto n = groups.picture_tokens().size(0);
  check(routing.ungated >= 0 && routing.ungated <= 1, "ungated", "must lie in 0..1");
  check(routing.masks || !routing.dynamic, "dynamic", "routing stands on the static mask");
  if (!routing.dynamic) return;
  check(routing.height > 0 && routing.width > 0 && routing.height * routing.width == n, "height",
        "times width must be the " + std::to_string(n) + " tokens of the picture");
  check(routing.scope != GateScope::shared || !routing.shared_site.empty(), "shared_site", "must name a block");
  for (int64_t k = 0; k < groups.subjects; ++k) {
    const bool captions = routing.score == GateScore::caption;
    check((captions ? groups.caption_tokens(k) : groups.reference_tokens(k)).size(0) > 0, "score",
          "looks at tokens that subject " + std::to_string(k) + " does not have");
  }
  check(routing.source != GateSource::halves || (groups.subjects == 2 && routing.width % 2 == 0), "source",
        "halves are of two subjects and an even width");
  if (routing.source != GateSource::given) return;
  check(routing.given.defined() && routing.given.dim() == 2 && routing.given.size(1) == n &&
            routing.given.scalar_type() == torch::kLong && routing.given.min().item<int64_t>() >= -1 &&
            routing.given.max().item<int64_t>() < groups.subjects,
        "given", "must name a subject, or -1, for every token of the picture");
}

Tensor gate_scores(const Attend& attend, const TokenGroups& groups, const Routing& routing) {
  const torch::NoGradGuard no_grad;
  const bool with_prompt = routing.cells == GateCells::background;
  const auto scale = 1 / std::sqrt(static_cast<double>(attend.query.size(-1)));
  const auto query = attend.query.index_select(2, groups.picture_tokens()) * scale;
  if (routing.score == GateScore::attention_mass) return torch::stack(masses(query, attend, groups, with_prompt), 2);
  std::vector<Tensor> all;
  for (int64_t k = 0; k < groups.subjects; ++k) {
    const bool captions = routing.score == GateScore::caption;
    all.push_back(
        score_of(query, attend, captions ? groups.caption_tokens(k) : groups.reference_tokens(k), routing.score));
  }
  if (with_prompt) {
    const auto prompt = (groups.all() == TokenGroups::kPrompt).nonzero().squeeze(1);
    all.push_back(score_of(query, attend, prompt, routing.score));
  }
  return torch::stack(all, 2);
}

Tensor owners_of(const Tensor& scores, const Routing& routing) {
  const torch::NoGradGuard no_grad;
  switch (routing.cells) {
    case GateCells::argmax:
      return scores.argmax(2);
    case GateCells::balanced:
      return balanced(scores, routing);
    case GateCells::background:
      return against_background(scores, routing);
  }
  throw Error(Code::internal, "unknown cells");
}

Tensor owners_by_halves(int64_t rows, const Routing& routing) {
  const auto columns = torch::arange(routing.width, torch::kLong) / (routing.width / 2);
  return columns.to(torch::kLong).repeat({rows, routing.height});
}

}  // namespace conceptd::diffusion
