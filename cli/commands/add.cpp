#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/duration.h"
#include "cli/follow.h"
#include "cli/photo_files.h"
#include "cli/settings_option.h"
#include "cli/text.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string name;
  std::vector<std::string> photos;
  api::AddConcept request;
  std::vector<std::string> settings;
  std::string deadline;
  bool now = false;
  bool wait = false;
  bool no_draft = false;
  bool dry_run = false;
};

api::AddConcept request_of(const Options& options, std::vector<PhotoFile>& photos) {
  api::AddConcept request = options.request;
  request.name = options.name;
  request.settings = settings_from(options.settings);
  if (options.dry_run) request.dry_run = true;
  if (options.now) request.now = true;
  if (options.no_draft) request.draft = false;
  if (!options.deadline.empty()) request.deadline_s = seconds_in(options.deadline, "deadline");
  for (PhotoFile& photo : photos)
    request.photos.push_back(
        {.name = std::filesystem::path(photo.path).filename().string(), .data = {std::move(photo.bytes)}});
  return request;
}

// What the client alone understands of it, to be shown before anything is sent.
api::Plan plan_of(const Options& options, const std::vector<PhotoFile>& photos, const api::Status& status) {
  api::Plan plan{.name = options.name,
                 .class_word = options.request.class_word,
                 .method = options.request.method.value_or("the daemon's default"),
                 .steps = options.request.steps,
                 .settings = settings_from(options.settings)};
  for (const api::MethodInfo& known : status.methods)
    if (options.request.method ? known.name == *options.request.method : known.is_default)
      plan.method = known.name, plan.typical_seconds = known.typical_seconds;
  for (const PhotoFile& photo : photos)
    plan.photos.push_back({.media_type = std::string(media_type(photo.info.format)),
                           .name = photo.path,
                           .size_bytes = static_cast<std::int64_t>(photo.bytes.size()),
                           .width = photo.info.width,
                           .height = photo.info.height});
  return plan;
}

void print_plan(std::ostream& out, const api::Plan& plan) {
  out << "name    " << printable(plan.name) << ", written <" << printable(plan.name) << "> in prompts\n"
      << "class   " << printable(plan.class_word) << "\n"
      << "method  " << printable(plan.method);
  if (plan.steps) out << ", " << *plan.steps << " steps";
  if (plan.settings)
    for (const auto& [name, value] : plan.settings->values.items()) out << ", " << printable(name) << " " << value;
  out << "\ntime    "
      << (plan.typical_seconds ? "about " + human_seconds(*plan.typical_seconds) : std::string("not known yet"))
      << (plan.draft ? ", after a draft in seconds" : "") << "\nphotos  " << plan.photos.size() << "\n";
  std::vector<std::vector<std::string>> rows;
  for (const api::PhotoInfo& photo : plan.photos)
    rows.push_back({printable(photo.name), std::to_string(photo.width) + "x" + std::to_string(photo.height),
                    photo.media_type, human_bytes(photo.size_bytes)});
  print_table(out, rows, "        ");
}

void print_warnings(const Context& context, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) context.err << "warning: " << printable(warning) << "\n";
}

// Everything is checked by who would do it; nothing is stored or queued.
int dry_run(const Context& context, const Json& answer) {
  const auto planned = api::decode_answer<api::Planned>(answer);
  if (context.json) {
    context.print(answer);
    return 0;
  }
  print_plan(context.out, planned.plan);
  print_warnings(context, planned.warnings);
  context.out << "Nothing was queued: this was a dry run.\n";
  return 0;
}

int add(const Context& context, const Options& options) {
  std::vector<PhotoFile> photos = read_photos(options.photos);
  const Client client = context.client();
  if (!context.json && !options.dry_run)
    print_plan(context.out, plan_of(options, photos, api::decode_answer<api::Status>(client.get("status"))));
  const Json answer = client.post("concepts", api::encode(request_of(options, photos)), std::chrono::minutes(5));
  if (options.dry_run) return dry_run(context, answer);
  const auto queued = api::decode_answer<api::Queued>(answer);
  if (context.json && !options.wait) context.print(answer);
  print_warnings(context, queued.warnings);
  if (!context.json)
    context.out << "Queued as job " << queued.job.id << "." << when_it_learns(queued.job)
                << (options.wait ? "" : " Watch it: conceptctl watch " + options.name) << std::endl;
  if (queued.draft && !context.json)
    context.out << "A draft of it comes first, in seconds (job " << queued.draft->id << ")." << std::endl;
  if (!options.wait) return 0;
  const Show show = context.json ? Show::events : Show::progress;
  if (queued.draft) {
    const api::JobInfo draft = follow(context, queued.draft->id, show).job;
    if (draft.published.value_or(false) && !context.json)
      context.out << options.name << " version " << *draft.result_version
                  << " is a draft, and can be asked for from now on." << std::endl;
    else if (!draft.published.value_or(false))
      context.err << "there is no draft: " << printable(draft.refused.empty() ? draft.error_message : draft.refused)
                  << std::endl;
  }
  return report_end(context, follow(context, queued.job.id, show));
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
  add_set_option(*command, options->settings);
  command->add_option("--deadline", options->deadline, "Give it up if it has not begun by then, from now: 45m, 8h, 2d")
      ->type_name("DURATION");
  command->add_flag("--no-draft", options->no_draft, "Learn no draft first");
  command->add_flag("--now", options->now, "Do not wait for the learning window");
  command->add_flag("--wait", options->wait, "Show progress until it is learnt");
  command->add_flag("-n,--dry-run", options->dry_run, "Have everything checked, and only say what would be queued");
  command->callback([&context, options] { context.run = [&context, options] { return add(context, *options); }; });
}

}  // namespace conceptd::cli
