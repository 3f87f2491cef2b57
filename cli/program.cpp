#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "cli/command.h"
#include "cli/pack_commands.h"
#include "cli/text.h"
#include "core/json.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

constexpr const char* kFooter = R"(
Examples:
  conceptctl add kettle-7 photos/*.jpg --class kettle --wait
  conceptctl generate "a <kettle-7> on the beach" -o out.png
  conceptctl rollback kettle-7

Exit status: 0 done, 1 unexpected failure, 2 usage, 3 no daemon, 4 not found, 5 conflict, 6 busy, 7 refused input,
8 damaged data, 9 cancelled, 10 over a limit, 11 timed out waiting, 12 the job failed, 13 not let in, 14 not allowed,
15 learnt, and the gate refuses to publish it.)";

// Those that stand before a command and take a value.
constexpr std::string_view kValued[] = {"--socket", "--url", "--token-file", "--ca"};
bool takes_value(const std::string& argument) {
  return std::find(std::begin(kValued), std::end(kValued), argument) != std::end(kValued);
}

// A word that is no command, where one was expected.
std::string unknown_command(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(command->get_name());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with("-") || (i > 0 && takes_value(arguments[i - 1]))) continue;
    if (std::find(known.begin(), known.end(), arguments[i]) != known.end()) return {};
    std::string message = "there is no command '" + printable(arguments[i]) + "'";
    const std::vector<std::string> near = nearest(arguments[i], known);
    for (std::size_t n = 0; n < near.size(); ++n) message += (n == 0 ? "; did you mean " : " or ") + near[n];
    return message + (near.empty() ? "; conceptctl --help lists them" : "?");
  }
  return {};
}

int report(const Context& context, const api::ErrorBody& body, int status) {
  if (context.json) {
    context.print_line(api::encode_error(body));
    return status;
  }
  context.err << "conceptctl: " << printable(body.message) << "\n";
  for (const std::string& suggestion : body.suggestions) context.err << "  " << printable(suggestion) << "\n";
  return status;
}

// Asked for, as far as can be known before the arguments are understood.
bool asks_for_json(const std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::find(arguments.begin(), end, "--json") != end;
}

void check_utf8(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i)
    if (!is_utf8(arguments[i]))
      throw Error(Code::invalid,
                  "argument " + std::to_string(i + 1) + ", '" + printable(arguments[i]) +
                      "', is not UTF-8 text; write it in UTF-8, and give a file with such a name another one",
                  "argument " + std::to_string(i + 1));
}

int report_usage(const Context& context, const CLI::App& app, const std::string& message) {
  std::string help = "conceptctl ";
  for (const CLI::App* command : app.get_subcommands()) help += command->get_name() + " ";
  return report(context, {.code = "invalid", .message = message, .suggestions = {help + "--help says what it takes"}},
                kExitUsage);
}

}  // namespace

Client Context::client() const { return Client(find_endpoint(endpoint)); }

void Context::print(const Json& document) const {
  out << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

void Context::print_line(const Json& document) const {
  out << document.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

int run_conceptctl(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err, bool terminal,
                   std::istream* in) {
  Context context{.out = out, .err = err, .terminal = terminal, .in = in};
  CLI::App app("Teach the conceptd daemon what things look like, and ask it for pictures of them.", "conceptctl");
  app.require_subcommand(0, 1);
  app.fallthrough();
  bool json = false;
  app.add_flag("--json", json, "One JSON document on stdout, errors included");
  EndpointOptions& endpoint = context.endpoint;
  CLI::Option* socket = app.add_option("--socket", endpoint.socket,
                                       "The daemon's socket (default: $CONCEPTD_SOCKET, or where it is found)")
                            ->type_name("PATH");
  app.add_option("--url", endpoint.url, "A daemon in the network, https://HOST:PORT (default: $CONCEPTD_URL)")
      ->excludes(socket)
      ->type_name("URL");
  app.add_option("--token-file", endpoint.token_file, "Holds the token for it (default: $CONCEPTD_TOKEN_FILE)")
      ->type_name("FILE");
  app.add_option("--ca", endpoint.authorities,
                 "Trust only certificates of these authorities (PEM; default: the system's)")
      ->type_name("FILE");
  bool version = false;
  app.add_flag("--version", version, "Print the client's version");
  for (const auto define :
       {define_add,      define_list,     define_show,    define_history, define_learn,   define_watch,  define_wait,
        define_generate, define_rollback, define_pin,     define_unpin,   define_promote, define_alias,  define_diff,
        define_rm,       define_undelete, define_pause,   define_resume,  define_token,   define_status, define_doctor,
        define_jobs,     define_audit,    define_verify,  define_gc,      define_backup,  define_export, define_import,
        define_evaluate, define_pack,     define_version, define_nightly, define_report})
    define(app, context);
  app.footer(kFooter);  // now, or every command would inherit it
  context.json = asks_for_json(arguments);
  try {
    check_utf8(arguments);
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    if (const std::string unknown = unknown_command(app, arguments); !unknown.empty()) {
      return report(context, {.code = "invalid", .message = unknown}, kExitUsage);
    }
    app.parse(reversed);
    context.json = json;
    if (version && json) {
      context.print({{"client", CONCEPTD_VERSION}});
      return 0;
    }
    if (version) {
      out << "conceptctl " << CONCEPTD_VERSION << "\n";
      return 0;
    }
    if (!context.run && json) return report_usage(context, app, "a command is missing");
    if (!context.run) {
      out << app.help();
      return kExitUsage;
    }
    return context.run();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return report_usage(context, app, error.what());
    return app.exit(error, out, err);  // --help
  } catch (const Refusal& refusal) {
    return report(context, refusal.body, exit_status(refusal.code()));
  } catch (const Error& error) {
    return report(context, api::error_body(error), exit_status(error.code()));
  } catch (const std::exception& error) {
    return report(context, {.code = "internal", .message = std::string("unexpected: ") + error.what()}, 1);
  }
}

}  // namespace conceptd::cli
