// A failure on the wire: {"error": {"code", "message", "field", "suggestions"}}, with the HTTP status of the code.
#pragma once
#include <string>
#include <vector>

#include "core/error.h"

namespace conceptd::api {

struct ErrorBody {
  std::string code{};                      // to_string(Code)
  std::string message{};                   // a sentence for people
  std::string field{};                     // the input at fault: "photos[2]"; empty: none
  std::vector<std::string> suggestions{};  // near misses, what to do next
};

ErrorBody error_body(const Error& error, std::vector<std::string> suggestions = {});
Error to_error(const ErrorBody& body);

}  // namespace conceptd::api
