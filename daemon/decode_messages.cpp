#include "daemon/decode_messages.h"

#include <algorithm>

#include "core/error.h"
#include "core/json.h"

namespace conceptd::daemon {
namespace {

using picture::Format;
using picture::Limits;
using picture::PhotoFacts;

constexpr std::size_t kMessageBytesMax = 500;

Error nonsense(const std::string& why) {
  return Error(Code::corrupt, "a message of the process that decodes photos does not add up: " + why);
}

Json parsed(std::string_view bytes) {
  if (bytes.size() > kDecodeAnswerBytesMax) throw nonsense("it is too long");
  try {
    Json json = parse_json(bytes, "the message", 2);
    if (json.is_object()) return json;
  } catch (const Error& error) {
    throw nonsense(error.what());
  }
  throw nonsense("it is no object");
}

double number(const Json& json, const char* name, double min, double max) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_number()) throw nonsense(std::string(name) + " is not a number");
  const double value = found->get<double>();
  if (!(value >= min && value <= max)) throw nonsense(std::string(name) + " is out of range");
  return value;
}

Format format_from(const Json& json) {
  for (const Format format : {Format::png, Format::jpeg, Format::webp})
    if (json.value("format", Json()) == std::string(to_string(format))) return format;
  throw nonsense("format is none");
}

PhotoFacts facts_from(const Json& json, const Limits& limits) {
  const double side_max = limits.side_max;
  PhotoFacts facts{.info = {.format = format_from(json),
                            .width = static_cast<int>(number(json, "width", limits.side_min, side_max)),
                            .height = static_cast<int>(number(json, "height", limits.side_min, side_max))},
                   .brightness = number(json, "brightness", 0, 255),
                   .contrast = number(json, "contrast", 0, 128)};
  const Json position = json.value("has_position", Json()), outline = json.value("outline", Json());
  if (!position.is_boolean() || !outline.is_number_unsigned()) throw nonsense("has_position or outline is missing");
  facts.has_position = position.get<bool>();
  facts.outline = outline.get<std::uint64_t>();
  return facts;
}

}  // namespace

std::string pack(const Limits& limits) {
  return Json{{"side_min", limits.side_min}, {"side_max", limits.side_max}, {"pixels_max", limits.pixels_max}}.dump();
}

Limits unpack_limits(std::string_view bytes) {
  const Json json = parsed(bytes);
  return {.side_min = static_cast<int>(number(json, "side_min", 1, 1 << 20)),
          .side_max = static_cast<int>(number(json, "side_max", 1, 1 << 20)),
          .pixels_max = static_cast<std::int64_t>(number(json, "pixels_max", 1, 1e12))};
}

std::string pack(const DecodeAnswer& answer) {
  if (const auto* refused = std::get_if<PhotoRefused>(&answer))
    return Json{{"refused", refused->message.substr(0, kMessageBytesMax)}}.dump(-1, ' ', true,
                                                                                Json::error_handler_t::replace);
  const auto& facts = std::get<PhotoFacts>(answer);
  return Json{{"format", to_string(facts.info.format)},
              {"width", facts.info.width},
              {"height", facts.info.height},
              {"has_position", facts.has_position},
              {"brightness", facts.brightness},
              {"contrast", facts.contrast},
              {"outline", facts.outline}}
      .dump();
}

DecodeAnswer unpack_decode_answer(std::string_view bytes, const Limits& limits) {
  const Json json = parsed(bytes);
  const auto refused = json.find("refused");
  if (refused == json.end()) return facts_from(json, limits);
  if (!refused->is_string()) throw nonsense("refused is no text");
  std::string message = refused->get<std::string>();
  std::replace_if(
      message.begin(), message.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return PhotoRefused{std::move(message)};
}

}  // namespace conceptd::daemon
