#include "diffusion/edits/merged.h"

#include <algorithm>

#include "core/error.h"

namespace conceptd::diffusion {

namespace {
constexpr double kRankTolerance = 1e-9;
bool is_whole(const LowRank& edit) { return !edit.down.defined(); }

// (d C')^-1 d, the same for every layer: (m, c) fp64.
Tensor projector(std::span<const Tensor> targets, const Tensor& covariance) {
  const auto c = torch::cat(at::TensorList(targets.data(), targets.size())).to(torch::kDouble);  // (m, c)
  const auto d = torch::linalg_solve(covariance.to(torch::kDouble), c.t()).t();                  // (m, c)
  return torch::matmul(torch::linalg_pinv(torch::matmul(d, c.t()), kRankTolerance, /*hermitian=*/true), d);
}

Tensor merged(std::span<const Tensor> differences, std::span<const Tensor> targets, const Tensor& projector) {
  std::vector<Tensor> asked;  // (m_i, out)
  for (std::size_t k = 0; k < differences.size(); ++k)
    asked.push_back(torch::matmul(targets[k].to(torch::kDouble), differences[k].to(torch::kDouble).t()));
  return torch::matmul(torch::cat(asked).t(), projector).to(torch::kFloat);
}
}  // namespace

Tensor merged_difference(std::span<const Tensor> differences, std::span<const Tensor> targets,
                         const Tensor& covariance) {
  const torch::NoGradGuard no_grad;
  return merged(differences, targets, projector(targets, covariance));
}

bool has_whole_differences(const EditSet& set) {
  return std::any_of(set.sites.begin(), set.sites.end(), [](const auto& site) {
    return std::any_of(site.second.low_rank.begin(), site.second.low_rank.end(), is_whole);
  });
}

EditSet merge_edits(std::span<const std::shared_ptr<const EditSet>> sets, std::span<const Tensor> targets,
                    const Tensor& covariance) {
  const torch::NoGradGuard no_grad;
  EditSet all;
  std::vector<Tensor> rows;                            // of the sets with whole differences
  std::map<std::string, std::vector<Tensor>> at_site;  // their differences
  for (std::size_t k = 0; k < sets.size(); ++k) {
    EditSet rest = *sets[k];
    if (has_whole_differences(rest)) rows.push_back(targets[k]);
    for (auto& [site, edits] : rest.sites) {
      for (const auto& edit : edits.low_rank) {
        if (is_whole(edit)) at_site[site].push_back(edit.scale * edit.up);
      }
      std::erase_if(edits.low_rank, is_whole);
    }
    add_edits(all, rest);
  }
  if (rows.empty()) return all;
  const auto shared = projector(rows, covariance);
  for (const auto& [site, differences] : at_site) {
    if (differences.size() != rows.size())
      throw Error(Code::internal, "not every concept that changed whole layers has changed " + site);
    all.sites[site].low_rank.push_back({Tensor(), merged(differences, rows, shared)});
  }
  return all;
}

}  // namespace conceptd::diffusion
