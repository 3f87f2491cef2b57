// The one exception of the house. A failure is an Error; an outcome that callers must branch on is a value; a bug is an
// assertion.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace conceptd {

// What went wrong, as a caller may react to it. One table maps it to an HTTP status and an exit status.
enum class Code {
  invalid,          // the input is wrong: HTTP 422, exit 7
  not_found,        // no such thing: 404, exit 4
  conflict,         // the thing has moved or exists already: 409, exit 5
  busy,             // try again later: 429, exit 6
  corrupt,          // stored bytes are not what they were: 500, exit 8
  unavailable,      // the daemon, a file or the disk is not there: 503, exit 3
  cancelled,        // somebody stopped it: 499, exit 9
  exhausted,        // a limit was reached: 413, exit 10
  unauthenticated,  // nobody known asks: no token, or one that does not count: 401, exit 13
  forbidden,        // whoever asks may not: 403, exit 14
  internal,         // our fault: 500, exit 1
};

class Error : public std::runtime_error {
 public:
  // field names the input that is at fault ("class", "photos[2]"), where there is one.
  Error(Code code, const std::string& message, std::string field = {})
      : std::runtime_error(message), code_(code), field_(std::move(field)) {}
  Code code() const noexcept { return code_; }
  const std::string& field() const noexcept { return field_; }

 private:
  Code code_;
  std::string field_;
};

std::string_view to_string(Code code) noexcept;         // "not_found"
Code code_from_string(std::string_view text) noexcept;  // unknown text: Code::internal
int http_status(Code code) noexcept;
int exit_status(Code code) noexcept;

}  // namespace conceptd
