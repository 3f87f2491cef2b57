#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string name;
  api::ForReason request;
};

int undelete(const Context& context, const Options& options) {
  const Json answer =
      context.client().post("concepts/" + path_segment(options.name) + "/undelete", api::encode(options.request));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto done = api::decode_answer<api::Moved>(answer);
  context.out << done.name << " is back, state " << done.state << ", "
              << (done.version ? "at version " + std::to_string(*done.version) + ".\n"
                               : "without a live version. Learn it: conceptctl learn " + done.name + "\n");
  return 0;
}

}  // namespace

void define_undelete(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("undelete", "Bring a removed concept back as it stood");
  command->add_option("name", options->name)->required()->type_name("NAME");
  command->add_option("--reason", options->request.reason, "For the audit")->type_name("TEXT");
  command->callback([&context, options] { context.run = [&context, options] { return undelete(context, *options); }; });
}

}  // namespace conceptd::cli
