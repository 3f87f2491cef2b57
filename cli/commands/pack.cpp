#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/pack_commands.h"
#include "cli/secret_file.h"
#include "cli/text.h"
#include "cli/user_files.h"
#include "core/pack/pack.h"

namespace conceptd::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kKeyBytesMax = 1 << 16;

int make_keys(const Context& context, const std::string& folder) {
  const fs::path secret_path = fs::path(folder) / "pack.key", public_path = fs::path(folder) / "pack.pub";
  prepare_output(folder + "/", "out");
  SecretFile secret(secret_path.string()), shared(public_path.string());
  const pack::PrivateKey key = pack::PrivateKey::make();
  shared.fill(key.public_key().pem());
  secret.fill(key.pem());
  ::chmod(public_path.c_str(), 0644);
  if (context.json) {
    context.print(
        {{"key", secret_path.string()}, {"public_key", public_path.string()}, {"signer", key.public_key().hex()}});
    return 0;
  }
  context.out << "private: " << printable(secret_path.string()) << ", which signs packs; keep it where it is\n"
              << "public:  " << printable(public_path.string()) << ", for the sites that import them\n"
              << "signer:  " << key.public_key().hex() << "\n";
  return 0;
}

Json document_of(const pack::PackedVersion& version) {
  return {{"name", version.name},
          {"version", version.number},
          {"class", version.class_word},
          {"method", version.method},
          {"base_fingerprint", version.base_fingerprint},
          {"settings", version.settings},
          {"metrics", version.metrics},
          {"verdict", version.verdict},
          {"verdict_reason", version.verdict_reason},
          {"learned_at", version.learned_at},
          {"exported_at", version.exported_at},
          {"release", version.release},
          {"origin", version.origin},
          {"digest", Digest::of(version.delta).tagged()},
          {"size_bytes", version.delta.size()}};
}

int inspect(const Context& context, const std::string& file) {
  const pack::OpenedPack opened = pack::inspect_pack(read_user_file(file, pack::kPackBytesMax));
  if (context.json) {
    Json versions = Json::array();
    for (const pack::PackedVersion& version : opened.versions) versions.push_back(document_of(version));
    context.print({{"digest", opened.index.tagged()},
                   {"signer", opened.signer ? Json(opened.signer->hex()) : Json()},
                   {"versions", versions}});
    return 0;
  }
  context.out << "digest " << opened.index.hex() << "\nsigner "
              << (opened.signer ? opened.signer->hex() + " (holds; whether it is to be trusted is for you to say)"
                                : "none")
              << "\n\n";
  std::vector<std::vector<std::string>> rows{{"CONCEPT", "CLASS", "METHOD", "BASE", "SIZE", "LEARNT", "VERDICT"}};
  for (const pack::PackedVersion& version : opened.versions)
    rows.push_back({version.name + "@" + std::to_string(version.number), version.class_word, version.method,
                    version.base_fingerprint.substr(0, 12),
                    human_bytes(static_cast<std::int64_t>(version.delta.size())), human_time(version.learned_at),
                    version.verdict});
  print_table(context.out, rows);
  return 0;
}

}  // namespace

pack::PrivateKey read_private_key(const std::string& path) {
  const std::string pem = read_user_file(path, kKeyBytesMax);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || (info.st_mode & 077) != 0)
    throw Error(Code::invalid, path + " may be read by others than its owner; make it private: chmod 600 " + path,
                "key");
  return pack::PrivateKey::from_pem(pem, path, "key");
}

pack::PublicKey read_public_key(const std::string& path) {
  return pack::PublicKey::from_pem(read_user_file(path, kKeyBytesMax), path, "trust");
}

void define_pack(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("pack", "Look into packs, and make the keys that sign them");
  command->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  CLI::App* looking = command->add_subcommand("inspect", "Check a pack and show what it holds, without a daemon");
  looking->add_option("file", *file, "The pack")->required()->type_name("FILE");
  looking->callback([&context, file] { context.run = [&context, file] { return inspect(context, *file); }; });
  auto folder = std::make_shared<std::string>();
  CLI::App* making = command->add_subcommand("keygen", "Make the two keys of a site that exports");
  making->add_option("--out", *folder, "The folder for pack.key and pack.pub, which must be new")
      ->required()
      ->type_name("DIR");
  making->callback([&context, folder] { context.run = [&context, folder] { return make_keys(context, *folder); }; });
}

}  // namespace conceptd::cli
