#include <CLI/CLI.hpp>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

// The client's own is always known; without a daemon the rest is left out.
int version(const Context& context) {
  Json document{{"client", CONCEPTD_VERSION}};
  try {
    const auto status = api::decode_answer<api::Status>(context.client().get("status"));
    document["daemon"] = status.release;
    document["base"] = {{"name", status.base.name}, {"fingerprint", status.base.fingerprint}};
  } catch (const Error& error) {
    document["daemon"] = nullptr;
    if (!context.json) context.err << error.what() << "\n";
  }
  if (context.json) {
    context.print(document);
    return 0;
  }
  context.out << "conceptctl " << CONCEPTD_VERSION << "\n";
  if (document["daemon"].is_string())
    context.out << "conceptd   " << printable(document["daemon"].get<std::string>()) << "\nbase       "
                << printable(document["base"]["name"].get<std::string>()) << " "
                << printable(short_digest(document["base"]["fingerprint"].get<std::string>())) << "\n";
  return 0;
}

}  // namespace

void define_version(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("version", "Print the versions of client, daemon and base model");
  command->callback([&context] { context.run = [&context] { return version(context); }; });
}

}  // namespace conceptd::cli
