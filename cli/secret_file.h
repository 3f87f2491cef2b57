// The file of a secret: made before the secret, so that none is lost, new, and nobody else's to read from its first
// moment. Gone again unless it was filled.
#pragma once
#include <string>

#include "core/error.h"

namespace conceptd::cli {

class SecretFile {
 public:
  // Error{invalid, "out"} if there is such a file already, or it cannot be made.
  explicit SecretFile(std::string path);
  ~SecretFile();
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;

  // On the disk when it returns. what_now: what to add to the message if it cannot be written.
  void fill(const std::string& bytes, const std::string& what_now = {});

 private:
  Error failed(const std::string& why) const;
  const std::string path_;
  int fd_ = -1;
  bool filled_ = false;
};

}  // namespace conceptd::cli
