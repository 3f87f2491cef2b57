#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "cli/command.h"
#include "cli/follow_night.h"
#include "cli/report_page.h"
#include "cli/text.h"
#include "cli/user_files.h"
#include "daemon/api/wire.h"

namespace conceptd::cli {
namespace {

struct Options {
  std::string night = "last";
  std::string html;
};

std::string number_or_dash(const Json& value) { return value.is_number() ? human_number(value.get<double>()) : "-"; }

void print_retention(const Context& context, const std::string& title, const Json& matrix) {
  if (!matrix.value("average", Json()).is_number()) return;
  context.out << title << ": mean " << number_or_dash(matrix["average"]) << ", when learnt "
              << number_or_dash(matrix.value("learning", Json())) << ", backward transfer "
              << number_or_dash(matrix.value("backward_transfer", Json())) << ", forgetting "
              << number_or_dash(matrix.value("forgetting", Json())) << ", worst retention "
              << number_or_dash(matrix.value("worst_retention", Json()));
  if (const std::string worst = matrix.value("worst", std::string()); !worst.empty())
    context.out << " (" << printable(worst) << ")";
  context.out << "\n";
}

void print_report(const Context& context, const Json& report) {
  const auto night = api::decode_answer<api::NightInfo>(report.at("night"));
  context.out << night_line(night) << "; " << printable(night.cause) << ", " << human_time(night.began_at) << " to "
              << (night.ended_at ? human_time(*night.ended_at) : "now") << " UTC, state " << night.state_before
              << (night.state_after ? " to " + std::to_string(*night.state_after) : "") << "\n";
  std::vector<std::vector<std::string>> rows{{"STEP", "STATE", "TOOK", ""}};
  for (const api::NightStepInfo& step : night.steps)
    rows.push_back({step.name, step.state, human_seconds(step.seconds), step.message});
  print_table(context.out, rows);
  rows = {{"LEARNT", "OUTCOME", "WHY"}};
  for (const Json& item : report.value("learnt", Json::array()))
    rows.push_back({item.value("name", "") + "@" + std::to_string(item.value("version", 0)), item.value("outcome", ""),
                    item.value("reason", "")});
  if (rows.size() > 1) print_table(context.out, rows);
  rows = {{"DRAWN AGAIN", "PICTURES", "LIKENESS", "PUBLISHED", "FIT", "PUBLISHED", "TOOK"}};
  for (const Json& item : report.value("measured", Json::array()))
    rows.push_back(
        {item.value("name", "") + "@" + std::to_string(item.value("version", 0)), item.value("outcome", ""),
         number_or_dash(item.value("identity", Json())), number_or_dash(item.value("identity_at_publication", Json())),
         number_or_dash(item.value("fidelity", Json())), number_or_dash(item.value("fidelity_at_publication", Json())),
         human_seconds(item.value("seconds", 0.))});
  if (rows.size() > 1) print_table(context.out, rows);
  const Json matrices = report.value("matrices", Json::object());
  print_retention(context, "likeness", matrices.value("likeness", Json::object()));
  print_retention(context, "fit", matrices.value("fit", Json::object()));
}

int report(const Context& context, const Options& options) {
  if (!options.html.empty()) prepare_output(options.html, "html");
  const Json answer = context.client().get("nights/" + path_segment(options.night) + "/report");
  if (!options.html.empty()) write_output(options.html, report_page(answer), "html");
  if (context.json) {
    context.print(answer);
    return 0;
  }
  print_report(context, answer);
  if (!options.html.empty()) context.out << "The page is in " << options.html << "\n";
  return 0;
}

}  // namespace

void define_report(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("report", "Show what a night did, and that no concept was forgotten");
  command->add_option("--night", options->night, "Its date or number (default: the last)")->type_name("DATE|N");
  command->add_option("--html", options->html, "Write it as a page, with heat maps")->type_name("FILE");
  command->callback([&context, options] { context.run = [&context, options] { return report(context, *options); }; });
}

}  // namespace conceptd::cli
