#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string name;
  std::optional<std::string> reason;
};

int unpin(const Context& context, const Options& options) {
  const Json answer = context.client().post("concepts/" + path_segment(options.name) + "/unpin",
                                            api::encode(api::ForReason{.reason = options.reason}));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto freed = api::decode_answer<api::Pinned>(answer);
  context.out << freed.name << " is at version " << freed.version << " and no longer pinned.\n";
  return 0;
}

}  // namespace

void define_unpin(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("unpin", "Let learning move a concept again");
  command->add_option("name", options->name)->required()->type_name("NAME");
  command->add_option("--reason", options->reason, "For the audit")->type_name("TEXT");
  command->callback([&context, options] { context.run = [&context, options] { return unpin(context, *options); }; });
}

}  // namespace conceptd::cli
