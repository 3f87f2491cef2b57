#include "cli/photo_files.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/file_io.h"
#include "daemon/api/limits.h"

namespace conceptd::cli {
namespace {

namespace fs = std::filesystem;

bool named_like_a_photo(const fs::path& path) {
  std::string suffix = path.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  return suffix == ".png" || suffix == ".jpg" || suffix == ".jpeg" || suffix == ".webp";
}

std::vector<fs::path> files_of(const std::vector<std::string>& paths) {
  std::vector<fs::path> files;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) {
      files.emplace_back(path);
      continue;
    }
    std::vector<fs::path> inside;
    for (const fs::directory_entry& entry : fs::directory_iterator(path))
      if (entry.is_regular_file() && named_like_a_photo(entry.path())) inside.push_back(entry.path());
    if (inside.empty()) throw Error(Code::not_found, "there is no PNG, JPEG or WebP in the folder " + path, "photos");
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

}  // namespace

std::vector<PhotoFile> read_photos(const std::vector<std::string>& paths) {
  const std::vector<fs::path> files = files_of(paths);
  if (files.size() > api::kPhotosMax)
    throw Error(
        Code::invalid,
        std::to_string(files.size()) + " photos are too many; choose the best " + std::to_string(api::kPhotosMax),
        "photos");
  std::vector<PhotoFile> photos;
  for (std::size_t i = 0; i < files.size(); ++i) {
    try {
      PhotoFile photo{.path = files[i].string(), .bytes = read_file(files[i], api::kPhotoBytesMax)};
      photo.info = picture::inspect(photo.bytes);
      photos.push_back(std::move(photo));
    } catch (const Error& error) {
      throw Error(error.code(), files[i].string() + ": " + error.what(), "photos[" + std::to_string(i) + "]");
    }
  }
  return photos;
}

}  // namespace conceptd::cli
