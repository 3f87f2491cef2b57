#include "cli/secret_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace conceptd::cli {

SecretFile::SecretFile(std::string path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd_ < 0) throw failed(errno == EEXIST ? "it is there already; choose another name" : std::strerror(errno));
}

SecretFile::~SecretFile() {
  ::close(fd_);
  if (!filled_) ::unlink(path_.c_str());
}

void SecretFile::fill(const std::string& bytes, const std::string& what_now) {
  if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) || ::fsync(fd_) != 0)
    throw failed(std::strerror(errno) + what_now);
  filled_ = true;
}

Error SecretFile::failed(const std::string& why) const {
  return Error(Code::invalid, "cannot write " + path_ + ": " + why, "out");
}

}  // namespace conceptd::cli
