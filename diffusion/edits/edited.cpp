#include "diffusion/edits/edited.h"

#include <algorithm>

#include "core/error.h"

namespace conceptd::diffusion {

void add_edits(EditSet& set, const EditSet& more) {
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  append(set.tokens, more.tokens);
  for (const auto& [path, edits] : more.sites) {
    auto& site = set.sites[path];
    append(site.rank_one, edits.rank_one);
    append(site.residual, edits.residual);
    append(site.low_rank, edits.low_rank);
  }
}

namespace {
bool is_cross_key(const Site& site) { return site.path.ends_with(".attn2.to_k"); }

bool same_gates(const std::vector<RankOne>& a, const std::vector<RankOne>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const RankOne& p, const RankOne& q) {
    return p.key.is_same(q.key) && p.input.is_same(q.input) && p.bias == q.bias && p.temperature == q.temperature;
  });
}
}  // namespace

Edited::Edited(Rows rows) : batch_(rows.size()) {
  std::map<const EditSet*, std::vector<int64_t>> where;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    if (rows[k] && (!rows[k]->sites.empty() || rows[k]->key_context.defined()))
      where[rows[k].get()].push_back(static_cast<int64_t>(k));
  }
  for (const auto& row : rows) {  // groups in the order of their first row
    const auto it = where.find(row.get());
    if (it == where.end()) continue;
    const bool all = it->second.size() == rows.size();
    groups_.push_back({row, all ? Tensor() : torch::tensor(it->second, torch::kLong)});
    where.erase(it);
  }
  shared_.resize(groups_.size());
}

void Edited::begin_prompt(std::vector<Tensor> constant_contexts) {
  constant_ = std::move(constant_contexts);
  answers_.clear();
}

bool Edited::is_constant(const Tensor& x) const {
  return !constant_.empty() && !torch::GradMode::is_enabled() &&
         std::any_of(constant_.begin(), constant_.end(), [&](const Tensor& held) { return held.is_same(x); });
}

Tensor Edited::linear(AdaptedLinearImpl& base, const Tensor& x) {
  const bool keep = is_constant(x);
  const std::pair<const AdaptedLinearImpl*, const void*> question{&base, x.unsafeGetTensorImpl()};
  if (keep) {
    if (const auto it = answers_.find(question); it != answers_.end()) return it->second;
  }
  auto y = base.plain(x);
  for (std::size_t k = 0; k < groups_.size(); ++k) {
    const auto& set = *groups_[k].edits;
    const auto it = set.sites.find(base.site.path);
    const bool locked = set.key_context.defined() && is_cross_key(base.site);
    if (it == set.sites.end() && !locked) continue;
    if (x.size(0) != static_cast<int64_t>(batch_)) {
      throw Error(Code::internal, "the batch at " + base.site.path + " has " + std::to_string(x.size(0)) +
                                      " rows, the adaptation " + std::to_string(batch_));
    }
    const auto& rows = groups_[k].rows;
    Tensor answer;
    if (locked) {
      const auto read = set.key_context.to(x.scalar_type()).unsqueeze(0);
      answer = base.plain(read);
      if (set.key_edits && it != set.sites.end()) answer = edited(k, it->second, base, read, {}, answer);
      answer = answer.expand({rows.defined() ? rows.size(0) : x.size(0), -1, -1});
    } else {
      answer = edited(k, it->second, base, x, rows, rows.defined() ? y.index_select(0, rows) : y);
    }
    y = rows.defined() ? y.index_copy(0, rows, answer) : answer;
  }
  if (keep) answers_.emplace(question, y);
  return y;
}

Tensor Edited::edited(std::size_t group, const SiteEdits& edits, AdaptedLinearImpl& base, const Tensor& x,
                      const Tensor& rows, const Tensor& y) {
  auto out = y;
  if (!edits.rank_one.empty()) {
    out = apply_edits(edits.rank_one, gates(group, edits.rank_one, x, rows), base.matrix(), out);
  }
  if (!edits.low_rank.empty()) out = apply_edits(edits.low_rank, rows.defined() ? x.index_select(0, rows) : x, out);
  return apply_edits(edits.residual, out);
}

const Gates& Edited::gates(std::size_t group, const std::vector<RankOne>& edits, const Tensor& x, const Tensor& rows) {
  auto& shared = shared_[group];
  const bool with_grad = torch::GradMode::is_enabled();
  if (!shared.x.defined() || !shared.x.is_same(x) || shared.with_grad != with_grad ||
      !same_gates(shared.edits, edits)) {
    shared = {x, with_grad, edits, rank_one_gates(edits, rows.defined() ? x.index_select(0, rows) : x)};
  }
  return shared.gates;
}

namespace {
// Without the residuals that go, and without the key context unless it stays.
template <class Goes>
Edited::Rows what_is_left(const Edited::Rows& rows, const Goes& goes, bool keep_key_context) {
  std::map<const EditSet*, std::shared_ptr<const EditSet>> left;
  auto out = rows;
  for (auto& row : out) {
    if (!row || (!any_residual(*row, goes) && (keep_key_context || !row->key_context.defined()))) continue;
    const auto [known, is_new] = left.try_emplace(row.get());
    if (is_new) {
      EditSet rest{.tokens = row->tokens, .sites = {}};
      if (keep_key_context) rest.key_context = row->key_context, rest.key_edits = row->key_edits;
      for (const auto& [path, edits] : row->sites) {
        auto left_here = edits;
        std::erase_if(left_here.residual, goes);
        const bool any = !left_here.residual.empty() || !left_here.rank_one.empty() || !left_here.low_rank.empty();
        if (any) rest.sites.emplace(path, std::move(left_here));
      }
      if (!rest.sites.empty() || rest.key_context.defined())
        known->second = std::make_shared<const EditSet>(std::move(rest));
    }
    row = known->second;
  }
  return out;
}
}  // namespace

Edited::Rows of_frozen_stream(const Edited::Rows& rows) {
  return what_is_left(
      rows, [](const TokenResidual& edit) { return edit.keeps_maps; }, true);
}

Edited::Rows for_another_prompt(const Edited::Rows& rows) {
  return what_is_left(
      rows, [](const TokenResidual&) { return true; }, false);
}

}  // namespace conceptd::diffusion
