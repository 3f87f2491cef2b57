#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>
#include <thread>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/user_files.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kPoll = 300ms;

struct Options {
  std::string concept_version;
  api::EvaluateConcept request;
  std::vector<std::string> prompts;
  std::string sheet;
};

std::string label_of(const api::EvaluationInfo& evaluation) {
  return evaluation.name + "@" + std::to_string(evaluation.version);
}

std::string line_of(const api::EvaluationInfo& evaluation) {
  std::string line = "evaluating " + printable(label_of(evaluation)) + ": ";
  if (evaluation.state == "waiting") return line + "waiting for others";
  line += progress_bar(evaluation.done);
  if (evaluation.eta_s >= 0) line += " " + human_seconds(evaluation.eta_s) + " left";
  return line;
}

api::EvaluationInfo follow(const Context& context, const std::string& id) {
  const Client client = context.client();
  ProgressLine progress(context);
  for (;; std::this_thread::sleep_for(kPoll)) {
    const auto evaluation =
        api::decode_answer<api::EvaluationAnswer>(client.get("evaluations/" + path_segment(id))).evaluation;
    if (evaluation.is_over()) return evaluation;
    if (!context.json) progress.say(line_of(evaluation));
  }
}

std::string in_words(const api::EvaluatedWay& way, const api::EvaluationInfo& evaluation) {
  if (way.way == "concept") return label_of(evaluation);
  if (way.way == "words") return "\"" + evaluation.words + "\"";
  return "a plain " + evaluation.class_word + (way.way == "class word" ? "" : ", other seeds");
}

std::string number_or_dash(const std::optional<double>& value) { return value ? human_number(*value) : "-"; }

void print_measures(const Context& context, const api::EvaluationInfo& evaluation) {
  const auto& measures = *evaluation.measures;
  context.out << printable(label_of(evaluation)) << ": "
              << count_of(static_cast<std::int64_t>(measures.prompts.size()), "prompt") << ", "
              << count_of(evaluation.seeds, "seed") << " each, " << human_seconds(measures.seconds) << "\n";
  std::vector<std::vector<std::string>> rows{{"ASKED FOR AS", "LIKENESS", "FIT", "DIVERSITY", "COPY DISTANCE", "W2"}};
  for (const auto& way : measures.ways)
    rows.push_back({in_words(way, evaluation), number_or_dash(way.likeness), human_number(way.fit),
                    number_or_dash(way.diversity), number_or_dash(way.copy_distance), human_number(way.wasserstein)});
  print_table(context.out, rows);
  context.out << "Prompts that do not name it: untouched; were it in force there, they would move by "
              << human_number(measures.unnamed_divergence) << " (latent Fisher divergence).\n";
}

int evaluate(const Context& context, Options& options) {
  if (!options.sheet.empty()) prepare_output(options.sheet, "sheet");
  const auto at = options.concept_version.find('@');
  if (at != std::string::npos) options.request.version = options.concept_version.substr(at + 1);
  if (!options.prompts.empty()) options.request.prompts = options.prompts;
  const Client client = context.client();
  const std::string name = options.concept_version.substr(0, at);
  const auto asked = api::decode_answer<api::EvaluationAnswer>(
      client.post("concepts/" + path_segment(name) + "/evaluate", api::encode(options.request)));
  const auto done = follow(context, asked.evaluation.id);
  if (context.json) context.print(api::encode(api::EvaluationAnswer{done}));
  if (done.state != "done") {
    if (!context.json)
      context.err << "The evaluation "
                  << (done.state == "failed" ? "has failed: " + printable(done.error) : "was cancelled") << "\n";
    return kExitJobFailed;
  }
  if (!context.json) print_measures(context, done);
  if (options.sheet.empty()) return 0;
  write_output(options.sheet, client.get_bytes("evaluations/" + path_segment(done.id) + "/sheet.png"), "sheet");
  if (!context.json) {
    context.out << printable(options.sheet) << ": a column for each prompt; rows from the top:";
    std::string before = " ";
    for (const auto& way : done.measures->ways) {
      if (way.way == "class word, other seeds") continue;
      context.out << before << printable(in_words(way, done));
      before = ", ";
    }
    context.out << "\n";
  }
  return 0;
}

}  // namespace

void define_evaluate(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("evaluate", "Measure how good a version is, beside the class word");
  command->add_option("concept", options->concept_version, "What is live, or this version")
      ->required()
      ->type_name("NAME[@VERSION]");
  command
      ->add_option("-p,--prompt", options->prompts, "\"a {} on the beach\"; as often as wanted (default: the gate's)")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  command->add_option("--seeds", options->request.seeds, "Pictures of each prompt (default: 4)")->type_name("N");
  command->add_option("--words", options->request.words, "Describe it: how near words alone come to it")
      ->type_name("TEXT");
  command->add_option("-o,--sheet", options->sheet, "Write the pictures side by side")->type_name("FILE");
  command->callback([&context, options] { context.run = [&context, options] { return evaluate(context, *options); }; });
}

}  // namespace conceptd::cli
