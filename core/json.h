// JSON from outside: parsed with a depth limit and without duplicate names, so that neither a nesting bomb nor a
// document that two readers understand differently gets any further than this door.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace conceptd {

using Json = nlohmann::json;  // its objects are sorted by name, so dump() is canonical

// Error{invalid} saying what `what` was and where it stops being JSON.
Json parse_json(std::string_view text, std::string_view what, std::size_t depth_max = 32);

}  // namespace conceptd
