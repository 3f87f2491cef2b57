#include "diffusion/config_reader.h"

namespace conceptd::diffusion {

namespace {
std::string shown(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 100);
}
}  // namespace

ConfigReader::ConfigReader(const Json& json, std::string what) : json_(json), what_(std::move(what)) {
  if (!json.is_object()) throw Error(Code::invalid, what_ + ": not a JSON object");
}

Error ConfigReader::refuse(const std::string& key, const std::string& why) const {
  return Error(Code::invalid, what_ + ": '" + key + "' " + why, key);
}

bool ConfigReader::has(const char* key) {
  seen_.insert(key);
  const auto found = json_.find(key);
  return found != json_.end() && !found->is_null();
}

const Json& ConfigReader::at(const char* key) {
  if (!has(key)) throw refuse(key, "is missing");
  return json_.at(key);
}

int64_t ConfigReader::whole(const std::string& key, const Json& value, int64_t min, int64_t max) const {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= static_cast<std::uint64_t>(max)) &&
                    value.get<int64_t>() >= min && value.get<int64_t>() <= max;
  if (!fits) {
    throw refuse(key, "is " + shown(value) + "; a whole number from " + std::to_string(min) + " to " +
                          std::to_string(max) + " is supported");
  }
  return value.get<int64_t>();
}

int64_t ConfigReader::integer(const char* key, int64_t min, int64_t max) { return whole(key, at(key), min, max); }

int64_t ConfigReader::integer(const char* key, int64_t min, int64_t max, int64_t otherwise) {
  return has(key) ? integer(key, min, max) : otherwise;
}

double ConfigReader::number(const char* key, double min, double max, double otherwise) {
  if (!has(key)) return otherwise;
  const auto& value = at(key);
  if (!value.is_number() || !(value.get<double>() >= min && value.get<double>() <= max)) {
    throw refuse(key, "is " + shown(value) + "; a number from " + std::to_string(min) + " to " + std::to_string(max) +
                          " is supported");
  }
  return value.get<double>();
}

bool ConfigReader::boolean(const char* key, bool otherwise) {
  if (!has(key)) return otherwise;
  if (!at(key).is_boolean()) throw refuse(key, "is neither true nor false");
  return at(key).get<bool>();
}

std::string ConfigReader::text(const char* key, const std::string& otherwise) {
  if (!has(key)) return otherwise;
  if (!at(key).is_string()) throw refuse(key, "is not a string");
  return at(key).get<std::string>();
}

std::vector<std::string> ConfigReader::texts(const char* key) {
  std::vector<std::string> all;
  if (!at(key).is_array()) throw refuse(key, "is not a list");
  for (const auto& value : at(key)) {
    if (!value.is_string()) throw refuse(key, "holds something that is not a string");
    all.push_back(value.get<std::string>());
  }
  return all;
}

std::vector<int64_t> ConfigReader::integers(const char* key, int64_t min, int64_t max) {
  std::vector<int64_t> all;
  if (!at(key).is_array()) throw refuse(key, "is not a list");
  for (const auto& value : at(key)) all.push_back(whole(key, value, min, max));
  return all;
}

std::vector<int64_t> ConfigReader::per_level(const char* key, std::size_t count, int64_t min, int64_t max) {
  if (!at(key).is_array()) return std::vector<int64_t>(count, integer(key, min, max));
  auto all = integers(key, min, max);
  if (all.size() != count) throw refuse(key, "does not have one entry a level");
  return all;
}

void ConfigReader::expect(const char* key, const Json& only) {
  if (has(key) && at(key) != only) {
    throw refuse(key, "is " + shown(at(key)) + "; only " + shown(only) + " is supported");
  }
}

void ConfigReader::ignore(std::initializer_list<const char*> keys) { seen_.insert(keys.begin(), keys.end()); }

void ConfigReader::finish() const {
  for (const auto& [key, value] : json_.items()) {
    if (key.starts_with("_") || value.is_null() || seen_.contains(key)) continue;
    throw refuse(key, "is not known here, so its effect would be lost");
  }
}

}  // namespace conceptd::diffusion
