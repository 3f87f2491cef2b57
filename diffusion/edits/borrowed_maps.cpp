#include "diffusion/edits/borrowed_maps.h"

#include "core/error.h"

namespace conceptd::diffusion {

namespace {

std::vector<int64_t> borrowers_of(const Edited::Rows& rows) {
  std::vector<int64_t> which;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const bool borrows = rows[k] && any_residual(*rows[k], [](const auto& edit) { return edit.keeps_maps; });
    if (borrows) which.push_back(static_cast<int64_t>(k));
  }
  return which;
}

Tensor row_numbers(const std::vector<int64_t>& which, std::size_t rows) {  // undefined: all, or none
  return which.empty() || which.size() == rows ? Tensor() : torch::tensor(which, torch::kLong);
}

Edited::Rows frozen_rows(const Edited::Rows& rows, const std::vector<int64_t>& which) {
  Edited::Rows twins;
  for (const auto row : which) twins.push_back(rows[static_cast<std::size_t>(row)]);
  return of_frozen_stream(twins);
}

// In the strides of `all`: products over other strides are rounded otherwise, and the other rows would notice.
Tensor with_rows(const Tensor& all, const Tensor& where, const Tensor& rows) {
  return all.clone(at::MemoryFormat::Preserve).index_copy_(0, where, rows);
}

}  // namespace

bool is_cross_attention(const Site& site) { return site.path.ends_with("attn2"); }

void LendingMaps::route(const Site& site, Attend& attend) {
  if (is_cross_attention(site)) lent[site.path] = {attend.query, attend.key};
}

void BorrowedMaps::route(const Site& site, Attend& attend) {
  if (lent.empty() || !is_cross_attention(site)) return;
  const auto found = lent.extract(site.path);
  if (found.empty()) throw Error(Code::internal, "the frozen stream has not been at " + site.path);
  const auto& [query, key] = found.mapped();
  attend.query = borrowers_.defined() ? with_rows(attend.query, borrowers_, query) : query;
  attend.key = borrowers_.defined() ? with_rows(attend.key, borrowers_, key) : key;
}

DualStream::DualStream(Edited::Rows rows)
    : which_(borrowers_of(rows)),
      borrowers_(row_numbers(which_, rows.size())),
      frozen_(frozen_rows(rows, which_)),
      customised_(std::move(rows), borrowers_) {}

void DualStream::begin_prompt(const Tensor& context) {
  context_ = context;
  customised_.begin_prompt({context});
  if (which_.empty()) return;
  frozen_context_ = of_borrowers(context);
  frozen_.begin_prompt({frozen_context_});
}

Tensor DualStream::run(UNet2DConditionModel& unet, const Tensor& sample, const Tensor& timesteps,
                       const Tensor& context) {
  if (!which_.empty()) {
    const torch::NoGradGuard frozen;
    const bool constant = context_.defined() && context_.is_same(context);
    unet(of_borrowers(sample), timesteps.dim() ? of_borrowers(timesteps) : timesteps,
         constant ? frozen_context_ : of_borrowers(context), frozen_);
    customised_.lent = std::move(frozen_.lent);
    frozen_.lent.clear();
  }
  return unet(sample, timesteps, context, customised_);
}

}  // namespace conceptd::diffusion
