#include <charconv>

#include "daemon/api/limits.h"
#include "daemon/api/wire.h"
#include "daemon/routes.h"
#include "registry/token_store.h"

namespace conceptd::daemon {
namespace {

api::TokenInfo to_api(const registry::Token& token, TimePoint now) {
  api::TokenInfo info{.id = token.id,
                      .name = token.name,
                      .role = std::string(to_string(token.role)),
                      .state = "valid",
                      .created_by = token.created_by,
                      .created_at = to_iso8601(token.created_at)};
  if (token.expires_at) info.expires_at = to_iso8601(*token.expires_at);
  if (token.last_used_at) info.last_used_at = to_iso8601(*token.last_used_at);
  if (token.revoked_at) info.revoked_at = to_iso8601(*token.revoked_at);
  if (token.expires_at && *token.expires_at <= now) info.state = "expired";
  if (token.revoked_at) info.state = "revoked";
  return info;
}

// By its number, or by the name of one that counts.
registry::Token find(registry::TokenStore& tokens, const std::string& id) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  const bool is_number = error == std::errc() && end == id.data() + id.size();
  return is_number ? tokens.get(number) : tokens.get(id);
}

}  // namespace

HttpResponse create_token(const Services& services, const HttpRequest& request) {
  const auto wanted = api::decode_request<api::CreateToken>(body_of(request));
  const TimePoint now = services.clock.now();
  const std::int64_t lifetime_s = wanted.lifetime_s.value_or(api::kTokenLifetimeDefault_s);
  registry::NewToken making{
      .name = wanted.name, .role = registry::role_from_string(wanted.role), .actor = request.actor};
  if (lifetime_s > 0) making.expires_at = now + std::chrono::seconds(lifetime_s);
  registry::IssuedToken issued = services.registry.tokens().create(making);
  HttpResponse response = json_response(
      api::encode(api::TokenCreated{.token = to_api(issued.token, now), .secret = std::move(issued.secret)}), 201);
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

HttpResponse list_tokens(const Services& services) {
  api::TokenList list;
  for (const registry::Token& token : services.registry.tokens().list())
    list.tokens.push_back(to_api(token, services.clock.now()));
  return json_response(api::encode(list));
}

HttpResponse revoke_token(const Services& services, const HttpRequest& request, const std::string& id) {
  const auto wanted = api::decode_request<api::RevokeToken>(body_of(request));
  registry::TokenStore& tokens = services.registry.tokens();
  const registry::Token revoked = tokens.revoke(find(tokens, id).id, request.actor, wanted.reason.value_or(""));
  return json_response(api::encode(api::TokenAnswer{.token = to_api(revoked, services.clock.now())}));
}

}  // namespace conceptd::daemon
