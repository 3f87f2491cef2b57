// The photos named on a command line: files, or folders whose pictures are meant. Read, and looked at as far as their
// size, before anything is sent.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/picture/picture.h"

namespace conceptd::cli {

struct PhotoFile {
  std::string path{};
  std::string bytes{};
  picture::Info info{};
};

// Error{invalid} or Error{not_found} with the field "photos[i]" and the file's name; Error{exhausted} if they are
// together more than a request holds.
std::vector<PhotoFile> read_photos(const std::vector<std::string>& paths);

}  // namespace conceptd::cli
