#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/duration.h"
#include "cli/secret_file.h"
#include "cli/text.h"
#include "daemon/api/choices.h"
#include "daemon/api/limits.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  api::CreateToken request;
  std::string expires;
  std::string out;
};

constexpr double kNumberMax = 999'999;

// "90d", "12h", "30m", "never".
std::int64_t lifetime_s(const std::string& text) {
  if (text == "never") return 0;
  const auto lifetime = parse_duration(text);
  if (!lifetime || !lifetime->is_whole || lifetime->number < 1 || lifetime->number > kNumberMax ||
      lifetime->unit == 0 || lifetime->unit == 's' || lifetime->seconds() > api::kTokenLifetimeMax_s)
    throw Error(Code::invalid, "'" + text + "' is no lifetime; write it as 90d, 12h, 30m or never, at most 3650d",
                "expires");
  return static_cast<std::int64_t>(lifetime->seconds());
}

std::string until(const api::TokenInfo& token) {
  return token.expires_at ? "until " + human_time(*token.expires_at) : "without end";
}

int create(const Context& context, Options& options) {
  if (!options.expires.empty()) options.request.lifetime_s = lifetime_s(options.expires);
  std::optional<SecretFile> file;
  if (!options.out.empty()) file.emplace(options.out);
  Json answer = context.client().post("tokens", api::encode(options.request));
  const auto made = api::decode_answer<api::TokenCreated>(answer);
  if (file) file->fill(made.secret + "\n", "; the token was made all the same: revoke it");
  if (context.json) {
    if (file) answer.erase("secret"), answer["file"] = options.out;
    context.print(answer);
    return 0;
  }
  (file ? context.out : context.err) << "Token " << made.token.id << " for " << made.token.name << ": "
                                     << made.token.role << ", " << until(made.token) << ".";
  if (file)
    context.out << " Its secret is in " << printable(options.out) << ".\n";
  else
    context.err << " This is the only time that its secret is shown:\n";
  if (!file) context.out << made.secret << "\n";
  return 0;
}

int list(const Context& context, bool all) {
  const Json answer = context.client().get("tokens");
  if (context.json) {
    context.print(answer);
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"TOKEN", "NAME", "ROLE", "STATE", "EXPIRES", "LAST USED", "MADE BY"}};
  for (const api::TokenInfo& token : api::decode_answer<api::TokenList>(answer).tokens)
    if (all || token.state == "valid")
      rows.push_back({std::to_string(token.id), printable(token.name), token.role, token.state,
                      token.expires_at ? human_time(*token.expires_at) : "never",
                      token.last_used_at ? human_time(*token.last_used_at) : "never", printable(token.created_by)});
  if (rows.size() == 1)
    context.out << (all ? "No tokens yet.\n" : "No valid tokens; --all shows the others too.\n");
  else
    print_table(context.out, rows);
  return 0;
}

int revoke(const Context& context, const std::string& which, const api::RevokeToken& request) {
  const Json answer = context.client().post("tokens/" + path_segment(which) + "/revoke", api::encode(request));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const api::TokenInfo token = api::decode_answer<api::TokenAnswer>(answer).token;
  context.out << "Token " << token.id << " of " << printable(token.name) << " lets nobody in any more.\n";
  return 0;
}

}  // namespace

void define_token(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("token", "Let others in over the network: make, list and revoke tokens");
  command->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* making = command->add_subcommand("create", "Make a token; its secret is shown once");
  making->add_option("name", options->request.name, "Whose it is, as the audit will call them")
      ->required()
      ->type_name("NAME");
  making->add_option("--role", options->request.role, "viewer, creator, operator or admin")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(api::kRoles.begin(), api::kRoles.end())))
      ->type_name("ROLE");
  making->add_option("--expires", options->expires, "90d (the default), 12h, 30m or never")->type_name("TIME");
  making->add_option("--out", options->out, "Write the secret to this new file, mode 0600, instead of showing it")
      ->type_name("FILE");
  making->callback([&context, options] { context.run = [&context, options] { return create(context, *options); }; });

  auto all = std::make_shared<bool>(false);
  CLI::App* listing = command->add_subcommand("list", "List tokens, newest first; never their secrets");
  listing->add_flag("--all", *all, "Those that are revoked or expired too");
  listing->callback([&context, all] { context.run = [&context, all] { return list(context, *all); }; });

  auto which = std::make_shared<std::string>();
  auto request = std::make_shared<api::RevokeToken>();
  CLI::App* revoking = command->add_subcommand("revoke", "End a token at once");
  revoking->add_option("token", *which, "Its number or its name")->required()->type_name("TOKEN");
  revoking->add_option("--reason", request->reason, "For the audit")->type_name("TEXT");
  revoking->callback([&context, which, request] {
    context.run = [&context, which, request] { return revoke(context, *which, *request); };
  });
}

}  // namespace conceptd::cli
