#include "cli/endpoint.h"

#include <sys/stat.h>

#include <cstdlib>

#include "cli/user_files.h"
#include "core/error.h"
#include "daemon/api/paths.h"

namespace conceptd::cli {
namespace {

constexpr std::uint64_t kTokenFileMax = 4096;

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string read_token(const std::filesystem::path& file) {
  std::string text = read_user_file(file, kTokenFileMax);
  struct stat info {};
  if (::stat(file.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077) != 0)
    throw Error(Code::invalid,
                file.string() + " may be read by others than its owner, and so its token used; chmod 600 " +
                    file.string() + ", and let an admin revoke it if it was read",
                "token-file");
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  if (!text.starts_with("cpt_") || text.find_first_not_of("cpt_0123456789abdef") != std::string::npos)
    throw Error(
        Code::invalid,
        file.string() + " does not hold a token (cpt_...) alone; conceptctl token create --out writes such a file",
        "token-file");
  return text;
}

}  // namespace

std::string Endpoint::shown() const {
  return url ? (url->tls ? "https://" : "http://") + net::to_string(url->at) : socket.string();
}

Endpoint find_endpoint(const EndpointOptions& options) {
  Endpoint endpoint{.authorities = options.authorities};
  const std::string url =
      !options.url.empty() || !options.socket.empty() ? options.url : from_environment("CONCEPTD_URL");
  std::string token_file = options.token_file;
  if (url.empty()) {
    endpoint.socket = options.socket.empty() ? api::socket_to_connect() : std::filesystem::path(options.socket);
  } else {
    endpoint.url = net::parse_url(url);
    if (token_file.empty()) token_file = from_environment("CONCEPTD_TOKEN_FILE");
  }
  if (!token_file.empty()) endpoint.token = read_token(token_file);
  if (endpoint.url && !endpoint.url->tls && !endpoint.token.empty() && !net::is_loopback(endpoint.url->at.host))
    throw Error(Code::invalid, "without TLS everybody on the way could read the token: write https:// in " + url,
                "url");
  return endpoint;
}

}  // namespace conceptd::cli
