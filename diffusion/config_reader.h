// Reads the config.json of one model component. Configurations come from anywhere: whatever is missing, out of range or
// not supported is Error{invalid} that names the file and the field; a field nobody asked about is one too, unless it
// is null.
#pragma once
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace conceptd::diffusion {

class ConfigReader {
 public:
  ConfigReader(const Json& json, std::string what);

  bool has(const char* key);  // present and not null
  int64_t integer(const char* key, int64_t min, int64_t max);
  int64_t integer(const char* key, int64_t min, int64_t max, int64_t otherwise);
  double number(const char* key, double min, double max, double otherwise);
  bool boolean(const char* key, bool otherwise);
  std::string text(const char* key, const std::string& otherwise);
  std::vector<std::string> texts(const char* key);
  std::vector<int64_t> integers(const char* key, int64_t min, int64_t max);
  // One whole number for all levels, or a list of `count`.
  std::vector<int64_t> per_level(const char* key, std::size_t count, int64_t min, int64_t max);

  // A field of which only this value is supported; absent and null count as this value.
  void expect(const char* key, const Json& only);
  void ignore(std::initializer_list<const char*> keys);  // fields that change nothing here
  void finish() const;                                   // refuses what nobody asked about
  Error refuse(const std::string& key, const std::string& why) const;

 private:
  const Json& at(const char* key);
  int64_t whole(const std::string& key, const Json& value, int64_t min, int64_t max) const;
  const Json& json_;
  std::string what_;
  std::set<std::string> seen_;
};

}  // namespace conceptd::diffusion
