#include "learner/l2dm/merge.h"

#include <algorithm>

#include "core/error.h"
#include "diffusion/edits/apply_edits.h"
#include "diffusion/prompt.h"
#include "learner/objective.h"
#include "learner/template.h"

namespace conceptd::learner {

namespace {
bool is_key_or_value(std::string_view site) { return site.ends_with(".attn2.to_k") || site.ends_with(".attn2.to_v"); }

// Beside the base's own templates, one in which another thing is named before: an encoding knows what stands before it.
std::vector<std::string> prompts_of(const diffusion::ModelBundle& bundle, const diffusion::Delta& delta) {
  std::vector<std::string> prompts;
  for (const auto& text : templates_for(bundle)) prompts.push_back(filled(text, delta.placeholder));
  prompts.push_back("a " + delta.class_word + " and a " + delta.placeholder);
  return prompts;
}

std::map<std::string, diffusion::AdaptedLinearImpl*> layers_of(diffusion::UNet2DConditionModel& unet) {
  std::map<std::string, diffusion::AdaptedLinearImpl*> layers;
  for (const auto& item : unet->named_modules("", false)) {
    auto* layer = dynamic_cast<diffusion::AdaptedLinearImpl*>(item.value().get());
    if (layer && is_key_or_value(item.key())) layers[item.key()] = layer;
  }
  return layers;
}
}  // namespace

std::string no_consolidation(const diffusion::Delta& delta) {
  for (const auto& [name, tensor] : delta.tensors) {
    if (!name.starts_with(diffusion::kDownPrefix) || is_key_or_value(name)) continue;
    return "it changes " + name.substr(std::string_view(diffusion::kDownPrefix).size()) +
           " too, and only keys and values of cross-attention can be consolidated";
  }
  return {};
}

Tensor what_it_adds(const diffusion::SiteEdits& edits, diffusion::AdaptedLinearImpl& layer, const Tensor& x) {
  const auto batch = x.unsqueeze(0);
  const auto weight = layer.matrix();
  auto added = torch::zeros({1, x.size(0), weight.size(0)});
  added = diffusion::apply_edits(edits.rank_one, weight, batch, added);
  added = diffusion::apply_edits(edits.low_rank, batch, added);
  return diffusion::apply_edits(edits.residual, added)[0];
}

ConceptStatistics concept_statistics(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base,
                                     const ConsolidationMember& member, double rest) {
  const torch::NoGradGuard frozen;
  const auto& placeholder = member.delta.placeholder;
  if (const auto why = no_consolidation(member.delta); !why.empty())
    throw Error(Code::invalid, placeholder + " cannot be consolidated: " + why, "members");
  const auto edits = std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(member.delta, base));
  const auto layers = layers_of(bundle.unet);
  ConceptStatistics part{member.digest, {}, {}, {}};
  std::vector<Tensor> rows, weights;
  std::map<std::string, std::vector<Tensor>> answers;
  const auto prompts = prompts_of(bundle, member.delta);
  for (const auto& text : prompts) {
    const auto prompt = diffusion::prepare_prompt(bundle, text, edits);
    const auto& own = prompt.positions.at(placeholder);
    auto weight = torch::full({prompt.context.size(0)}, rest, torch::kDouble);
    for (const auto at : own) weight[at] = 1.;
    const auto used = rest > 0 ? torch::arange(weight.size(0)) : torch::tensor(own, torch::kLong);
    rows.push_back(prompt.context.index_select(0, used));
    weights.push_back(weight.index_select(0, used) / static_cast<double>(own.size() * prompts.size()));
    for (const auto& [site, layer] : layers) {
      const auto changed = prompt.edits->sites.find(site);
      const auto added = changed == prompt.edits->sites.end()
                             ? torch::zeros({prompt.context.size(0), layer->matrix().size(0)})
                             : what_it_adds(changed->second, *layer, prompt.context);
      answers[site].push_back(added.index_select(0, used));
    }
  }
  part.rows = torch::cat(rows).to(torch::kDouble), part.weights = torch::cat(weights);
  for (const auto& [site, added] : answers) part.answers[site] = torch::cat(added).to(torch::kDouble);
  return part;
}

void MergeSums::sum(const ConceptStatistics& part, double weight) {
  const torch::NoGradGuard no_grad;
  const auto add = [](Tensor& to, const Tensor& more) { to = to.defined() ? to + more : more; };
  const auto weighted = (part.rows * (weight * part.weights).unsqueeze(1)).t();  // (c, m)
  add(keys_, torch::matmul(weighted, part.rows));
  for (const auto& [site, answers] : part.answers) add(crossed_[site], torch::matmul(weighted, answers));
}

std::map<std::string, Tensor> MergeSums::solve(const Tensor& covariance, double ridge) const {
  const torch::NoGradGuard no_grad;
  if (!keys_.defined()) throw Error(Code::invalid, "there is no concept to consolidate", "members");
  const auto c0 = covariance.to(torch::kDouble);
  const auto lambda = ridge * keys_.trace().item<double>() / c0.trace().item<double>();
  const auto [lower, failed] = torch::linalg_cholesky_ex(keys_ + lambda * c0);
  if (failed.item<int>() != 0)
    throw Error(Code::invalid, "the concepts' encodings do not determine a merge; use a larger ridge", "ridge");
  std::map<std::string, Tensor> merged;
  for (const auto& [site, crossed] : crossed_)
    merged[site] = torch::cholesky_solve(crossed, lower).t().to(torch::kFloat).contiguous();
  return merged;
}

std::map<std::string, Tensor> merged_statistics(std::vector<ConceptStatistics> parts, const Tensor& covariance,
                                                double ridge) {
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.digest < b.digest; });
  MergeSums sums;
  for (const auto& part : parts) sums.add(part);
  return sums.solve(covariance, ridge);
}

}  // namespace conceptd::learner
