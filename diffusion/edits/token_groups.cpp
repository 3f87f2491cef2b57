#include "diffusion/edits/token_groups.h"

#include "core/error.h"

namespace conceptd::diffusion {

namespace {
Tensor rows_where(const Tensor& mask) { return mask.nonzero().squeeze(1); }

// What every token sees of the others depends on its class alone: its group and, in X, its owner.
std::vector<Tensor> classes_of(const Tensor& group, const Tensor& owners, int64_t subjects) {
  std::vector<Tensor> classes;
  const auto add = [&](const Tensor& mask) {
    if (mask.any().item<bool>()) classes.push_back(rows_where(mask));
  };
  const auto picture = group == TokenGroups::kPicture;
  add(group == TokenGroups::kPadding);
  add(group == TokenGroups::kPrompt);
  for (int64_t k = -1; k < subjects; ++k) {
    if (owners.defined()) add(picture & (owners == k));
    if (k >= 0) add(group == TokenGroups::kFirstSubject + k);
  }
  if (!owners.defined()) add(picture);
  return classes;
}

Tensor spread(const TokenGroups& groups, const Tensor& owner) {  // (b, n) -> (b, s), -1 outside X
  return torch::full({owner.size(0), groups.all().size(0)}, -1, torch::kLong)
      .index_copy(1, groups.picture_tokens(), owner);
}
}  // namespace

TokenGroups TokenGroups::of(int64_t prompt, int64_t picture, const std::vector<int64_t>& captions,
                            const std::vector<int64_t>& references) {
  if (captions.size() != references.size() || prompt < 1 || picture < 1)
    throw Error(Code::internal, "every subject needs a caption and a reference, and the picture its tokens");
  TokenGroups groups;
  groups.subjects = static_cast<int64_t>(references.size());
  std::vector<int64_t> text(static_cast<std::size_t>(prompt), kPrompt),
      image(static_cast<std::size_t>(picture), kPicture);
  for (std::size_t k = 0; k < references.size(); ++k) {
    const auto group = kFirstSubject + static_cast<int64_t>(k);
    text.insert(text.end(), static_cast<std::size_t>(captions[k]), group);
    image.insert(image.end(), static_cast<std::size_t>(references[k]), group);
  }
  groups.text = torch::tensor(text, torch::kLong), groups.image = torch::tensor(image, torch::kLong);
  return groups;
}

Tensor TokenGroups::picture_tokens() const { return rows_where(image == kPicture) + text.size(0); }
Tensor TokenGroups::caption_tokens(int64_t subject) const { return rows_where(text == kFirstSubject + subject); }
Tensor TokenGroups::reference_tokens(int64_t subject) const {
  return rows_where(image == kFirstSubject + subject) + text.size(0);
}

Tensor open_pairs(const TokenGroups& groups, const Ownership& ownership, const Tensor& queries) {
  const auto keys = groups.all().unsqueeze(0);                             // (1, s)
  const auto asking = groups.all().index_select(0, queries).unsqueeze(1);  // (q, 1)
  const auto real = (keys != TokenGroups::kPadding) & (asking != TokenGroups::kPadding);
  const auto touches = (keys == TokenGroups::kPicture) | (asking == TokenGroups::kPicture);
  auto open = ((touches & real) | (keys == asking)).unsqueeze(0);  // (1, q, s)
  if (!ownership.owner.defined()) return open;
  const auto owners = spread(groups, ownership.owner);  // (b, s)
  const auto closed_between = [&](const Tensor& picture, const Tensor& owner, const Tensor& other) {
    // One of the two is in X and owned; the other belongs to a subject, and not to the owner's.
    const auto subject = other - TokenGroups::kFirstSubject;
    auto closed = (picture == TokenGroups::kPicture) & (subject >= 0) & (owner != subject);
    if (!ownership.open.defined()) return closed;
    const auto index = subject.clamp_min(0).expand({other.size(0), other.size(1)});
    const auto lets_all = ownership.open.index({torch::indexing::Slice(), index});  // (b, …)
    return closed & ~lets_all;
  };
  const auto asking_owner = owners.index_select(1, queries).unsqueeze(2);  // (b, q, 1)
  open = open & ~closed_between(asking, asking_owner, keys);
  return open & ~closed_between(keys, owners.unsqueeze(1), asking);
}

Tensor mask_bias(const TokenGroups& groups, const Ownership& ownership) {
  const auto open = open_pairs(groups, ownership, torch::arange(groups.all().size(0)));
  return torch::zeros(open.sizes(), torch::kFloat).masked_fill(~open, -INFINITY).unsqueeze(1);
}

std::vector<AttendPart> mask_parts(const TokenGroups& groups, const Ownership& ownership) {
  const auto rows = ownership.owner.defined() ? ownership.owner.size(0) : 1;
  if (rows != 1) throw Error(Code::internal, "parts are of one mask, not of one a row");
  const auto owners = ownership.owner.defined() ? spread(groups, ownership.owner)[0] : Tensor();
  std::vector<AttendPart> parts;
  for (const auto& queries : classes_of(groups.all(), owners, groups.subjects))
    parts.push_back({queries, rows_where(open_pairs(groups, ownership, queries.slice(0, 0, 1))[0][0])});
  return parts;
}

}  // namespace conceptd::diffusion
