#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

constexpr std::chrono::hours kPatience{2};
constexpr std::size_t kFaultsShown = 20;

int verify(const Context& context, bool deep) {
  const Json answer = context.client().post("verify", api::encode(api::Verify{.deep = deep}), kPatience);
  const auto done = api::decode_answer<api::Verified>(answer);
  const int status = done.faults.empty() ? 0 : exit_status(Code::corrupt);
  if (context.json) {
    context.print(answer);
    return status;
  }
  context.out << count_of(done.versions, "version") << ", " << count_of(done.photos, "photo") << ", "
              << count_of(done.states, "state") << " and the audit" << (done.deep ? ", every byte hashed" : "") << ": "
              << (done.faults.empty() ? "all well" : count_of(static_cast<std::int64_t>(done.faults.size()), "fault"))
              << " (" << human_seconds(done.seconds) << ").\n";
  for (std::size_t i = 0; i < std::min(done.faults.size(), kFaultsShown); ++i)
    context.err << "  " << printable(done.faults[i]) << "\n";
  if (done.faults.size() > kFaultsShown) context.err << "  ... --json lists them all\n";
  if (status != 0) context.err << "What to do: docs/operating.md, \"When something is wrong\"\n";
  return status;
}

}  // namespace

void define_verify(CLI::App& app, Context& context) {
  auto deep = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("verify", "Check what the daemon stores; exits with 8 if something is wrong");
  command->add_flag("--deep", *deep, "Hash every byte of photos, versions and previews too");
  command->callback([&context, deep] { context.run = [&context, deep] { return verify(context, *deep); }; });
}

}  // namespace conceptd::cli
