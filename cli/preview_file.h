// A file that holds the newest preview of the job that is followed, replaced whole whenever there is another, so that a
// picture viewer may look at it all the time.
#pragma once
#include <filesystem>
#include <string>

#include "cli/client.h"
#include "daemon/api/jobs.h"

namespace conceptd::cli {

class PreviewFile {
 public:
  // Error{invalid} if it could not be written.
  explicit PreviewFile(std::filesystem::path path);
  void update(const Client& client, const api::JobInfo& job);
  bool is_written() const noexcept { return !written_.empty(); }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  const std::filesystem::path path_;
  std::string written_;
};

}  // namespace conceptd::cli
