#include "core/json.h"

#include <set>
#include <vector>

#include "core/error.h"

namespace conceptd {

Json parse_json(std::string_view text, std::string_view what, std::size_t depth_max) {
  std::vector<std::set<std::string>> names;  // of the objects that are open
  const auto refuse = [&](const std::string& why) { return Error(Code::invalid, std::string(what) + ": " + why); };
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    const bool opens = event == Event::object_start || event == Event::array_start;
    if (opens && static_cast<std::size_t>(depth) >= depth_max)
      throw refuse("nested deeper than " + std::to_string(depth_max));
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end) names.pop_back();
    if (event == Event::key && !names.back().insert(value.get_ref<const std::string&>()).second)
      throw refuse("the name '" + value.get<std::string>() + "' appears twice in one object");
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception& e) {
    throw refuse(std::string("not valid JSON: ") + e.what());
  }
}

}  // namespace conceptd
