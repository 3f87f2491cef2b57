#include "core/safetensors_header.h"

#include <algorithm>

#include "core/error.h"
#include "core/json.h"

namespace conceptd {
namespace {

constexpr std::uint64_t kHeaderBytesMax = 16u << 20;
constexpr std::size_t kRankMax = 8;

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (int k = 7; k >= 0; --k) value = value << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(k)]);
  return value;
}

// One header entry and the range of data it claims.
struct Claim {
  std::string name;
  std::uint64_t begin, end;
};

class EntryReader {
 public:
  EntryReader(const std::string& what, const std::string& name, const Json& json)
      : what_(what), name_(name), json_(json) {
    if (!json.is_object()) throw refuse("is not described by an object");
  }

  SafetensorsHeader::Entry read(std::string_view data, Claim& claim) const {
    SafetensorsHeader::Entry entry;
    entry.dtype = dtype();
    const auto size = entry.dtype.bytes;
    const auto bytes = shape_bytes(size, entry.shape);
    const auto& range = field("data_offsets");
    if (!range.is_array() || range.size() != 2 || !range[0].is_number_unsigned() || !range[1].is_number_unsigned()) {
      throw refuse("has data_offsets that are not two whole numbers");
    }
    const auto begin = range[0].get<std::uint64_t>(), end = range[1].get<std::uint64_t>();
    if (begin > end || end > data.size()) throw refuse("has data_offsets beyond the end of the data");
    if (end - begin != bytes) {
      throw refuse("has " + std::to_string(end - begin) + " bytes where its dtype and shape need " +
                   std::to_string(bytes));
    }
    if (begin % size != 0) throw refuse("starts at an offset that its dtype cannot be aligned to");
    entry.bytes = data.substr(begin, bytes);
    if (entry.dtype.name == "BOOL" && entry.bytes.find_first_not_of(std::string_view("\0\1", 2)) != entry.bytes.npos) {
      throw refuse("is BOOL and has a byte that is neither 0 nor 1");
    }
    claim = {name_, begin, end};
    return entry;
  }

 private:
  Error refuse(const std::string& why) const {
    return Error(Code::corrupt, what_ + ": tensor " + shown_tensor_name(name_) + " " + why);
  }
  const Json& field(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) throw refuse(std::string("has no ") + key);
    return *found;
  }
  const SafetensorsDtype& dtype() const {
    const auto& name = field("dtype");
    for (const auto& known : kSafetensorsDtypes) {
      if (name.is_string() && name.get_ref<const std::string&>() == known.name) return known;
    }
    throw refuse("has a dtype that is not supported: " +
                 shown_tensor_name(name.is_string() ? name.get<std::string>() : "?"));
  }
  std::uint64_t shape_bytes(std::uint64_t element_size, std::vector<std::int64_t>& shape) const {
    const auto& sizes = field("shape");
    if (!sizes.is_array() || sizes.size() > kRankMax) {
      throw refuse("has a shape that is not a list of at most " + std::to_string(kRankMax) + " sizes");
    }
    bool overflow = false;
    std::uint64_t bytes = element_size;
    for (const auto& size : sizes) {
      if (!size.is_number_unsigned()) throw refuse("has a shape with an entry that is not a whole number");
      const auto n = size.get<std::uint64_t>();
      overflow |= n > static_cast<std::uint64_t>(INT64_MAX) || __builtin_mul_overflow(bytes, n, &bytes);
      shape.push_back(static_cast<std::int64_t>(n));
    }
    if (overflow || bytes > static_cast<std::uint64_t>(INT64_MAX)) throw refuse("has a shape that overflows");
    return bytes;
  }
  const std::string& what_;
  const std::string& name_;
  const Json& json_;
};

std::map<std::string, std::string> read_metadata(const std::string& what, const Json& json) {
  if (!json.is_object()) throw Error(Code::corrupt, what + ": __metadata__ is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string())
      throw Error(Code::corrupt, what + ": __metadata__ " + shown_tensor_name(key) + " is not a string");
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

}  // namespace

std::string shown_tensor_name(const std::string& name) {
  return Json(name.substr(0, 200)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

SafetensorsHeader SafetensorsHeader::read(std::string_view document, const std::string& what) {
  if (document.size() < 8) throw Error(Code::corrupt, what + ": too short to be a safetensors file");
  const auto header_bytes = little_endian(document);
  if (header_bytes > kHeaderBytesMax) {
    throw Error(Code::corrupt, what + ": claims a header of " + std::to_string(header_bytes) + " bytes; the limit is " +
                                   std::to_string(kHeaderBytesMax));
  }
  if (header_bytes > document.size() - 8) throw Error(Code::corrupt, what + ": the header is longer than the file");
  const auto header = document.substr(8, header_bytes), data = document.substr(8 + header_bytes);
  SafetensorsHeader out;
  Json json;
  try {
    json = parse_json(header, what + ": header", 3);
  } catch (const Error& e) {
    throw Error(Code::corrupt, e.what());
  }
  if (!json.is_object() || header[0] != '{') throw Error(Code::corrupt, what + ": the header is not a JSON object");
  std::vector<Claim> claims;
  for (const auto& [name, value] : json.items()) {
    if (name == kSafetensorsMetadata) {
      out.metadata = read_metadata(what, value);
    } else {
      out.entries.emplace(name, EntryReader(what, name, value).read(data, claims.emplace_back()));
    }
  }
  std::sort(claims.begin(), claims.end(),
            [](const Claim& a, const Claim& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t end = 0;
  for (const auto& claim : claims) {
    if (claim.begin != end) {
      throw Error(Code::corrupt, what + ": tensor " + shown_tensor_name(claim.name) +
                                     (claim.begin < end ? " overlaps the one before it" : " leaves a hole before it"));
    }
    end = claim.end;
  }
  if (end != data.size()) {
    throw Error(Code::corrupt, what + ": " + std::to_string(data.size() - end) + " bytes after the last tensor" +
                                   (claims.empty() ? "" : ", " + shown_tensor_name(claims.back().name)));
  }
  return out;
}

}  // namespace conceptd
