#include "diffusion/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/file_io.h"
#include "core/json.h"
#include "core/safetensors_header.h"

namespace conceptd::diffusion {
namespace {

constexpr std::array<torch::ScalarType, kSafetensorsDtypes.size()> kDtypes{
    torch::kBool, torch::kByte, torch::kChar,     torch::kShort, torch::kInt,
    torch::kLong, torch::kHalf, torch::kBFloat16, torch::kFloat, torch::kDouble};  // as kSafetensorsDtypes has them

torch::ScalarType torch_dtype(const SafetensorsDtype& dtype) {
  const auto known = std::find_if(kSafetensorsDtypes.begin(), kSafetensorsDtypes.end(),
                                  [&](const auto& one) { return one.name == dtype.name; });
  return kDtypes.at(static_cast<std::size_t>(known - kSafetensorsDtypes.begin()));
}

class Mapping {
 public:
  explicit Mapping(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      throw Error(errno == ENOENT ? Code::not_found : Code::unavailable,
                  "opening " + path.string() + ": " + std::strerror(errno));
    }
    struct stat info {};
    const bool regular = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    size_ = regular ? static_cast<std::size_t>(info.st_size) : 0;
    // Private and writable: a stray write to a frozen weight copies the page instead of killing the process.
    if (size_ > 0) data_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (!regular) throw Error(Code::invalid, path.string() + " is not a regular file");
    if (data_ == MAP_FAILED) throw Error(Code::unavailable, "mapping " + path.string() + ": " + std::strerror(error));
  }
  ~Mapping() {
    if (size_ > 0 && data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace

SafetensorsFile::SafetensorsFile(std::shared_ptr<const void> owner, std::string_view bytes, std::string what)
    : owner_(std::move(owner)), what_(std::move(what)) {
  auto header = SafetensorsHeader::read(bytes, what_);
  metadata_ = std::move(header.metadata);
  for (auto& [name, entry] : header.entries)
    entries_.emplace(name, Entry{torch_dtype(entry.dtype), std::move(entry.shape), entry.bytes});
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  auto mapping = std::make_shared<Mapping>(path);
  const auto bytes = mapping->bytes();
  return SafetensorsFile(std::move(mapping), bytes, path.string());
}

SafetensorsFile SafetensorsFile::parse(std::string bytes, const std::string& what) {
  auto owner = std::make_shared<std::string>(std::move(bytes));
  const std::string_view view = *owner;
  return SafetensorsFile(std::move(owner), view, what);
}

std::vector<std::string> SafetensorsFile::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

const SafetensorsFile::Entry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw Error(Code::corrupt, what_ + ": there is no tensor " + shown_tensor_name(name));
  return found->second;
}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto& e = entry(name);
  auto copy = torch::empty(e.shape, e.dtype);
  if (!e.bytes.empty()) std::memcpy(copy.data_ptr(), e.bytes.data(), e.bytes.size());
  return copy;
}

Tensor SafetensorsFile::view(const std::string& name) const {
  const auto& e = entry(name);
  const auto address = reinterpret_cast<std::uintptr_t>(e.bytes.data());
  if (e.bytes.empty() || address % torch::elementSize(e.dtype) != 0)
    return tensor(name);  // old writers: unpadded header
  return torch::from_blob(
      const_cast<char*>(e.bytes.data()), e.shape, [owner = owner_](void*) {}, e.dtype);
}

TensorMap SafetensorsFile::tensors() const {
  TensorMap all;
  for (const auto& [name, entry] : entries_) all.emplace(name, tensor(name));
  return all;
}

TensorMap load_safetensors(const std::filesystem::path& path) { return SafetensorsFile::open(path).tensors(); }

std::string safetensors_bytes(const TensorMap& tensors, const StringMap& metadata) {
  std::vector<std::pair<std::string, Tensor>> ordered;
  for (const auto& [name, tensor] : tensors) {
    if (name == kSafetensorsMetadata || !tensor.defined())
      throw Error(Code::invalid, "no tensor may be called " + shown_tensor_name(name));
    ordered.emplace_back(name, tensor.detach().cpu().contiguous());
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kSafetensorsMetadata)] = metadata;
  std::uint64_t end = 0;
  for (const auto& [name, tensor] : ordered) {
    const auto known = std::find(kDtypes.begin(), kDtypes.end(), tensor.scalar_type());
    if (known == kDtypes.end())
      throw Error(Code::invalid, "tensor " + shown_tensor_name(name) + " has a dtype that has no name");
    const auto begin = end;
    end += tensor.nbytes();
    header[name] = {{"dtype", kSafetensorsDtypes.at(static_cast<std::size_t>(known - kDtypes.begin())).name},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& e) {
    throw Error(Code::invalid, std::string("safetensors header: ") + e.what());
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes;
  bytes.reserve(8 + text.size() + end);
  for (int k = 0; k < 8; ++k) bytes.push_back(static_cast<char>(text.size() >> (8 * k) & 0xff));
  bytes += text;
  for (const auto& [name, tensor] : ordered) {
    if (tensor.nbytes() > 0) bytes.append(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
  }
  return bytes;
}

void save_safetensors(const std::filesystem::path& path, const TensorMap& tensors, const StringMap& metadata) {
  write_file_durably(path, safetensors_bytes(tensors, metadata));
}

}  // namespace conceptd::diffusion
