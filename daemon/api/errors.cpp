#include "daemon/api/errors.h"

namespace conceptd::api {

ErrorBody error_body(const Error& error, std::vector<std::string> suggestions) {
  return {.code = std::string(to_string(error.code())),
          .message = error.what(),
          .field = error.field(),
          .suggestions = std::move(suggestions)};
}

Error to_error(const ErrorBody& body) { return Error(code_from_string(body.code), body.message, body.field); }

}  // namespace conceptd::api
