// What is wrong with a request's header before anybody acts on it. Two programs that read one header differently can be
// made to see different requests (smuggling), so what has two readings is refused, and so is what only very old clients
// send: a line that goes on in the next one, a bare CR or LF, a length said twice.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace conceptd::daemon {

// `text` is everything up to and with the empty line. Empty: nothing is wrong; else a sentence for the client.
std::optional<std::string> fault_in_header(std::string_view text);

// The name of a Host field without its port, in lower case: "[::1]:7860" is "::1". Empty if it is no host.
std::string host_name_of(std::string_view host);
// The same of an Origin, "https://pictures.example.com:7860"; empty for "null" and what is none.
std::string host_name_of_origin(std::string_view origin);

// "/api/v1/jobs?state=done&limit=5": what stands before the question mark, and the fields behind it, unescaped. Of a
// field that is there twice the last counts.
std::string_view path_of(std::string_view target);
std::map<std::string, std::string> query_of(std::string_view target);

}  // namespace conceptd::daemon
