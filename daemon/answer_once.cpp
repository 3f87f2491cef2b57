#include "daemon/answer_once.h"

#include <algorithm>

#include "core/error.h"
#include "core/log.h"

namespace conceptd::daemon {
namespace {

constexpr std::size_t kKeyBytesMax = 200;

void check_key(const std::string& key) {
  const bool is_plain = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (key.size() > kKeyBytesMax || !is_plain)
    throw Error(
        Code::invalid,
        "an Idempotency-Key has 1 to " + std::to_string(kKeyBytesMax) + " visible ASCII characters, such as a UUID",
        "Idempotency-Key");
}

HttpResponse again(registry::KeptAnswer kept) {
  HttpResponse response{.status = kept.status, .body = std::move(kept.body)};
  if (!kept.location.empty()) response.headers.emplace_back("Location", kept.location);
  response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

// What was done is done, whether or not the answer can be kept: then the key is lost, which begin() says.
void keep(registry::AnswerStore& answers, const registry::KeyedRequest& keyed, const HttpResponse& response) {
  registry::KeptAnswer kept{.status = response.status, .location = {}, .body = response.body};
  for (const auto& [name, value] : response.headers)
    if (name == "Location") kept.location = value;
  try {
    response.status < 300 ? answers.finish(keyed, kept) : answers.forget(keyed);
  } catch (const Error& error) {
    answers.lose(keyed);
    spdlog::error("the answer to {} is not kept: {}", keyed.route, error.what());
  }
}

void give_up(registry::AnswerStore& answers, const registry::KeyedRequest& keyed, bool refused) {
  try {
    if (refused) return answers.forget(keyed);
  } catch (const Error& error) {
    spdlog::error("the key of {} is not free again: {}", keyed.route, error.what());
  }
  answers.lose(keyed);
}

}  // namespace

HttpResponse answer_once(registry::AnswerStore& answers, const HttpRequest& request,
                         const std::function<HttpResponse()>& answer) {
  if (request.idempotency_key.empty()) return answer();
  check_key(request.idempotency_key);
  const registry::KeyedRequest keyed{.caller = request.actor,
                                     .route = request.method + " " + request.path,
                                     .key = request.idempotency_key,
                                     .body = Digest::of(request.body)};
  if (auto kept = answers.begin(keyed)) return again(*std::move(kept));
  try {
    HttpResponse response = answer();
    keep(answers, keyed, response);
    return response;
  } catch (const Error& error) {
    give_up(answers, keyed, http_status(error.code()) < 500);
    throw;
  } catch (...) {
    give_up(answers, keyed, false);
    throw;
  }
}

}  // namespace conceptd::daemon
