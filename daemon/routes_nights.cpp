// Nights: held, listed, looked at, reported.
#include <algorithm>

#include "daemon/api/wire.h"
#include "daemon/night_report.h"
#include "daemon/nights.h"
#include "daemon/routes.h"
#include "daemon/to_api.h"

namespace conceptd::daemon {
namespace {

constexpr int kListedMax = 1000;

// "last", a date, or a number.
registry::Night night_named(const Services& services, const std::string& id) {
  registry::NightStore& nights = services.registry.nights();
  if (id == "last") {
    const auto newest = nights.list(1);
    if (newest.empty()) throw Error(Code::not_found, "no night was held yet; conceptctl nightly holds one", "night");
    return newest.front();
  }
  if (id.size() == 10 && id[4] == '-') {
    const auto night = nights.of_date(id);
    if (!night) throw Error(Code::not_found, "no night began on " + id.substr(0, 10), "night");
    return *night;
  }
  return nights.get(number_of(id, "night"));
}

}  // namespace

HttpResponse list_nights(const Services& services, const HttpRequest& request) {
  int limit = 30;
  for (const auto& [key, value] : request.query) {
    if (key != "limit") throw Error(Code::invalid, "nights can be chosen by limit, not by '" + key + "'", key);
    limit = static_cast<int>(std::min<std::int64_t>(number_of(value, "limit"), kListedMax));
  }
  api::NightList list;
  for (const registry::Night& night : services.registry.nights().list(limit)) list.nights.push_back(to_api(night));
  return json_response(api::encode(list));
}

HttpResponse hold_night(const Services& services, const HttpRequest& request) {
  const auto wanted = api::decode_request<api::HoldNight>(body_of(request));
  const Nights::Held held = services.nights.hold(wanted.until, request.actor);
  return json_response(api::encode(api::NightAnswer{.night = to_api(held.night), .joined = held.joined}), 202);
}

HttpResponse show_night(const Services& services, const std::string& id) {
  return json_response(api::encode(api::NightAnswer{.night = to_api(night_named(services, id))}));
}

HttpResponse report_night(const Services& services, const std::string& id) {
  return json_response(night_report(services.registry, night_named(services, id)));
}

std::optional<api::WindowInfo> window_now(const Services& services) {
  const auto& window = services.nights.window();
  if (!window) return std::nullopt;
  const TimePoint now = services.clock.now();
  const auto open = window->at(now);
  const Window shown = open ? *open : window->next(now);
  return api::WindowInfo{.zone = window->zone().name(),
                         .open = open.has_value(),
                         .begins_at = to_iso8601(shown.begin),
                         .ends_at = to_iso8601(shown.end),
                         .learning_waits_for_it = services.nights.learning_waits()};
}

}  // namespace conceptd::daemon
