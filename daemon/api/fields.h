// How wire.cpp says what a struct's fields are: once, in a function that a writer and a reader both walk through.
// Private to the folder.
#pragma once
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/json.h"
#include "daemon/api/base64.h"
#include "daemon/api/concepts.h"

namespace conceptd::api {

// For numbers: the value. For texts: bytes. For lists and Settings: items. For Bytes: bytes after decoding.
struct Bounds {
  double min = -9e15;
  double max = 9e15;
};

class FieldWriter {
 public:
  template <typename T>
  void operator()(const char* name, const T& value, const Bounds& = {}) {
    json_[name] = to_json(value);
  }
  Json take() { return std::move(json_); }

  template <typename T>
  static Json to_json(const T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string> || std::is_same_v<T, Json>) {
      return value;
    } else if constexpr (std::is_same_v<T, Bytes>) {
      return base64_encode(value.data);
    } else if constexpr (std::is_same_v<T, Settings>) {
      return value.values;
    } else if constexpr (requires { value.has_value(); }) {
      return value ? to_json(*value) : Json(nullptr);
    } else if constexpr (requires { value.capacity(); }) {
      Json array = Json::array();
      for (const auto& item : value) array.push_back(to_json(item));
      return array;
    } else {
      FieldWriter writer;
      fields(writer, const_cast<T&>(value));  // the writer only reads
      return writer.take();
    }
  }

 private:
  Json json_ = Json::object();
};

class FieldReader {
 public:
  FieldReader(const Json& json, std::string path, bool strict) : json_(json), path_(std::move(path)), strict_(strict) {
    if (!json.is_object()) throw Error(Code::invalid, where() + " must be a JSON object", path_);
  }

  template <typename T>
  void operator()(const char* name, T& value, const Bounds& bounds = {}) {
    known_.insert(name);
    const std::string path = path_.empty() ? name : path_ + "." + name;
    const auto found = json_.find(name);
    if (found == json_.end()) {
      if constexpr (!requires { value.has_value(); })
        if (strict_) throw Error(Code::invalid, "the field '" + path + "' is missing", path);
      return;
    }
    read(*found, value, bounds, path);
  }

  void end() const {
    if (!strict_) return;
    for (const auto& [name, ignored] : json_.items()) {
      if (known_.contains(name)) continue;
      std::string list;
      for (const std::string& known : known_) list += (list.empty() ? "" : ", ") + known;
      throw Error(Code::invalid, where() + " has no field '" + printable(name) + "'; it has " + list,
                  path_.empty() ? printable(name) : path_ + "." + printable(name));
    }
  }

 private:
  std::string where() const { return path_.empty() ? "the request" : "'" + path_ + "'"; }
  static std::string printable(const std::string& text) {
    std::string shown;
    for (const char c : text.substr(0, 64)) shown += c >= ' ' && c <= '~' ? c : '?';
    return shown;
  }
  static Error wrong(const std::string& path, const std::string& must) {
    return Error(Code::invalid, "'" + path + "' must be " + must, path);
  }
  static std::string number(double value) {
    std::string text = Json(value == std::floor(value) ? Json(static_cast<std::int64_t>(value)) : Json(value)).dump();
    return text;
  }
  static void check_range(double value, const Bounds& bounds, const std::string& path) {
    if (!(value >= bounds.min && value <= bounds.max))
      throw wrong(path, "between " + number(bounds.min) + " and " + number(bounds.max));
  }

  template <typename T>
  void read(const Json& json, T& value, const Bounds& bounds, const std::string& path) const {
    if constexpr (std::is_same_v<T, Json>) {
      value = json;
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!json.is_boolean()) throw wrong(path, "true or false");
      value = json.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      if (!json.is_number_integer()) throw wrong(path, "a whole number");
      // Compared as what it is, before anything can wrap around.
      const bool fits = json.is_number_unsigned() ? std::in_range<T>(json.get<std::uint64_t>())
                                                  : std::in_range<T>(json.get<std::int64_t>());
      if (strict_) check_range(json.get<double>(), bounds, path);
      if (!fits) throw wrong(path, "a smaller number");
      value = json.get<T>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!json.is_number()) throw wrong(path, "a number");
      value = json.get<T>();
      if (strict_) check_range(value, bounds, path);
    } else if constexpr (std::is_same_v<T, std::string>) {
      read_text(json, value, bounds, path);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      read_bytes(json, value, bounds, path);
    } else if constexpr (std::is_same_v<T, Settings>) {
      read_settings(json, value, bounds, path);
    } else if constexpr (requires { value.has_value(); }) {
      if (json.is_null()) {
        value.reset();
        return;
      }
      read(json, value.emplace(), bounds, path);
    } else if constexpr (requires { value.capacity(); }) {
      if (!json.is_array()) throw wrong(path, "a list");
      if (strict_ && static_cast<double>(json.size()) > bounds.max)
        throw wrong(path, "a list of at most " + number(bounds.max));
      value.clear();
      for (std::size_t i = 0; i < json.size(); ++i)
        read(json[i], value.emplace_back(), Bounds{}, path + "[" + std::to_string(i) + "]");
    } else {
      FieldReader reader(json, path, strict_);
      fields(reader, value);
      reader.end();
    }
  }

  void read_text(const Json& json, std::string& value, const Bounds& bounds, const std::string& path) const {
    if (!json.is_string()) throw wrong(path, "a text");
    value = json.get<std::string>();
    if (!strict_) return;
    const auto size = static_cast<double>(value.size());
    if (size > bounds.max) throw wrong(path, "at most " + number(bounds.max) + " bytes long");
    if (size < bounds.min) throw wrong(path, "a text that is not empty");
    for (const char c : value)
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r')
        throw wrong(path, "free of control characters");
  }

  void read_bytes(const Json& json, Bytes& value, const Bounds& bounds, const std::string& path) const {
    if (!json.is_string()) throw wrong(path, "base64 text");
    const std::string& text = json.get_ref<const std::string&>();
    if (strict_ && static_cast<double>(text.size() / 4 * 3) > bounds.max + 3)
      throw Error(Code::exhausted, "'" + path + "' may hold at most " + number(bounds.max) + " bytes", path);
    std::optional<std::string> bytes = base64_decode(text);
    if (!bytes && text.starts_with("data:"))
      throw wrong(path, "base64 alone, without 'data:' and the media type in front of it");
    if (!bytes) throw wrong(path, "base64 as in RFC 4648, with padding and without line breaks");
    value.data = std::move(*bytes);
  }

  void read_settings(const Json& json, Settings& value, const Bounds& bounds, const std::string& path) const {
    if (!json.is_object()) throw wrong(path, "an object of numbers by name");
    if (strict_ && static_cast<double>(json.size()) > bounds.max)
      throw wrong(path, "an object of at most " + number(bounds.max));
    for (const auto& [name, setting] : json.items())
      if (strict_ && (!setting.is_number() || name.size() > 63)) throw wrong(path + "." + printable(name), "a number");
    value.values = json;
  }

  const Json& json_;
  const std::string path_;
  const bool strict_;
  std::set<std::string> known_;
};

}  // namespace conceptd::api
