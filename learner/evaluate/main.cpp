// conceptd-evaluate: measures the embedded base, and what the methods learn on it. Not installed by default.
#include <CLI/CLI.hpp>
#include <fstream>

#include "core/error.h"
#include "diffusion/runtime.h"
#include "learner/evaluate/reports.h"

using namespace conceptd;

int main(int argc, char** argv) {
  std::string base = "models/tiny-64", evaluator = "models/evaluator", out, grid, settings = "{}";
  std::string dtype = "auto";
  int threads = 0;
  int64_t count = 240;
  evaluate::Drawing drawing;
  evaluate::ConceptPlan plan;
  CLI::App app{"Measures the embedded base model and the methods that learn on it."};
  app.require_subcommand(1);
  auto* base_command = app.add_subcommand("base", "does it draw what its words say?");
  auto* concepts_command = app.add_subcommand("concepts", "can held-out things be learnt?");
  for (auto* command : {base_command, concepts_command}) {
    command->add_option("--base", base);
    command->add_option("--evaluator", evaluator);
    command->add_option("--out", out, "write the figures here as JSON");
    command->add_option("--grid", grid, "write pictures here")->required();
    command->add_option("--threads", threads, "0: one a CPU");
    command->add_option("--dtype", dtype, "fp32, bf16 or auto");
    command->add_option("--steps", drawing.steps);
    command->add_option("--guidance", drawing.guidance);
    command->add_option("--rescale", drawing.rescale, "of the guidance, 0..1");
  }
  base_command->add_option("--prompts", count);
  concepts_command->add_option("--first", plan.first, "of the held-out things; 0");
  concepts_command->add_option("--concepts", plan.concepts, "so many, from there");
  concepts_command->add_option("--photos", plan.photos);
  concepts_command->add_option("--seeds", plan.seeds);
  concepts_command->add_option("--methods", plan.methods);
  concepts_command->add_option("--biases", plan.biases, "further biases of Perfusion's gate to draw each delta with");
  concepts_command->add_option("--settings", settings, "JSON: method -> settings");
  concepts_command->add_option("--deltas", plan.deltas, "keep here what is learnt, and take it from here");
  CLI11_PARSE(app, argc, argv);
  try {
    const auto runtime = diffusion::set_up_compute({.threads = threads, .dtype = dtype});
    auto bundle = diffusion::ModelBundle::open(base, {.compute = runtime.dtype});
    evaluate::Evaluator judge(evaluator);
    plan.settings = nlohmann::json::parse(settings);
    const auto report = base_command->parsed() ? evaluate::report_base(bundle, judge, count, drawing, grid)
                                               : evaluate::report_concepts(bundle, judge, plan, drawing, grid);
    std::puts(report.dump(2).c_str());
    if (!out.empty()) std::ofstream(out) << report.dump(2) << "\n";
  } catch (const Error& error) {
    std::fprintf(stderr, "conceptd-evaluate: %s\n", error.what());
    return exit_status(error.code());
  }
  return 0;
}
