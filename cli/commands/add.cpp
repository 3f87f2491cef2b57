#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/follow.h"
#include "cli/photo_files.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string name;
  std::vector<std::string> photos;
  api::AddConcept request;
  bool wait = false;
  bool dry_run = false;
};

// What was understood, before anything is queued.
void print_plan(const Context& context, const Options& options, const std::vector<PhotoFile>& photos,
                const api::Status& status) {
  const api::MethodInfo* method = nullptr;
  for (const api::MethodInfo& known : status.methods)
    if (options.request.method ? known.name == *options.request.method : known.is_default) method = &known;
  std::ostream& out = context.out;
  out << "name    " << options.name << ", written <" << options.name << "> in prompts\n"
      << "class   " << options.request.class_word << "\n"
      << "method  " << (method ? method->name : options.request.method.value_or("the daemon's default"));
  if (options.request.steps) out << ", " << *options.request.steps << " steps";
  out << "\ntime    "
      << (method && method->typical_seconds ? "about " + human_seconds(*method->typical_seconds) : "not known yet")
      << "\nphotos  " << photos.size() << "\n";
  std::vector<std::vector<std::string>> rows;
  for (const PhotoFile& photo : photos)
    rows.push_back({printable(photo.path), std::to_string(photo.info.width) + "x" + std::to_string(photo.info.height),
                    std::string(to_string(photo.info.format)),
                    human_bytes(static_cast<std::int64_t>(photo.bytes.size()))});
  print_table(out, rows, "        ");
}

int add(const Context& context, Options& options) {
  std::vector<PhotoFile> photos = read_photos(options.photos);
  const Client client = context.client();
  if (!context.json) print_plan(context, options, photos, api::decode_answer<api::Status>(client.get("status")));
  if (options.dry_run) return 0;
  options.request.name = options.name;
  for (PhotoFile& photo : photos)
    options.request.photos.push_back(
        {.name = std::filesystem::path(photo.path).filename().string(), .data = {std::move(photo.bytes)}});
  const Json answer = client.post("concepts", api::encode(options.request), std::chrono::minutes(5));
  const auto queued = api::decode_answer<api::Queued>(answer);
  if (context.json && !options.wait) context.print(answer);
  for (const std::string& warning : queued.warnings) context.err << "warning: " << printable(warning) << "\n";
  if (!context.json)
    context.out << "Queued as job " << queued.job.id << "."
                << (options.wait ? "" : " Watch it: conceptctl watch " + options.name) << std::endl;
  if (!options.wait) return 0;
  return report_end(context, follow(context, queued.job.id, context.json ? Show::events : Show::progress));
}

}  // namespace

void define_add(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("add", "Add a concept from photos and queue it for learning");
  command->add_option("name", options->name, "What it will be called: a-z 0-9 . _ -")->required()->type_name("NAME");
  command->add_option("photos", options->photos, "PNG, JPEG or WebP files, or folders of them")
      ->required()
      ->type_name("PHOTO");
  command->add_option("--class", options->request.class_word, "What kind of thing it is, in one word")
      ->required()
      ->type_name("WORD");
  command->add_option("--method", options->request.method, "How to learn it (default: the daemon's)");
  command->add_option("--steps", options->request.steps, "How long to learn (default: the method's)");
  command->add_option("--seed", options->request.seed, "Of learning");
  command->add_flag("--wait", options->wait, "Show progress until it is learnt");
  command->add_flag("-n,--dry-run", options->dry_run, "Only say what would be queued");
  command->callback([&context, options] { context.run = [&context, options] { return add(context, *options); }; });
}

}  // namespace conceptd::cli
