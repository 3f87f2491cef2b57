#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/pack_commands.h"
#include "cli/text.h"
#include "cli/user_files.h"
#include "daemon/api/packs.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

constexpr std::chrono::minutes kPatience{10};

struct Options {
  std::string file;
  std::string trust;
  std::optional<std::string> as;
};

int import_pack(const Context& context, const Options& options) {
  api::ImportPack request{.trust = read_public_key(options.trust).hex(), .as = options.as};
  request.pack.data = read_user_file(options.file, api::kPackBytesMax);
  const Json answer = context.client().post("import", api::encode(request), kPatience);
  const auto done = api::decode_answer<api::ImportedPack>(answer);
  if (context.json) {
    context.print(answer);
    return 0;
  }
  for (const api::ImportedVersion& version : done.versions) {
    const std::string name = printable(version.name) + "@" + std::to_string(version.version);
    context.out << name << ": staged, " << printable(version.origin_name) << "@" << version.origin_version << " there ("
                << printable(version.class_word) << ", " << printable(version.method) << ", "
                << human_bytes(version.size_bytes) << ")\n"
                << "  try it:     conceptctl generate \"a <" << name << ">\" -o out.png\n"
                << "  publish it: conceptctl promote " << name << "\n";
  }
  for (const std::string& warning : done.warnings) context.err << "note: " << printable(warning) << "\n";
  return 0;
}

}  // namespace

void define_import(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("import", "Take in what another site exported; staged until promoted");
  command->add_option("file", options->file, "The pack")->required()->type_name("FILE");
  command->add_option("--trust", options->trust, "Whoever must have signed it: their public key")
      ->required()
      ->type_name("PUBLIC-KEY");
  command->add_option("--as", options->as, "What to call it here, where the pack holds one concept")->type_name("NAME");
  command->callback(
      [&context, options] { context.run = [&context, options] { return import_pack(context, *options); }; });
}

}  // namespace conceptd::cli
