#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string subject;
  int limit = 100;
  bool verify_chain = false;
};

int audit(const Context& context, const Options& options) {
  std::string target = "audit?limit=" + std::to_string(options.limit);
  if (!options.subject.empty()) target += "&subject=" + path_segment(options.subject);
  if (options.verify_chain) target += "&verify_chain=true";
  const Json answer = context.client().get(target);
  const auto list = api::decode_answer<api::AuditList>(answer);
  const int status = list.chain_holds.value_or(true) ? 0 : exit_status(Code::corrupt);
  if (context.json) {
    context.print(answer);
    return status;
  }
  std::vector<std::vector<std::string>> rows{{"ROW", "WHEN", "WHO", "WHAT", "OF", "DETAIL"}};
  for (const api::AuditEntry& row : list.rows)
    rows.push_back({std::to_string(row.id), human_time(row.at), printable(row.actor), row.action,
                    printable(row.subject), printable(row.detail.dump())});
  print_table(context.out, rows);
  if (options.verify_chain && status == 0) context.out << "Every link of the chain holds.\n";
  if (status != 0) context.err << "The chain is broken: " << printable(list.fault.value_or("")) << "\n";
  return status;
}

}  // namespace

void define_audit(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("audit", "Say who did what, when and why, newest first");
  command->add_option("subject", options->subject, "Only of this concept, or \"state 7\", \"job 3\"")
      ->type_name("NAME");
  command->add_option("--limit", options->limit, "At most so many rows (default: 100)")
      ->check(CLI::Range(1, 10'000))
      ->type_name("N");
  command->add_flag("--verify-chain", options->verify_chain, "Check every link; exits with 8 if one does not hold");
  command->callback([&context, options] { context.run = [&context, options] { return audit(context, *options); }; });
}

}  // namespace conceptd::cli
