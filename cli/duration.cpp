#include "cli/duration.h"

#include <charconv>
#include <cmath>

#include "core/error.h"

namespace conceptd::cli {

double Duration::seconds() const {
  const double scale = unit == 'd' ? 86'400 : unit == 'h' ? 3600 : unit == 'm' ? 60 : 1;
  return number * scale;
}

std::optional<Duration> parse_duration(std::string_view text) {
  Duration duration;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), duration.number, std::chars_format::fixed);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error != std::errc() || !std::isfinite(duration.number) || duration.number < 0) return std::nullopt;
  if (unit.size() > 1 || (!unit.empty() && std::string_view("smhd").find(unit[0]) == std::string_view::npos))
    return std::nullopt;
  duration.unit = unit.empty() ? char{0} : unit[0];
  duration.is_whole = text.find('.') == std::string_view::npos;
  return duration;
}

double seconds_in(const std::string& text, const std::string& field) {
  const auto duration = parse_duration(text);
  if (!duration || !(duration->number > 0))
    throw Error(Code::invalid, "'" + text + "' is no duration; write 90s, 45m, 8h or 2d", field);
  return duration->seconds();
}

}  // namespace conceptd::cli
