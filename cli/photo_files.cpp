#include "cli/photo_files.h"

#include <algorithm>
#include <filesystem>

#include "cli/text.h"
#include "cli/user_files.h"
#include "core/error.h"
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
    try {
      for (const fs::directory_entry& entry : fs::directory_iterator(path))
        if (entry.is_regular_file() && named_like_a_photo(entry.path())) inside.push_back(entry.path());
    } catch (const fs::filesystem_error& error) {
      throw Error(Code::invalid, "cannot look into the folder " + path + ": " + error.code().message(), "photos");
    }
    if (inside.empty()) throw Error(Code::not_found, "there is no PNG, JPEG or WebP in the folder " + path, "photos");
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

Error too_large(const std::vector<fs::path>& files) {
  std::uintmax_t together = 0;
  std::error_code failed;
  for (const fs::path& file : files)
    if (const std::uintmax_t bytes = fs::file_size(file, failed); !failed) together += bytes;
  return Error(Code::exhausted,
               "the photos have together " + human_bytes(static_cast<std::int64_t>(together)) + ", more than the " +
                   human_bytes(api::kPhotosBytesMax) + " that one request holds; choose fewer or smaller ones",
               "photos");
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
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string field = "photos[" + std::to_string(i) + "]";
    if (!is_utf8(files[i].string()))
      throw Error(Code::invalid, printable(files[i].string()) + ": its name is not UTF-8 text; rename the file", field);
    try {
      PhotoFile photo{.path = files[i].string(), .bytes = read_user_file(files[i], api::kPhotoBytesMax)};
      photo.info = picture::inspect(photo.bytes);
      total += photo.bytes.size();
      photos.push_back(std::move(photo));
    } catch (const Error& error) {
      throw Error(error.code(), files[i].string() + ": " + error.what(), field);
    }
    if (total > api::kPhotosBytesMax) throw too_large(files);
  }
  return photos;
}

}  // namespace conceptd::cli
