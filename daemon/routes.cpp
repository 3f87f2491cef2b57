#include "daemon/routes.h"

#include "core/log.h"
#include "daemon/api/limits.h"
#include "daemon/api/wire.h"
#include "daemon/percent.h"
#include "registry/concept_name.h"

namespace conceptd::daemon {
namespace {

constexpr std::string_view kPrefix = "/api/v1/";

// "concepts/kettle-7/learn" as a pattern, "concepts/{}/learn", and what stood in the braces, decoded.
struct Target {
  std::string pattern;
  std::string id;
};

Target target_of(std::string_view path) {
  Target target;
  int part = 0;
  for (std::size_t at = 0; at <= path.size(); ++part) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view word = path.substr(at, end - at);
    if (part == 1) target.id = percent_decoded(word);
    if (part > 0) target.pattern += '/';
    target.pattern += part == 1 ? std::string_view("{}") : word;
    at = end + 1;
  }
  return target;
}

struct Route {
  std::string_view method;
  std::string_view pattern;
  HttpResponse (*handle)(const Services&, const HttpRequest&, const std::string& id);
};

using S = const Services&;
using R = const HttpRequest&;
using Id = const std::string&;

constexpr Route kRoutes[] = {
    {"POST", "concepts", [](S s, R r, Id) { return add_concept(s, r); }},
    {"GET", "concepts", [](S s, R, Id) { return list_concepts(s); }},
    {"GET", "concepts/{}", [](S s, R, Id id) { return show_concept(s, id); }},
    {"GET", "concepts/{}/history", [](S s, R, Id id) { return concept_history(s, id); }},
    {"POST", "concepts/{}/learn", [](S s, R r, Id id) { return learn_again(s, r, id); }},
    {"POST", "concepts/{}/rollback", [](S s, R r, Id id) { return roll_back(s, r, id); }},
    {"POST", "concepts/{}/pin", [](S s, R r, Id id) { return pin_concept(s, r, id); }},
    {"POST", "concepts/{}/unpin", [](S s, R r, Id id) { return unpin_concept(s, r, id); }},
    {"POST", "concepts/{}/promote", [](S s, R r, Id id) { return promote(s, r, id); }},
    {"GET", "concepts/{}/aliases", [](S s, R, Id id) { return list_aliases(s, id); }},
    {"POST", "concepts/{}/alias", [](S s, R r, Id id) { return set_alias(s, r, id); }},
    {"POST", "concepts/{}/unalias", [](S s, R r, Id id) { return remove_alias(s, r, id); }},
    {"POST", "concepts/{}/remove", [](S s, R r, Id id) { return remove_concept(s, r, id); }},
    {"POST", "concepts/{}/undelete", [](S s, R r, Id id) { return undelete_concept(s, r, id); }},
    {"POST", "states/{}/rollback", [](S s, R r, Id id) { return roll_back_state(s, r, id); }},
    {"GET", "diff", [](S s, R r, Id) { return diff(s, r); }},
    {"POST", "gc", [](S s, R r, Id) { return collect_garbage(s, r); }},
    {"POST", "verify", [](S s, R r, Id) { return verify(s, r); }},
    {"GET", "audit", [](S s, R r, Id) { return list_audit(s, r); }},
    {"POST", "backup", [](S s, R r, Id) { return back_up(s, r); }},
    {"GET", "jobs", [](S s, R r, Id) { return list_jobs(s, r); }},
    {"GET", "jobs/{}", [](S s, R, Id id) { return show_job(s, id); }},
    {"POST", "jobs/{}/cancel", [](S s, R r, Id id) { return cancel_job(s, r, id); }},
    {"GET", "jobs/{}/preview.png", [](S s, R, Id id) { return job_preview(s, id); }},
    {"GET", "status", [](S s, R, Id) { return show_status(s); }},
};

HttpResponse dispatch(const Services& services, const HttpRequest& request) {
  const Target target = target_of(std::string_view(request.path).substr(kPrefix.size()));
  std::string allowed;
  for (const Route& route : kRoutes) {
    if (route.pattern != target.pattern) continue;
    if (route.method == request.method) return route.handle(services, request, target.id);
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  if (target.pattern == "generate") allowed = "POST";
  if (allowed.empty())
    throw Error(Code::not_found, "there is nothing at " + request.path + "; docs/api.md lists what is");
  HttpResponse response = Routes::refuse(405, request.path + " answers to " + allowed + " only");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

// Near misses, where a name in the path was wrong.
std::vector<std::string> suggestions(const Services& services, const HttpRequest& request, const Error& error) {
  constexpr std::string_view kConcepts = "/api/v1/concepts/";
  if (error.code() != Code::not_found || !request.path.starts_with(kConcepts)) return {};
  const std::string rest = request.path.substr(kConcepts.size());
  return registry::near_misses(percent_decoded(rest.substr(0, rest.find('/'))), services.registry.names());
}

}  // namespace

HttpResponse json_response(const Json& body, int status) {
  return {.status = status, .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

HttpResponse error_response(const Error& error, std::vector<std::string> suggestions) {
  return json_response(api::encode_error(api::error_body(error, std::move(suggestions))), http_status(error.code()));
}

HttpResponse Routes::refuse(int status, const std::string& message) {
  const Code code = status == 413 || status == 431 ? Code::exhausted : Code::invalid;
  return json_response(api::encode_error({.code = std::string(to_string(code)), .message = message}), status);
}

Json body_of(const HttpRequest& request) {
  if (!request.content_type.starts_with("application/json"))
    throw Error(Code::invalid, "the body must be JSON, and Content-Type must say so: application/json", "Content-Type");
  return parse_json(request.body, "the body");
}

std::size_t Routes::body_limit(const std::string& method, const std::string& path) {
  return method == "POST" && path == "/api/v1/concepts" ? api::kAddBytesMax : api::kBodyBytesMax;
}

void Routes::handle(HttpRequest request, const Respond& respond) const {
  try {
    if (request.path == "/healthz") return respond(json_response(api::encode(api::Health{.status = "ok"})));
    if (!request.path.starts_with(kPrefix))
      throw Error(Code::not_found, "there is nothing at this path; the API is below /api/v1/");
    if (request.path == "/api/v1/generate" && request.method == "POST") return generate(services_, request, respond);
    return respond(dispatch(services_, request));
  } catch (const Error& error) {
    if (http_status(error.code()) >= 500) spdlog::error("{} {}: {}", request.method, request.path, error.what());
    respond(error_response(error, suggestions(services_, request, error)));
  } catch (const std::exception& error) {
    spdlog::error("{} {}: {}", request.method, request.path, error.what());
    respond(error_response(Error(Code::internal, std::string("unexpected: ") + error.what())));
  }
}

}  // namespace conceptd::daemon
