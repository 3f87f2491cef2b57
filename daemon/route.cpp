#include "daemon/route.h"

#include <algorithm>

namespace conceptd::daemon {

namespace {
bool holds(const Manifest& whole, const Manifest& part) {
  return std::all_of(part.begin(), part.end(), [&](const auto& entry) {
    const auto found = whole.find(entry.first);
    return found != whole.end() && found->second == entry.second;
  });
}
}  // namespace

bool is_untainted(const Manifest& made, const Manifest& live) { return holds(live, made); }

Route route(const Manifest& named, const Manifest& live, std::span<const Manifest> made) {
  if (named.empty()) return {};
  if (named.size() == 1) return {.way = Route::Way::own};
  for (std::size_t k = 0; k < made.size(); ++k) {
    if (holds(made[k], named) && is_untainted(made[k], live)) return {.way = Route::Way::consolidated, .which = k};
  }
  return {.way = Route::Way::sum};
}

}  // namespace conceptd::daemon
