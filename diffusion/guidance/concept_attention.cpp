#include "diffusion/guidance/concept_attention.h"

#include <cmath>
#include <map>

#include "diffusion/edits/borrowed_maps.h"
#include "diffusion/edits/edited.h"

namespace conceptd::diffusion {

namespace {
constexpr int64_t kPlacesMax = 16 * 16;
constexpr double kRefineAt[] = {0, .2, .4}, kRefineTo[] = {.05, .5, .8};

// Keeps who attends to whom, averaged over heads and over the layers of each resolution.
class SeenMaps : public Edited {
 public:
  using Edited::Edited;
  void route(const Site& site, Attend& attend) override {
    const auto places = attend.query.size(2);
    if (!is_cross_attention(site) || places > kPlacesMax) return;
    const auto query = attend.query * (1.0 / std::sqrt(static_cast<double>(attend.query.size(-1))));
    const auto logits = torch::matmul(query, attend.key.transpose(-2, -1));
    seen[places].push_back(logits.softmax(-1, torch::kFloat).mean(1));  // (b, l, n)
  }
  std::map<int64_t, std::vector<Tensor>> seen;
};
}  // namespace

std::vector<ConceptTokens> concept_tokens(const PreparedPrompt& prompt) {
  std::vector<ConceptTokens> concepts;
  for (const auto& [placeholder, at] : prompt.positions) {
    auto last = at.begin();  // of its first occurrence: tokens in a row
    while (std::next(last) != at.end() && *std::next(last) == *last + 1) ++last;
    concepts.push_back({.identifier = at.front(), .word = *last});
  }
  return concepts.size() < 2 ? std::vector<ConceptTokens>{} : concepts;
}

ConceptAttention::ConceptAttention(ModelBundle& bundle, std::vector<GuidedRow> rows, ConceptAttentionSettings settings,
                                   Steering& next)
    : bundle_(bundle), rows_(std::move(rows)), settings_(std::move(settings)), next_(next) {
  std::vector<int64_t> which;
  std::vector<Tensor> contexts;
  for (const auto& row : rows_) which.push_back(row.row), contexts.push_back(row.context);
  if (rows_.empty()) return;
  which_ = torch::tensor(which, torch::kLong), contexts_ = torch::stack(contexts).to(bundle_.compute);
}

std::vector<Tensor> ConceptAttention::maps(const Tensor& input, double timestep) {
  Edited::Rows edits;
  for (const auto& row : rows_) edits.push_back(row.edits);
  SeenMaps adapt(std::move(edits));
  bundle_.unet(input.to(bundle_.compute), torch::tensor(timestep), contexts_, adapt);
  const auto& [places, finest] = *adapt.seen.rbegin();
  const auto mean = torch::stack(finest).mean(0);  // (g, l, n)
  const double aspect = static_cast<double>(input.size(2)) / static_cast<double>(input.size(3));
  const auto height = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(places) * aspect)));
  std::vector<Tensor> each;
  for (int64_t k = 0; k < mean.size(0); ++k) each.push_back(mean[k].view({height, places / height, -1}));
  return each;
}

Tensor ConceptAttention::guided(const Tensor& latents, const Step& step, double size) {
  const torch::AutoGradMode with_gradients(true);
  const auto leaf = latents.detach().clone().requires_grad_();
  const auto seen = maps(step.model_input ? step.model_input(leaf) : leaf, step.timestep);
  auto loss = torch::zeros({});
  weakest_.clear();
  for (std::size_t k = 0; k < rows_.size(); ++k) {
    loss = loss + attention_loss(seen[k], rows_[k].concepts, settings_.losses);
    std::vector<int64_t> words;
    for (const auto& one : rows_[k].concepts) words.push_back(one.word);
    weakest_.push_back(peaks(sharpened_maps(seen[k].detach(), settings_.losses.sharpness), words).min().item<double>());
  }
  const auto gradient = torch::autograd::grad({loss}, {leaf})[0];
  const torch::NoGradGuard no_grad;
  return latents - size * gradient.nan_to_num(0, 0, 0);  // where it is no number it guides nowhere
}

void ConceptAttention::before_step(Step& step) {
  next_.before_step(step);
  const auto guided_steps = static_cast<int64_t>(std::ceil(settings_.share * static_cast<double>(step.steps)));
  if (rows_.empty() || settings_.step_size == 0 || step.index >= guided_steps) return;
  const double way = guided_steps > 1 ? static_cast<double>(step.index) / static_cast<double>(guided_steps - 1) : 0;
  const double size = settings_.step_size * std::sqrt(1 - .5 * way);
  auto latents = guided(step.latents.index_select(0, which_), step, size);
  for (std::size_t k = 0; k < std::size(kRefineAt); ++k) {
    if (step.index != static_cast<int64_t>(kRefineAt[k] * static_cast<double>(step.steps))) continue;
    const auto enough = [&] {
      return std::all_of(weakest_.begin(), weakest_.end(), [&](double peak) { return peak >= kRefineTo[k]; });
    };
    for (int64_t more = 0; more < settings_.refine_max && !enough(); ++more) latents = guided(latents, step, size);
  }
  step.latents = step.latents.index_copy(0, which_, latents);
}

}  // namespace conceptd::diffusion
