#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/pack_commands.h"
#include "cli/text.h"
#include "cli/user_files.h"
#include "core/pack/pack.h"
#include "daemon/api/packs.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

constexpr std::chrono::minutes kPatience{10};

struct Options {
  std::vector<std::string> names;
  std::string version;
  std::string out;
  std::string key;
};

api::ExportPack request_of(const Options& options) {
  if (options.version.empty()) return {.concepts = options.names};
  if (options.names.size() != 1 || options.names[0].find('@') != std::string::npos)
    throw Error(Code::invalid, "--version is for one NAME; write several as NAME@VERSION", "version");
  return {.concepts = {options.names[0] + "@" + options.version}};
}

int export_pack(const Context& context, const Options& options) {
  const api::ExportPack request = request_of(options);
  const pack::PrivateKey key = read_private_key(options.key);
  prepare_output(options.out, "out");
  const Json answer = context.client().post("export", api::encode(request), kPatience);
  const std::string bytes = pack::sign_pack(api::decode_answer<api::ExportedPack>(answer).pack.data, key);
  write_output(options.out, bytes, "out");
  const pack::OpenedPack written = pack::read_pack(bytes, key.public_key());
  if (context.json) {
    Json versions = Json::array();
    for (const pack::PackedVersion& version : written.versions)
      versions.push_back({{"name", version.name}, {"version", version.number}});
    context.print({{"file", options.out},
                   {"digest", written.index.tagged()},
                   {"signer", key.public_key().hex()},
                   {"size_bytes", bytes.size()},
                   {"versions", versions}});
    return 0;
  }
  context.out << printable(options.out) << ": "
              << count_of(static_cast<std::int64_t>(written.versions.size()), "version") << ", "
              << human_bytes(static_cast<std::int64_t>(bytes.size())) << ", signed by " << key.public_key().hex()
              << "\n";
  for (const pack::PackedVersion& version : written.versions)
    context.out << "  " << printable(version.name) << "@" << version.number << "\n";
  context.out << "There: conceptctl import " << printable(options.out) << " --trust PUBLIC-KEY\n";
  return 0;
}

}  // namespace

void define_export(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("export", "Put versions into a signed file for another site; no photos");
  command->add_option("names", options->names, "Concepts: NAME for the live version, or NAME@VERSION")
      ->required()
      ->type_name("NAME");
  command->add_option("--version", options->version, "Of the one NAME: a number, an alias, live or previous")
      ->type_name("V");
  command->add_option("-o,--out", options->out, "The file to write, such as kettle.conceptpack")
      ->required()
      ->type_name("FILE");
  command->add_option("--key", options->key, "Signs it: the private key that 'conceptctl pack keygen' made")
      ->required()
      ->type_name("KEY");
  command->callback(
      [&context, options] { context.run = [&context, options] { return export_pack(context, *options); }; });
}

}  // namespace conceptd::cli
