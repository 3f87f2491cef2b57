// The head of a safetensors container: 8 bytes of header length, a JSON header, raw little-endian data. Read without
// libtorch, so that a fuzzer and the torch-free rooms can. Documents come from anywhere, so nothing in them is
// believed: whatever does not add up is Error{corrupt} that names the document and, where there is one, the tensor.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace conceptd {

struct SafetensorsDtype {
  std::string_view name;
  std::uint64_t bytes = 0;  // of one element
};
inline constexpr std::array<SafetensorsDtype, 10> kSafetensorsDtypes{{{"BOOL", 1},
                                                                      {"U8", 1},
                                                                      {"I8", 1},
                                                                      {"I16", 2},
                                                                      {"I32", 4},
                                                                      {"I64", 8},
                                                                      {"F16", 2},
                                                                      {"BF16", 2},
                                                                      {"F32", 4},
                                                                      {"F64", 8}}};
inline constexpr std::string_view kSafetensorsMetadata = "__metadata__";  // no tensor is called so

struct SafetensorsHeader {
  struct Entry {
    SafetensorsDtype dtype;  // one of the above
    std::vector<std::int64_t> shape;
    std::string_view bytes;  // inside the document; as many as dtype and shape need, aligned to the element from the
                             // data's begin
  };
  std::map<std::string, Entry> entries;
  std::map<std::string, std::string> metadata;

  // The data have neither holes nor overlaps nor bytes after the last tensor. `what` names the document in messages.
  static SafetensorsHeader read(std::string_view document, const std::string& what);
};

// A tensor's name as messages show it: short, and text whatever it was.
std::string shown_tensor_name(const std::string& name);

}  // namespace conceptd
