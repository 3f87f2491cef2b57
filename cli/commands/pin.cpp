#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/ask.h"
#include "cli/command.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string what;
  std::optional<std::string> reason;
};

int pin(const Context& context, const Options& options) {
  const Reference reference = split_reference(options.what);
  const Json answer =
      context.client().post("concepts/" + path_segment(reference.name) + "/pin",
                            api::encode(api::PinConcept{.version = reference.version, .reason = options.reason}));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto pinned = api::decode_answer<api::Pinned>(answer);
  context.out << pinned.name << " is pinned at version " << pinned.version
              << ": what is learnt of it is kept and not published. Undo: conceptctl unpin " << pinned.name << "\n";
  return 0;
}

}  // namespace

void define_pin(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("pin", "Hold a concept at its live version, whatever is learnt");
  command->add_option("what", options->what, "A concept; with a version, only if that one is live")
      ->required()
      ->type_name("NAME[@VERSION]");
  command->add_option("--reason", options->reason, "For the audit")->type_name("TEXT");
  command->callback([&context, options] { context.run = [&context, options] { return pin(context, *options); }; });
}

}  // namespace conceptd::cli
