// Reads a method's settings: whatever is unknown, of the wrong type or out of range is Error{invalid} that names it.
#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace conceptd::learner {

class SettingsReader {
 public:
  SettingsReader(const nlohmann::json& settings, std::string method);
  void whole(const char* name, int64_t& value, int64_t min, int64_t max);  // leaves `value` where there is none
  void number(const char* name, double& value, double min, double max);
  void finish() const;  // refuses what nobody asked about

 private:
  const nlohmann::json* find(const char* name);
  const nlohmann::json& settings_;
  const std::string method_;
  std::set<std::string> known_;
};

}  // namespace conceptd::learner
