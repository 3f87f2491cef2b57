#include "diffusion/edits/edited.h"

#include <algorithm>

#include "core/error.h"
#include "diffusion/attention.h"

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
  if (!more.hard) return;
  if (!set.hard) set.hard = HardPath{.alpha = more.hard->alpha, .words = {}};
  set.hard->alpha = std::max(set.hard->alpha, more.hard->alpha);
  set.hard->words.insert(more.hard->words.begin(), more.hard->words.end());
  set.hard->context = Tensor();  // of the prompt that they are in together
}

namespace {
bool is_cross_key(const Site& site) { return site.path.ends_with(".attn2.to_k"); }

bool same_gates(const std::vector<RankOne>& a, const std::vector<RankOne>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const RankOne& p, const RankOne& q) {
    return p.key.is_same(q.key) && p.input.is_same(q.input) && p.bias == q.bias && p.temperature == q.temperature;
  });
}
}  // namespace

struct Edited::HardRows {
  Tensor rows;      // int64 indices; undefined: all rows
  Tensor alpha;     // (b, 1, 1)
  Tensor contexts;  // (b, n, c); undefined: a prompt has not been prepared
  Edited edited;
};

std::shared_ptr<Edited::HardRows> Edited::hard_rows(const Rows& rows) {
  Rows mine;
  std::vector<int64_t> where;
  std::vector<float> alpha;
  std::vector<Tensor> contexts;
  std::map<const EditSet*, int64_t> seen;  // rows so far that share a set
  for (std::size_t k = 0; k < rows.size(); ++k) {
    if (!rows[k] || !rows[k]->hard) continue;
    const auto& hard = *rows[k]->hard;
    mine.push_back(rows[k]), where.push_back(static_cast<int64_t>(k)), alpha.push_back(static_cast<float>(hard.alpha));
    const auto at = seen[rows[k].get()]++;
    if (hard.context.defined()) contexts.push_back(hard.context.dim() == 3 ? hard.context[at] : hard.context);
  }
  if (mine.empty()) return nullptr;
  const bool all = mine.size() == rows.size(), ready = contexts.size() == mine.size();
  return std::make_shared<HardRows>(HardRows{.rows = all ? Tensor() : torch::tensor(where, torch::kLong),
                                             .alpha = torch::tensor(alpha).view({-1, 1, 1}),
                                             .contexts = ready ? torch::stack(contexts) : Tensor(),
                                             .edited = Edited(without_soft_path(mine))});
}

Edited::Edited(Rows rows) : batch_(rows.size()), hard_(hard_rows(rows)) {
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
  if (!hard_ || !hard_->contexts.defined()) return;
  if (!constant_.empty()) hard_->contexts = hard_->contexts.to(constant_.front().scalar_type());
  hard_->edited.begin_prompt(constant_.empty() ? std::vector<Tensor>{} : std::vector<Tensor>{hard_->contexts});
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
      if (it != set.sites.end()) {
        auto edits = it->second;  // without Perfusion's, which the lock is there to keep out, unless they are asked for
        if (!set.key_edits) edits.rank_one.clear(), edits.residual.clear();
        if (!edits.rank_one.empty() || !edits.low_rank.empty()) answer = edited(k, edits, base, read, {}, answer);
      }
      answer = answer.expand({rows.defined() ? rows.size(0) : x.size(0), -1, -1});
    } else {
      answer = edited(k, it->second, base, x, rows, rows.defined() ? y.index_select(0, rows) : y);
    }
    y = rows.defined() ? y.index_copy(0, rows, answer) : answer;
  }
  if (keep) answers_.emplace(question, y);
  return y;
}

Tensor Edited::attend(AttentionImpl& attention, const Tensor& x, const Tensor& context) {
  const auto soft = Adaptation::attend(attention, x, context);
  if (!hard_) return soft;
  if (!hard_->contexts.defined())
    throw Error(Code::internal, "at " + attention.site.path + " the hard path has no prompt to read");
  const auto& rows = hard_->rows;
  const auto mine = rows.defined() ? x.index_select(0, rows) : x;
  const auto read = context.is_same(x) ? mine : hard_->contexts.to(x.scalar_type());
  const auto hard = hard_->edited.attend(attention, mine, read);
  const auto alpha = hard_->alpha.to(x.scalar_type());
  const auto blend = alpha * (rows.defined() ? soft.index_select(0, rows) : soft) + (1 - alpha) * hard;
  return rows.defined() ? soft.index_copy(0, rows, blend) : blend;
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
// Every set as `left` leaves it, once for all rows that share it; null where nothing is left. `changes` says of which
// sets something goes.
template <class Changes, class Left>
Edited::Rows reduced(const Edited::Rows& rows, const Changes& changes, const Left& left) {
  std::map<const EditSet*, std::shared_ptr<const EditSet>> known;
  auto out = rows;
  for (auto& row : out) {
    if (!row || !changes(*row)) continue;
    const auto [entry, is_new] = known.try_emplace(row.get());
    if (is_new) {
      auto rest = left(*row);
      std::erase_if(rest.sites, [](const auto& item) {
        return item.second.residual.empty() && item.second.rank_one.empty() && item.second.low_rank.empty();
      });
      if (!rest.sites.empty() || rest.hard || rest.key_context.defined())
        entry->second = std::make_shared<const EditSet>(std::move(rest));
    }
    row = entry->second;
  }
  return out;
}
}  // namespace

Edited::Rows of_frozen_stream(const Edited::Rows& rows) {
  const auto goes = [](const TokenResidual& edit) { return edit.keeps_maps; };
  return reduced(
      rows, [&](const EditSet& set) { return any_residual(set, goes); },
      [&](EditSet set) {
        for (auto& [path, edits] : set.sites) std::erase_if(edits.residual, goes);
        return set;
      });
}

Edited::Rows for_another_prompt(const Edited::Rows& rows) {
  const auto any = [](const TokenResidual&) { return true; };
  return reduced(
      rows, [&](const EditSet& set) { return set.key_context.defined() || any_residual(set, any); },
      [&](EditSet set) {
        set.key_context = Tensor();
        for (auto& [path, edits] : set.sites) edits.residual.clear();
        return set;
      });
}

Edited::Rows without_soft_path(const Edited::Rows& rows) {
  return reduced(
      rows, [](const EditSet& set) { return set.hard.has_value(); },
      [](EditSet set) {
        set.hard.reset();
        set.key_context = Tensor();  // it was encoded with the soft path's words
        for (auto& [path, edits] : set.sites)
          std::erase_if(edits.low_rank, [](const LowRank& edit) { return edit.soft; });
        return set;
      });
}

}  // namespace conceptd::diffusion
