#include "daemon/http_header.h"

#include <algorithm>
#include <array>

#include "daemon/percent.h"

namespace conceptd::daemon {
namespace {

constexpr std::size_t kFieldsMax = 100;

// What may stand once only: a second one would be for somebody who reads otherwise.
constexpr std::array<std::string_view, 9> kOnce{"idempotency-key", "content-length", "transfer-encoding", "host",
                                                "authorization",   "content-type",   "content-encoding",  "origin",
                                                "expect"};

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lowered;
}

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// In a query, and only there, "+" is a space too.
std::string unescaped(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decoded(spaced);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Seen {
  std::array<int, kOnce.size()> times{};
  std::string length, encoding;
};

std::optional<std::string> fault_in_field(std::string_view line, Seen& seen) {
  if (line.front() == ' ' || line.front() == '\t') return "a field of the header goes on in a second line";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return "a line of the header is not NAME: VALUE";
  const std::string name = lower(line.substr(0, colon));
  if (!std::all_of(name.begin(), name.end(), is_token_character)) return "the name of a field of the header is none";
  const std::string_view value = trimmed(line.substr(colon + 1));
  for (const char c : value)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
      return "a field of the header holds a control character";
  for (std::size_t i = 0; i < kOnce.size(); ++i)
    if (name == kOnce[i] && ++seen.times[i] > 1) return "the header has '" + name + "' twice";
  if (name == "content-length") seen.length = value;
  if (name == "transfer-encoding") seen.encoding = lower(value);
  if (name == "content-length" &&
      (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != std::string_view::npos))
    return "Content-Length is not a number of bytes";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> fault_in_header(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) return "a CR without its LF";
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return "a LF without its CR";
    if (text[i] == '\0') return "a NUL in the header";
  }
  std::size_t end = text.find("\r\n");
  const std::string_view first = text.substr(0, end);
  if (!first.ends_with(" HTTP/1.1") && !first.ends_with(" HTTP/1.0")) return "that is not a request of HTTP/1.1";
  if (std::count(first.begin(), first.end(), ' ') != 2) return "the first line is not METHOD PATH HTTP/1.1";
  Seen seen;
  std::size_t fields = 0;
  for (std::size_t at = end + 2; end != std::string_view::npos && at < text.size(); at = end + 2) {
    end = text.find("\r\n", at);
    const std::string_view line = text.substr(at, end - at);
    if (line.empty()) break;
    if (++fields > kFieldsMax) return "the header has more than " + std::to_string(kFieldsMax) + " fields";
    if (auto fault = fault_in_field(line, seen)) return fault;
  }
  if (!seen.encoding.empty() && !seen.length.empty()) return "Content-Length and Transfer-Encoding exclude each other";
  if (!seen.encoding.empty() && seen.encoding != "chunked") return "the only Transfer-Encoding that is read is chunked";
  if (!seen.encoding.empty() && first.ends_with("1.0")) return "HTTP/1.0 has no Transfer-Encoding";
  return std::nullopt;
}

std::string host_name_of(std::string_view host) {
  const bool bracketed = host.starts_with('[');
  const std::size_t end = bracketed ? host.find(']') : host.find(':');
  if (bracketed && end == std::string_view::npos) return {};
  const std::string_view rest = end == std::string_view::npos ? std::string_view() : host.substr(end + bracketed);
  if (!rest.empty() && (rest.front() != ':' || rest.find_first_not_of("0123456789", 1) != std::string_view::npos))
    return {};
  return lower(bracketed ? host.substr(1, end - 1) : host.substr(0, end));
}

std::string host_name_of_origin(std::string_view origin) {
  for (const std::string_view scheme : {"https://", "http://"})
    if (origin.starts_with(scheme)) return host_name_of(origin.substr(scheme.size()));
  return {};
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::map<std::string, std::string> query_of(std::string_view target) {
  std::map<std::string, std::string> query;
  std::size_t at = target.find('?');
  while (at != std::string_view::npos) {
    const std::size_t end = target.find('&', at + 1);
    const std::string_view item = target.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    const std::size_t equals = item.find('=');
    if (!item.empty())
      query[unescaped(item.substr(0, equals))] =
          equals == std::string_view::npos ? std::string() : unescaped(item.substr(equals + 1));
    at = end;
  }
  return query;
}

}  // namespace conceptd::daemon
