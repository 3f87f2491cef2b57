#include "daemon/routes.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <new>

#include "core/log.h"
#include "daemon/answer_once.h"
#include "daemon/api/limits.h"
#include "daemon/api/wire.h"
#include "daemon/metrics.h"
#include "daemon/percent.h"
#include "registry/concept_name.h"

namespace conceptd::daemon {
namespace {

constexpr std::string_view kPrefix = "/api/v1/";

// "concepts/kettle-7/learn" as a pattern, "concepts/{}/learn", and what stood in the braces, as it was sent.
struct Target {
  std::string pattern;
  std::string_view id;
};

Target target_of(std::string_view path) {
  Target target;
  int part = 0;
  for (std::size_t at = 0; at <= path.size(); ++part) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view word = path.substr(at, end - at);
    if (part == 1) target.id = word;
    if (part > 0) target.pattern += '/';
    target.pattern += part == 1 ? std::string_view("{}") : word;
    at = end + 1;
  }
  return target;
}

using S = const Services&;
using R = const HttpRequest&;
using Id = const std::string&;
using registry::Role;

struct Endpoint {
  std::string_view method;
  std::string_view pattern;
  Role role;  // the lowest that may
  HttpResponse (*handle)(S, R, Id id);
  void (*handle_later)(S, R, const Respond&) = nullptr;  // instead
  std::size_t body_bytes_max = api::kBodyBytesMax;
  Lane lane = Lane::quick;
};

constexpr Endpoint kEndpoints[] = {
    {.method = "POST",
     .pattern = "concepts",
     .role = Role::creator,
     .handle = [](S s, R r, Id) { return add_concept(s, r); },
     .body_bytes_max = api::kAddBytesMax,
     .lane = Lane::slow},
    {"GET", "concepts", Role::viewer, [](S s, R, Id) { return list_concepts(s); }},
    {"GET", "concepts/{}", Role::viewer, [](S s, R, Id id) { return show_concept(s, id); }},
    {"GET", "concepts/{}/history", Role::viewer, [](S s, R, Id id) { return concept_history(s, id); }},
    {"POST", "concepts/{}/learn", Role::creator, [](S s, R r, Id id) { return learn_again(s, r, id); }},
    {"POST", "concepts/{}/evaluate", Role::creator, [](S s, R r, Id id) { return evaluate_concept(s, r, id); }},
    {"POST", "concepts/{}/rollback", Role::operator_, [](S s, R r, Id id) { return roll_back(s, r, id); }},
    {"POST", "concepts/{}/pin", Role::operator_, [](S s, R r, Id id) { return pin_concept(s, r, id); }},
    {"POST", "concepts/{}/unpin", Role::operator_, [](S s, R r, Id id) { return unpin_concept(s, r, id); }},
    {"POST", "concepts/{}/promote", Role::operator_, [](S s, R r, Id id) { return promote(s, r, id); }},
    {"GET", "concepts/{}/aliases", Role::viewer, [](S s, R, Id id) { return list_aliases(s, id); }},
    {"POST", "concepts/{}/alias", Role::operator_, [](S s, R r, Id id) { return set_alias(s, r, id); }},
    {"POST", "concepts/{}/unalias", Role::operator_, [](S s, R r, Id id) { return remove_alias(s, r, id); }},
    {"POST", "concepts/{}/remove", Role::operator_, [](S s, R r, Id id) { return remove_concept(s, r, id); }},
    {"POST", "concepts/{}/undelete", Role::operator_, [](S s, R r, Id id) { return undelete_concept(s, r, id); }},
    {"POST", "states/{}/rollback", Role::operator_, [](S s, R r, Id id) { return roll_back_state(s, r, id); }},
    {"GET", "diff", Role::viewer, [](S s, R r, Id) { return diff(s, r); }},
    {.method = "POST",
     .pattern = "gc",
     .role = Role::operator_,
     .handle = [](S s, R r, Id) { return collect_garbage(s, r); },
     .lane = Lane::slow},
    {.method = "POST",
     .pattern = "verify",
     .role = Role::operator_,
     .handle = [](S s, R r, Id) { return verify(s, r); },
     .lane = Lane::slow},
    {"GET", "audit", Role::operator_, [](S s, R r, Id) { return list_audit(s, r); }},
    {.method = "POST",
     .pattern = "backup",
     .role = Role::operator_,
     .handle = [](S s, R r, Id) { return back_up(s, r); },
     .lane = Lane::slow},
    {.method = "POST",
     .pattern = "export",
     .role = Role::operator_,
     .handle = [](S s, R r, Id) { return export_pack(s, r); },
     .lane = Lane::slow},
    {.method = "POST",
     .pattern = "import",
     .role = Role::operator_,
     .handle = [](S s, R r, Id) { return import_pack(s, r); },
     .body_bytes_max = api::kAddBytesMax,
     .lane = Lane::slow},
    {"GET", "jobs", Role::viewer, [](S s, R r, Id) { return list_jobs(s, r); }},
    {"GET", "jobs/{}", Role::viewer, [](S s, R, Id id) { return show_job(s, id); }},
    {"POST", "jobs/{}/cancel", Role::creator, [](S s, R r, Id id) { return cancel_job(s, r, id); }},
    {"GET", "jobs/{}/preview.png", Role::viewer, [](S s, R, Id id) { return job_preview(s, id); }},
    {"GET", "evaluations/{}", Role::viewer, [](S s, R, Id id) { return show_evaluation(s, id); }},
    {"GET", "evaluations/{}/sheet.png", Role::viewer, [](S s, R, Id id) { return evaluation_sheet(s, id); }},
    {"POST", "evaluations/{}/cancel", Role::creator, [](S s, R r, Id id) { return cancel_evaluation(s, r, id); }},
    {"POST", "generate", Role::creator, nullptr, &generate},
    {"POST", "learning/{}", Role::operator_, [](S s, R r, Id id) { return switch_learning(s, r, id); }},
    {"GET", "nights", Role::viewer, [](S s, R r, Id) { return list_nights(s, r); }},
    {"POST", "nights", Role::operator_, [](S s, R r, Id) { return hold_night(s, r); }},
    {"GET", "nights/{}", Role::viewer, [](S s, R, Id id) { return show_night(s, id); }},
    {"GET", "nights/{}/report", Role::viewer, [](S s, R, Id id) { return report_night(s, id); }},
    {"GET", "status", Role::viewer, [](S s, R, Id) { return show_status(s); }},
    {"GET", "tokens", Role::admin, [](S s, R, Id) { return list_tokens(s); }},
    {"POST", "tokens", Role::admin, [](S s, R r, Id) { return create_token(s, r); }},
    {"POST", "tokens/{}/revoke", Role::admin, [](S s, R r, Id id) { return revoke_token(s, r, id); }},
};

// Null: there is none.
const Endpoint* endpoint_of(const std::string& method, const std::string& path) {
  if (!path.starts_with(kPrefix)) return nullptr;
  const std::string pattern = target_of(std::string_view(path).substr(kPrefix.size())).pattern;
  for (const Endpoint& endpoint : kEndpoints)
    if (endpoint.pattern == pattern && endpoint.method == method) return &endpoint;
  return nullptr;
}

// Whether the answer is kept for a request that comes again. Not of what changes nothing, nor of what holds a secret.
bool is_kept(const Endpoint& endpoint) {
  constexpr std::string_view kAnsweredAnew[] = {
      "generate", "verify", "export", "tokens", "tokens/{}/revoke", "concepts/{}/evaluate", "evaluations/{}/cancel"};
  return endpoint.method == "POST" &&
         std::find(std::begin(kAnsweredAnew), std::end(kAnsweredAnew), endpoint.pattern) == std::end(kAnsweredAnew);
}

void dispatch(const Services& services, const HttpRequest& request, const Respond& respond) {
  const Target target = target_of(std::string_view(request.path).substr(kPrefix.size()));
  const std::string id = percent_decoded(target.id);
  std::string allowed;
  for (const Endpoint& endpoint : kEndpoints) {
    if (endpoint.pattern != target.pattern) continue;
    if (endpoint.method == request.method && endpoint.handle_later)
      return endpoint.handle_later(services, request, respond);
    if (endpoint.method == request.method) {
      const auto answer = [&] { return endpoint.handle(services, request, id); };
      return respond(is_kept(endpoint) ? answer_once(services.registry.answers(), request, answer) : answer());
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(endpoint.method);
  }
  if (allowed.empty())
    throw Error(Code::not_found, "there is nothing at " + request.path + "; docs/api.md lists what is");
  HttpResponse response = Routes::refuse(405, request.path + " answers to " + allowed + " only");
  response.headers.emplace_back("Allow", allowed);
  respond(std::move(response));
}

// A closed set, whatever clients write.
std::string_view label_of(const std::string& path) {
  for (const std::string_view known : {"/healthz", "/readyz", "/metrics"})
    if (path == known) return known;
  if (!path.starts_with(kPrefix)) return "other";
  const std::string pattern = target_of(std::string_view(path).substr(kPrefix.size())).pattern;
  for (const Endpoint& endpoint : kEndpoints)
    if (endpoint.pattern == pattern) return endpoint.pattern;
  return "other";
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
  const Code code = status == 413 || status == 431 ? Code::exhausted : status == 429 ? Code::busy : Code::invalid;
  return json_response(api::encode_error({.code = std::string(to_string(code)), .message = message}), status);
}

Json body_of(const HttpRequest& request) {
  std::string type = request.content_type.substr(0, request.content_type.find(';'));
  while (type.ends_with(' ')) type.pop_back();
  if (type != "application/json")
    throw Error(Code::invalid, "the body must be JSON, and Content-Type must say so: application/json", "Content-Type");
  try {
    return parse_json(request.body, "the body");
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), "body");
  }
}

RouteNeeds Routes::needs(const std::string& method, const std::string& path) {
  RouteNeeds needs{.open = path == "/healthz", .role = Role::viewer, .body_bytes_max = api::kBodyBytesMax};
  if (const Endpoint* endpoint = endpoint_of(method, path))
    needs.role = endpoint->role, needs.body_bytes_max = endpoint->body_bytes_max;
  return needs;
}

Lane Routes::lane(const std::string& method, const std::string& path) {
  if (path == "/healthz") return Lane::at_once;
  const Endpoint* endpoint = endpoint_of(method, path);
  return endpoint ? endpoint->lane : Lane::quick;
}

std::vector<Routes::Listed> Routes::all() {
  std::vector<Listed> listed;
  for (const Endpoint& endpoint : kEndpoints) listed.push_back({endpoint.method, endpoint.pattern, endpoint.role});
  return listed;
}

void Routes::handle(HttpRequest request, const Respond& respond) const {
  const auto began = std::chrono::steady_clock::now();
  const auto count = [this, began, respond, method = request.method,
                      route = label_of(request.path)](HttpResponse response) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    services_.metrics.answered(method, route, response.status, took.count());
    respond(std::move(response));
  };
  answer(request, count);
}

void Routes::answer(const HttpRequest& request, const Respond& respond) const {
  try {
    if (request.path == "/healthz") return respond(json_response(api::encode(api::Health{.status = "ok"})));
    if (request.path == "/readyz") return respond(show_readiness(services_));
    if (request.path == "/metrics") return respond(show_metrics(services_));
    if (!request.path.starts_with(kPrefix))
      throw Error(Code::not_found, "there is nothing at this path; the API is below /api/v1/");
    return dispatch(services_, request, respond);
  } catch (const Error& error) {
    if (http_status(error.code()) >= 500) spdlog::error("{} {}: {}", request.method, request.path, error.what());
    respond(error_response(error, suggestions(services_, request, error)));
  } catch (const std::bad_alloc&) {
    spdlog::error("{} {}: out of memory", request.method, request.path);
    respond(error_response(Error(
        Code::unavailable,
        "the daemon has too little memory for this request; ask for less, or later, or allow it more (ulimit -v)")));
  } catch (const std::exception& error) {
    spdlog::error("{} {}: {}", request.method, request.path, error.what());
    respond(error_response(Error(Code::internal, std::string("unexpected: ") + error.what())));
  }
}

}  // namespace conceptd::daemon
