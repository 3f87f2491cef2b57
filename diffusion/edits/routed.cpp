#include "diffusion/edits/routed.h"

#include "core/error.h"
#include "diffusion/edits/apply_edits.h"

namespace conceptd::diffusion {

namespace {

enum class Reads { text, picture_stream, everything, modulations };

// Which tokens a layer reads, by its checkpoint prefix.
Reads reads_at(const std::string& path) {
  if (path.ends_with(".norm1.linear") || path.ends_with(".norm.linear") || path == "norm_out.linear")
    return Reads::modulations;
  if (path.starts_with("single_transformer_blocks.")) return Reads::everything;
  const bool joint = path.starts_with("transformer_blocks.");
  const bool own = path.find(".attn.to_q") != path.npos || path.find(".attn.to_k") != path.npos ||
                   path.find(".attn.to_v") != path.npos || path.find(".attn.to_out.") != path.npos ||
                   path.find(".ff.") != path.npos;
  if ((joint && own) || path == "x_embedder" || path == "proj_out") return Reads::picture_stream;
  return Reads::text;  // or of no token: time_text_embed
}

void check_edits(const Routed::Edits& edits) {
  if (!edits) return;
  for (const auto& [path, site] : edits->sites) {
    if (!site.rank_one.empty() || !site.residual.empty())
      throw Error(Code::invalid, "only low-rank edits can be chosen by token groups, at " + path, "edits");
    if (reads_at(path) == Reads::text)
      throw Error(Code::invalid, path + " reads text alone, which keeps the frozen answer", "edits");
  }
}

const std::vector<LowRank>& at_site(const Routed::Edits& edits, const std::string& path) {
  static const std::vector<LowRank> g_none;
  if (!edits) return g_none;
  const auto found = edits->sites.find(path);
  return found == edits->sites.end() ? g_none : found->second.low_rank;
}

}  // namespace

Routed::Routed(TokenGroups groups, Routing routing, Edits picture, Edits references)
    : groups_(std::move(groups)),
      routing_(std::move(routing)),
      picture_(std::move(picture)),
      references_(std::move(references)),
      static_parts_(mask_parts(groups_, {})) {
  check_routing(routing_, groups_);
  check_edits(picture_);
  check_edits(references_);
}

void Routed::begin_step(int64_t index, int64_t steps) {
  gated_ = static_cast<double>(index) >= routing_.ungated * static_cast<double>(steps);
  shared_ = Tensor();
  owners_.clear();
}

Tensor Routed::linear(AdaptedLinearImpl& base, const Tensor& x) {
  auto y = base.plain(x);
  const auto &picture = at_site(picture_, base.site.path), &references = at_site(references_, base.site.path);
  if (picture.empty() && references.empty()) return y;
  const auto reads = reads_at(base.site.path);
  const auto n = groups_.picture_tokens().size(0), all = x.size(1);
  int64_t from = reads == Reads::everything ? groups_.text.size(0) : 0, middle = from + n, to = all;
  if (reads == Reads::modulations) {
    if (all != kModulations) throw Error(Code::internal, "tokens must be modulated by their groups");
    from = kOfPicture, middle = kOfCaptions;
  }
  const auto branch = [&](const std::vector<LowRank>& edits, int64_t first, int64_t last) {
    const auto frozen = y.slice(1, first, last);
    return edits.empty() || first == last ? frozen : apply_edits(edits, x.slice(1, first, last), frozen);
  };
  if (reads == Reads::modulations) {
    return torch::cat({y.slice(1, 0, from), branch(picture, from, middle), y.slice(1, middle, kOfReferences),
                       branch(references, kOfReferences, to)},
                      1);
  }
  return torch::cat({y.slice(1, 0, from), branch(picture, from, middle), branch(references, middle, to)}, 1);
}

Ownership Routed::ownership_at(const std::string& site, const Attend& attend) {
  const auto rows = attend.query.size(0);
  Ownership ownership;
  switch (routing_.source) {
    case GateSource::given:
      ownership.owner = routing_.given.expand({rows, -1});
      break;
    case GateSource::halves:
      ownership.owner = owners_by_halves(rows, routing_);
      break;
    case GateSource::model:
      if (routing_.scope == GateScope::shared) {
        if (site == routing_.shared_site) shared_ = owners_of(gate_scores(attend, groups_, routing_), routing_);
        if (!shared_.defined()) return {};
        ownership.owner = shared_;
      } else {
        ownership.owner = owners_of(gate_scores(attend, groups_, routing_), routing_);
      }
      break;
  }
  owners_[site] = ownership.owner;
  if (routing_.empty == EmptyCell::open) {
    const auto subjects = torch::arange(groups_.subjects).view({1, 1, -1});
    ownership.open = ~(ownership.owner.unsqueeze(2) == subjects).any(1);  // (b, c)
  }
  return ownership;
}

void Routed::route(const Site& site, Attend& attend) {
  const auto s = groups_.text.size(0) + groups_.image.size(0);
  if (attend.query.size(2) != s || attend.key.size(2) != s)
    throw Error(Code::internal, "the tokens at " + site.path + " are not those of the groups");
  if (!routing_.masks || groups_.subjects == 0) return;
  const bool dynamic = routing_.dynamic && gated_;
  const auto ownership = dynamic ? ownership_at(site.path, attend) : Ownership{};
  if (!ownership.owner.defined()) {
    attend.parts = static_parts_;
  } else if (attend.query.size(0) == 1) {
    attend.parts = mask_parts(groups_, ownership);
  } else {
    attend.bias = mask_bias(groups_, ownership);
  }
}

}  // namespace conceptd::diffusion
