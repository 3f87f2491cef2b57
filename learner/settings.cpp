#include "learner/settings.h"

#include <spdlog/fmt/fmt.h>

#include "core/error.h"

namespace conceptd::learner {

SettingsReader::SettingsReader(const nlohmann::json& settings, std::string method)
    : settings_(settings), method_(std::move(method)) {
  if (!settings_.is_object() && !settings_.is_null())
    throw Error(Code::invalid, "settings must be an object", "settings");
}

const nlohmann::json* SettingsReader::find(const char* name) {
  known_.insert(name);
  if (!settings_.is_object()) return nullptr;
  const auto it = settings_.find(name);
  return it == settings_.end() || it->is_null() ? nullptr : &*it;
}

void SettingsReader::whole(const char* name, int64_t& value, int64_t min, int64_t max) {
  const auto* found = find(name);
  if (!found) return;
  if (!found->is_number_integer() || found->get<int64_t>() < min || found->get<int64_t>() > max) {
    throw Error(Code::invalid, fmt::format("'{}' of {} must be a whole number from {} to {}", name, method_, min, max),
                fmt::format("settings.{}", name));
  }
  value = found->get<int64_t>();
}

void SettingsReader::number(const char* name, double& value, double min, double max) {
  const auto* found = find(name);
  if (!found) return;
  if (!found->is_number() || !(found->get<double>() >= min && found->get<double>() <= max)) {
    throw Error(Code::invalid, fmt::format("'{}' of {} must be a number from {} to {}", name, method_, min, max),
                fmt::format("settings.{}", name));
  }
  value = found->get<double>();
}

void SettingsReader::finish() const {
  if (!settings_.is_object()) return;
  for (const auto& [name, value] : settings_.items()) {
    if (known_.contains(name)) continue;
    std::string all;
    for (const auto& one : known_) all += (all.empty() ? "" : ", ") + one;
    throw Error(Code::invalid, fmt::format("{} has no setting '{}'; it has {}", method_, name, all),
                "settings." + name);
  }
}

}  // namespace conceptd::learner
