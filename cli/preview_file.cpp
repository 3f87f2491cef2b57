#include "cli/preview_file.h"

#include "cli/user_files.h"

namespace conceptd::cli {

namespace fs = std::filesystem;

PreviewFile::PreviewFile(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  if (!path_.has_filename() || fs::is_directory(path_, ignored))
    throw Error(Code::invalid, path_.string() + " is a folder; name a file, as in --preview now.png", "preview");
  prepare_output(path_, "preview");
}

void PreviewFile::update(const Client& client, const api::JobInfo& job) {
  if (!job.has_preview) return;
  std::string png;
  try {
    png = client.get_bytes("jobs/" + std::to_string(job.id) + "/preview.png");
  } catch (const Refusal& refusal) {
    if (refusal.code() == Code::not_found) return;  // its attempt ended since it was listed
    throw;
  }
  if (png == written_) return;
  std::error_code ignored, failed;
  fs::path beside = path_;
  beside += ".part";
  // A pipe or a device is written to; it cannot be replaced.
  const bool replaced = !fs::exists(path_, ignored) || fs::is_regular_file(path_, ignored);
  write_output(replaced ? beside : path_, png, "preview");
  if (replaced) fs::rename(beside, path_, failed);
  if (failed) throw Error(Code::invalid, "cannot write " + path_.string() + ": " + failed.message(), "preview");
  written_ = std::move(png);
}

}  // namespace conceptd::cli
