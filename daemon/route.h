// Who serves a prompt: the base, a concept's own delta, a consolidated delta, or the sum of own deltas. Decided from
// digests alone, so that nothing that was rolled back can be reached: a consolidated delta with a member that is not
// live, or is live in another version, is out at once, whatever it knows of the others.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/digest.h"

namespace conceptd::daemon {

using Manifest = std::map<std::string, Digest>;  // concept -> digest of the delta

struct Route {
  enum class Way { base, own, consolidated, sum } way = Way::base;
  std::size_t which = 0;  // of the consolidated ones
  bool operator==(const Route&) const = default;
};

// Was every member of `made` made from what is live?
bool is_untainted(const Manifest& made, const Manifest& live);

// named: what the prompt names, each once, with the delta that it asks for. made: what there is, the newest first, all
// of which passed their gate. One concept alone is always its own delta's: nothing is forgotten there.
Route route(const Manifest& named, const Manifest& live, std::span<const Manifest> made);

}  // namespace conceptd::daemon
