#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/text.h"
#include "cli/user_files.h"
#include "core/picture/picture.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

constexpr std::uint64_t kPictureBytesMax = 256u << 20;

bool names_a_picture(const std::string& text) {
  std::error_code ignored;
  return text.find('/') != std::string::npos || (text.ends_with(".png") && std::filesystem::exists(text, ignored));
}

int show_picture(const Context& context, const std::string& path) {
  const auto provenance = api::provenance_from(picture::read_png_texts(read_user_file(path, kPictureBytesMax)));
  if (context.json) {
    context.print(api::encode(provenance));
    return 0;
  }
  std::vector<std::vector<std::string>> rows{
      {"prompt", printable(provenance.prompt)},
      {"seed", std::to_string(provenance.seed)},
      {"state", std::to_string(provenance.state)},
      {"sampler", provenance.sampler + ", " + count_of(provenance.steps, "step") + ", guidance " +
                      human_number(provenance.guidance)},
      {"size", std::to_string(provenance.width) + "x" + std::to_string(provenance.height)},
      {"base", provenance.base + " " + short_digest(provenance.base_fingerprint)},
      {"made by", "conceptd " + provenance.release}};
  for (const auto& [name, value] :
       {std::pair{"gate bias", provenance.gate_bias}, std::pair{"gate temperature", provenance.gate_temperature}})
    if (value) rows.push_back({name, human_number(*value)});
  if (provenance.consolidated) rows.push_back({"consolidated", short_digest(*provenance.consolidated)});
  if (provenance.key_lock) rows.push_back({"key lock", *provenance.key_lock});
  if (provenance.concept_attention) rows.push_back({"concept attention", printable(*provenance.concept_attention)});
  if (!provenance.negative_prompt.empty())
    rows.insert(rows.begin() + 1, {"negative", printable(provenance.negative_prompt)});
  for (const api::UsedConcept& used : provenance.concepts)
    rows.push_back({"concept", used.name + " version " + std::to_string(used.version) + ", " + used.method + ", " +
                                   short_digest(used.digest)});
  print_table(context.out, rows);
  return 0;
}

void print_version(std::ostream& out, const api::VersionInfo& version) {
  std::vector<std::vector<std::string>> rows{
      {"version", std::to_string(version.number) + ", learnt " + human_time(version.created_at)},
      {"method", version.method + ", seed " + std::to_string(version.seed)},
      {"delta", human_bytes(version.size_bytes) + ", " + short_digest(version.digest)},
      {"base", short_digest(version.base_fingerprint)}};
  for (const auto& [name, value] : version.metrics.items())
    if (value.is_number()) rows.push_back({name, human_number(value.get<double>())});
  print_table(out, rows, "  ");
}

// "kettle-7@2": that one, also where the gate keeps it from being live.
int show_version(const Context& context, const std::string& name, const std::string& number) {
  const auto history =
      api::decode_answer<api::History>(context.client().get("concepts/" + path_segment(name) + "/history"));
  for (const api::VersionInfo& version : history.versions) {
    if (std::to_string(version.number) != number) continue;
    if (context.json) {
      context.print(api::encode(version));
    } else {
      context.out << printable(name) << "@" << version.number << ": " << printable(version.verdict)
                  << (version.verdict_reason.empty() ? "" : ", " + printable(version.verdict_reason)) << "\n";
      print_version(context.out, version);
    }
    return 0;
  }
  throw Error(Code::not_found, name + " has no version " + number + "; conceptctl history " + name + " lists them",
              "version");
}

int show_concept(const Context& context, const std::string& name) {
  const Json answer = context.client().get("concepts/" + path_segment(name));
  if (context.json) {
    context.print(answer);
    return 0;
  }
  const auto detail = api::decode_answer<api::ConceptDetail>(answer);
  const api::ConceptSummary& item = detail.summary;
  std::ostream& out = context.out;
  out << printable(item.name) << ", a " << printable(item.class_word) << ": " << printable(item.status) << "\n";
  out << "added " << printable(human_time(item.created_at)) << " by " << printable(detail.created_by) << "\n";
  if (item.pinned_version) out << "pinned at version " << *item.pinned_version << ": learning does not move it\n";
  if (detail.problem) out << "problem: " << printable(*detail.problem) << "\n";
  if (detail.live) print_version(out, *detail.live);
  if (detail.last_job && !detail.last_job->error_message.empty() && detail.last_job->state != "done")
    out << "last job " << detail.last_job->id << " " << printable(detail.last_job->state) << ": "
        << printable(detail.last_job->error_message) << "\n";
  out << count_of(static_cast<std::int64_t>(detail.photos.size()), "photo") << ":\n";
  std::vector<std::vector<std::string>> rows;
  for (const api::PhotoInfo& photo : detail.photos)
    rows.push_back({printable(photo.name), std::to_string(photo.width) + "x" + std::to_string(photo.height),
                    photo.media_type, human_bytes(photo.size_bytes), short_digest(photo.digest)});
  print_table(out, rows, "  ");
  return 0;
}

}  // namespace

void define_show(CLI::App& app, Context& context) {
  auto what = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("show", "Show a concept, one of its versions, or how a picture was made");
  command->add_option("what", *what, "A concept, a version, or a PNG that the daemon made")
      ->required()
      ->type_name("NAME[@N]|FILE.png");
  command->callback([&context, what] {
    context.run = [&context, what] {
      if (names_a_picture(*what)) return show_picture(context, *what);
      const auto at = what->find('@');
      return at == std::string::npos ? show_concept(context, *what)
                                     : show_version(context, what->substr(0, at), what->substr(at + 1));
    };
  });
}

}  // namespace conceptd::cli
