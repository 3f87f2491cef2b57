#include "diffusion/edits/merged.h"

#include <algorithm>

namespace conceptd::diffusion {

namespace {
constexpr double kRankTolerance = 1e-9;
bool is_whole(const LowRank& edit) { return !edit.down.defined(); }
}  // namespace

Tensor merged_difference(std::span<const Tensor> differences, std::span<const Tensor> targets,
                         const Tensor& covariance) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> rows, asked;
  for (std::size_t k = 0; k < differences.size(); ++k) {
    rows.push_back(targets[k].to(torch::kDouble));
    asked.push_back(torch::matmul(rows.back(), differences[k].to(torch::kDouble).t()));
  }
  const auto c = torch::cat(rows), more = torch::cat(asked);                     // (m, c), (m, out)
  const auto d = torch::linalg_solve(covariance.to(torch::kDouble), c.t()).t();  // (m, c)
  const auto inverse = torch::linalg_pinv(torch::matmul(d, c.t()), kRankTolerance, /*hermitian=*/true);  // (m, m)
  return torch::matmul(torch::matmul(more.t(), inverse), d).to(torch::kFloat);
}

bool has_whole_differences(const EditSet& set) {
  return std::any_of(set.sites.begin(), set.sites.end(), [](const auto& site) {
    return std::any_of(site.second.low_rank.begin(), site.second.low_rank.end(), is_whole);
  });
}

EditSet merge_edits(std::span<const std::shared_ptr<const EditSet>> sets, std::span<const Tensor> targets,
                    const Tensor& covariance) {
  EditSet all;
  std::map<std::string, std::pair<std::vector<Tensor>, std::vector<Tensor>>> whole;  // differences and targets, by site
  for (std::size_t k = 0; k < sets.size(); ++k) {
    EditSet rest = *sets[k];
    for (auto& [site, edits] : rest.sites) {
      for (const auto& edit : edits.low_rank) {
        if (!is_whole(edit)) continue;
        whole[site].first.push_back(edit.scale * edit.up), whole[site].second.push_back(targets[k]);
      }
      std::erase_if(edits.low_rank, is_whole);
    }
    add_edits(all, rest);
  }
  for (const auto& [site, parts] : whole)
    all.sites[site].low_rank.push_back({Tensor(), merged_difference(parts.first, parts.second, covariance)});
  return all;
}

}  // namespace conceptd::diffusion
