// conceptd-evaluate: measures the embedded base, and what the methods learn on it. Not installed by default.
#include <CLI/CLI.hpp>
#include <fstream>
#include <functional>

#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/runtime.h"
#include "learner/evaluate/lifelong.h"
#include "learner/evaluate/reports.h"

using namespace conceptd;
using nlohmann::json;

namespace {
struct Options {
  std::string base = "models/tiny-64", evaluator = "models/evaluator", dtype = "auto", settings = "{}",
              attention = "{}";
  std::string ways = "bench/methods/ways.json";
  std::filesystem::path out, grid, page, points, sheet;
  int threads = 0;
  int64_t prompts = 240, repeats = 3;
  evaluate::Drawing drawing;
  evaluate::ConceptPlan plan;
  evaluate::MethodPlan methods;
  evaluate::LifelongPlan lifelong;
  std::vector<std::filesystem::path> results;
  std::vector<std::string> against, sheet_things, sheet_ways;
};

diffusion::ModelBundle open_base(const Options& options) {
  const auto runtime = diffusion::set_up_compute({.threads = options.threads, .dtype = options.dtype});
  return diffusion::ModelBundle::open(options.base, {.compute = runtime.dtype});
}

void tell(const Options& options, const json& report) {
  std::puts(report.dump(2).c_str());
  if (!options.out.empty()) std::ofstream(options.out) << report.dump(2) << "\n";
}

void measure_base(Options& options) {
  auto bundle = open_base(options);
  evaluate::Evaluator judge(options.evaluator);
  tell(options, evaluate::report_base(bundle, judge, options.prompts, options.drawing, options.grid));
}

void measure_concepts(Options& options) {
  auto bundle = open_base(options);
  evaluate::Evaluator judge(options.evaluator);
  options.plan.settings = json::parse(options.settings);
  tell(options, evaluate::report_concepts(bundle, judge, options.plan, options.drawing, options.grid));
}

void measure_gate(Options& options) {
  auto bundle = open_base(options);
  options.plan.settings = json::parse(options.settings);
  tell(options, evaluate::report_gate(bundle, options.plan, options.repeats));
}

void measure_methods(Options& options) {
  auto bundle = open_base(options);
  auto exact = diffusion::ModelBundle::open(options.base);
  evaluate::Evaluator judge(options.evaluator);
  const auto& plan = options.plan;
  auto& methods = options.methods;
  methods.first = plan.first, methods.concepts = plan.concepts, methods.photos = plan.photos;
  methods.deltas = plan.deltas, methods.out = options.out;
  methods.ways = json::parse(read_file(options.ways, 1u << 20));
  evaluate::report_methods(bundle, exact, judge, methods, options.drawing);
}

void measure_lifelong(Options& options) {
  auto bundle = open_base(options);
  evaluate::Evaluator judge(options.evaluator);
  options.lifelong.settings = json::parse(options.settings);
  const auto attention = json::parse(options.attention);
  for (const auto& [name, settings] : attention.items())
    options.lifelong.attention[name] = evaluate::attention_settings(settings);
  tell(options, evaluate::report_lifelong(bundle, judge, options.lifelong, options.drawing, options.grid));
}

void sum_up(Options& options) {
  const auto summary = evaluate::summarise(options.results, options.against);
  const auto table = evaluate::summary_table(summary);
  std::puts(table.c_str());
  if (!options.out.empty()) std::ofstream(options.out) << summary.dump(2) << "\n";
  if (!options.page.empty()) std::ofstream(options.page) << table;
  if (!options.points.empty()) evaluate::write_points(summary, options.points);
  if (!options.sheet.empty())
    evaluate::write_sheet(options.methods.strips, options.sheet_things, options.sheet_ways, options.sheet);
}
}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::function<void(Options&)> run;
  CLI::App app{"Measures the embedded base model and the methods that learn on it."};
  app.require_subcommand(1);
  const auto command = [&](const char* name, const char* about, void (*what)(Options&)) {
    auto* added = app.add_subcommand(name, about);
    added->callback([&run, what] { run = what; });
    return added;
  };
  auto* base = command("base", "does it draw what its words say?", measure_base);
  auto* concepts = command("concepts", "can held-out things be learnt?", measure_concepts);
  auto* gate = command("gate", "what may the base's gate ask?", measure_gate);
  auto* methods = command("methods", "what does each method learn, and at what cost?", measure_methods);
  auto* summary = command("summary", "the results of `methods` as means, intervals and differences", sum_up);
  auto* lifelong =
      command("lifelong", "what does consolidation keep, and two concepts in one prompt?", measure_lifelong);
  for (auto* measuring : {base, concepts, gate, methods, lifelong}) {
    measuring->add_option("--base", options.base);
    measuring->add_option("--threads", options.threads, "0: one a CPU");
    measuring->add_option("--dtype", options.dtype, "fp32, bf16 or auto");
  }
  for (auto* drawing : {base, concepts, methods, lifelong}) {
    drawing->add_option("--evaluator", options.evaluator);
    drawing->add_option("--steps", options.drawing.steps);
    drawing->add_option("--guidance", options.drawing.guidance);
    drawing->add_option("--edit-negative", options.drawing.edit_negative, "edits in the unconditional half too; true");
    drawing->add_option("--key-lock", options.drawing.lock, "of Perfusion: local, global or global_edited")
        ->transform(CLI::CheckedTransformer(diffusion::key_locks()));
    drawing->add_option("--rescale", options.drawing.rescale, "of the guidance, 0..1");
  }
  for (auto* with_grid : {base, concepts, lifelong})
    with_grid->add_option("--grid", options.grid, "write pictures here")->required();
  for (auto* learning : {concepts, gate, methods}) {
    learning->add_option("--first", options.plan.first, "of the held-out things; 0");
    learning->add_option("--concepts", options.plan.concepts, "so many, from there");
    learning->add_option("--photos", options.plan.photos);
    learning->add_option("--deltas", options.plan.deltas, "keep here what is learnt, and take it from here");
  }
  for (auto* some : {concepts, gate}) {
    some->add_option("--methods", options.plan.methods);
    some->add_option("--settings", options.settings, "JSON: method -> settings");
  }
  for (auto* telling : {base, concepts, gate, summary, lifelong})
    telling->add_option("--out", options.out, "write the figures here as JSON");
  lifelong->add_option("--first", options.lifelong.first, "of the held-out things; 0");
  lifelong->add_option("--concepts", options.lifelong.concepts, "so many, from there");
  lifelong->add_option("--deltas", options.lifelong.deltas, "keep here what is learnt, and take it from here");
  lifelong->add_option("--seeds", options.lifelong.seeds, "a place, of each thing alone; 0: none");
  lifelong->add_option("--pairs", options.lifelong.pairs, "of two things");
  lifelong->add_option("--pair-seeds", options.lifelong.pair_seeds, "of each pair");
  lifelong->add_option("--settings", options.settings, "JSON: of the consolidation");
  lifelong->add_option("--attention", options.attention, "JSON: name -> settings of guidance to draw pairs with");
  base->add_option("--prompts", options.prompts);
  concepts->add_option("--seeds", options.plan.seeds, "a place");
  concepts->add_option("--biases", options.plan.biases, "further biases of Perfusion's gate to draw each delta with");
  gate->add_option("--repeats", options.repeats, "sets of seeds");
  methods->add_option("--out", options.out, "results are added here, a line of JSON each")->required();
  methods->add_option("--ways", options.ways, "JSON file: name -> method and settings");
  methods->add_option("--seeds", options.methods.seeds, "a prompt");
  methods->add_option("--strips", options.methods.strips, "a folder for ten pictures of each thing and way");
  summary->add_option("results", options.results)->required();
  summary->add_option("--against", options.against, "ways that all are compared with, in pairs");
  summary->add_option("--page", options.page, "write the table here as Markdown");
  summary->add_option("--points", options.points, "write it here for bench/methods/plot.gp");
  summary->add_option("--sheet", options.sheet, "write a PNG of strips here: of every thing, every way");
  summary->add_option("--strips", options.methods.strips, "where `methods` put them");
  summary->add_option("--sheet-things", options.sheet_things);
  summary->add_option("--sheet-ways", options.sheet_ways);
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const Error& error) {
    std::fprintf(stderr, "conceptd-evaluate: %s\n", error.what());
    return exit_status(error.code());
  }
  return 0;
}
