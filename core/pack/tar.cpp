#include "core/pack/tar.h"

#include <algorithm>
#include <cassert>
#include <cstdio>

#include "core/error.h"

namespace conceptd::pack {
namespace {

constexpr std::size_t kBlock = 512, kNameSize = 100, kSizeAt = 124, kSizeDigits = 11, kChecksumAt = 148, kTypeAt = 156;
[[maybe_unused]] constexpr std::uint64_t kSizeMax = (std::uint64_t{1} << 33) - 1;  // eleven octal digits

Error broken(const std::string& what) { return Error(Code::invalid, "this is no pack: " + what, "pack"); }

std::string octal(std::uint64_t number, int digits) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(number));
  return text;
}

std::string header_of(std::string_view name, std::uint64_t size) {
  std::string header(kBlock, '\0');
  const auto put = [&](std::size_t at, std::string_view text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, octal(0644, 7));  // mode
  put(108, octal(0, 7));     // user and group
  put(116, octal(0, 7));
  put(kSizeAt, octal(size, kSizeDigits));
  put(136, octal(0, 11));  // time
  put(kChecksumAt, "        ");
  header[kTypeAt] = '0';
  put(257, std::string_view("ustar\00000", 8));
  put(329, octal(0, 7));  // device
  put(337, octal(0, 7));
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  put(kChecksumAt, octal(sum, 6) + std::string("\0 ", 2));
  return header;
}

std::string kind_of(char type) {
  switch (type) {
    case '1':
      return "a hard link";
    case '2':
      return "a symbolic link";
    case '3':
    case '4':
      return "a device";
    case '5':
      return "a folder";
    case '6':
      return "a FIFO";
    default:
      return "no plain file";
  }
}

std::string shown(std::string_view name) {
  std::string text;
  for (const char c : name) text += c >= ' ' && c <= '~' ? c : '?';
  return "'" + text + "'";
}

std::uint64_t size_of(std::string_view header, const std::string& name) {
  std::uint64_t size = 0;
  for (const char c : header.substr(kSizeAt, kSizeDigits)) {
    if (c < '0' || c > '7') throw broken("the size of " + name + " is no number");
    size = size * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return size;
}

bool is_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

std::size_t padding_of(std::size_t size) { return (kBlock - size % kBlock) % kBlock; }

}  // namespace

std::string_view TarReader::take(std::size_t size, const std::string& of_what) {
  if (tar_.size() < size) throw broken("it ends in the middle of " + of_what + "; was it copied whole?");
  const std::string_view taken = tar_.substr(0, size);
  tar_.remove_prefix(size);
  return taken;
}

void TarReader::check_end() {
  if (!is_zero(take(kBlock, "its last block"))) throw broken("a block of zeros stands in the middle of it");
  if (!tar_.empty()) throw broken("there are bytes behind its end");
}

std::optional<TarEntry> TarReader::next() {
  const std::string_view header = take(kBlock, "a header");
  if (is_zero(header)) {
    check_end();
    return std::nullopt;
  }
  const std::string name(header.substr(0, std::min(header.find('\0'), kNameSize)));
  const char type = header[kTypeAt];
  if (type != '0') throw broken(shown(name) + " is " + kind_of(type) + ", and a pack has plain files only");
  if (name.empty() || name.size() > kTarNameMax) throw broken("an entry has no name, or one that is too long");
  const std::uint64_t size = size_of(header, shown(name));
  if (header != header_of(name, size)) throw broken("the header of " + shown(name) + " is not as packs have it");
  if (size > tar_.size())
    throw broken(shown(name) + " would have " + std::to_string(size) + " bytes, and only " +
                 std::to_string(tar_.size()) + " are left; was it copied whole?");
  const std::string_view bytes = take(static_cast<std::size_t>(size), shown(name));
  if (!is_zero(take(padding_of(bytes.size()), shown(name)))) throw broken("something is hidden behind " + shown(name));
  return TarEntry{.name = name, .bytes = bytes};
}

void TarWriter::add(std::string_view name, std::string_view bytes) {
  assert(!name.empty() && name.size() <= kTarNameMax && bytes.size() <= kSizeMax);
  tar_ += header_of(name, bytes.size());
  tar_ += bytes;
  tar_.append(padding_of(bytes.size()), '\0');
}

std::string TarWriter::finish() {
  tar_.append(2 * kBlock, '\0');
  return std::move(tar_);
}

}  // namespace conceptd::pack
