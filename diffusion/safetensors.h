// The safetensors container as tensors. Files come from anywhere, so nothing in them is believed: whatever does not add
// up is Error{corrupt} (core/safetensors_header.h). Accepted: every dtype torch 1.13 has, of BOOL U8 I8 I16 I32 I64 F16
// BF16 F32 F64.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::diffusion {

using TensorMap = std::map<std::string, Tensor>;
using StringMap = std::map<std::string, std::string>;

class SafetensorsFile {
 public:
  struct Entry {
    torch::ScalarType dtype = torch::kFloat;
    std::vector<int64_t> shape;
    std::string_view bytes;  // inside the file's memory
  };

  // Maps the file; pages are shared by every process that opens it. A missing file is Error{not_found}. Replace such a
  // file by renaming another over it, never in place: who has it mapped would see the change, or its end.
  static SafetensorsFile open(const std::filesystem::path& path);
  // The same document in memory (a delta's bytes); `what` names it in messages.
  static SafetensorsFile parse(std::string bytes, const std::string& what);

  std::vector<std::string> names() const;  // sorted
  bool contains(const std::string& name) const { return entries_.contains(name); }
  const Entry& entry(
      const std::string& name) const;            // Error{corrupt} naming the file and the tensor if it is not there
  Tensor tensor(const std::string& name) const;  // its own copy
  Tensor view(const std::string& name) const;  // the mapped bytes, alive as long as the tensor; read only by agreement
  TensorMap tensors() const;                   // a copy of all
  const StringMap& metadata() const { return metadata_; }
  const std::string& what() const { return what_; }

 private:
  SafetensorsFile(std::shared_ptr<const void> owner, std::string_view bytes, std::string what);
  std::shared_ptr<const void> owner_;  // keeps the bytes alive
  std::string what_;
  std::map<std::string, Entry> entries_;
  StringMap metadata_;
};

TensorMap load_safetensors(const std::filesystem::path& path);

// The same tensors and metadata always give the same bytes: data ordered by element size, largest first, then by name;
// the header padded with spaces to 8 bytes. Tensors are written from the CPU, contiguous. Error{invalid} on a dtype or
// name that the container cannot hold.
std::string safetensors_bytes(const TensorMap& tensors, const StringMap& metadata = {});
void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors, const StringMap& metadata = {});

}  // namespace conceptd::diffusion
