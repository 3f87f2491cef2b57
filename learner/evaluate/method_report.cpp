#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <optional>

#include "core/digest.h"
#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/delta.h"
#include "diffusion/token_covariance.h"
#include "learner/evaluate/kept_deltas.h"
#include "learner/evaluate/trial.h"
#include "learner/pretrain/scenes.h"
#include "learner/template.h"

namespace conceptd::evaluate {

namespace {
using nlohmann::json;

// What has been measured so far: one line of JSON a thing and way, with the way as it was then; so ways can be added to
// a file, and none can change under its name. A line that a killed run left half is not counted.
class Results {
 public:
  Results(std::filesystem::path path, std::string plan) : path_(std::move(path)), plan_(std::move(plan)) {
    std::ifstream in(path_);
    for (std::string line; std::getline(in, line);) {
      const auto entry = json::parse(line, nullptr, false);
      if (entry.is_discarded()) continue;
      if (entry.at("plan") != plan_)
        throw Error(Code::conflict, path_.string() + " holds results of another plan; name another file", "out");
      done_[{entry.at("thing"), entry.at("way")}] = entry.value("meaning", json());
    }
  }
  bool has(const std::string& thing, const std::string& way, const json& meaning) const {
    const auto found = done_.find({thing, way});
    if (found != done_.end() && found->second != meaning)
      throw Error(Code::conflict, path_.string() + " has results of another '" + way + "'; give this one another name",
                  "ways");
    return found != done_.end();
  }
  void add(const std::string& thing, const std::string& way, const json& meaning, json entry) {
    entry["plan"] = plan_, entry["thing"] = thing, entry["way"] = way, entry["meaning"] = meaning;
    std::ofstream out(path_, std::ios::app);
    out << entry.dump() + "\n" << std::flush;
    if (!out) throw Error(Code::exhausted, path_.string() + " could not be written", "out");
    done_[{thing, way}] = meaning;
    std::printf(
        "%s %-26s identity %.3f, fidelity %.3f, companion %.2f, background %.2f, wasserstein %.3f, fisher %.5f\n",
        thing.c_str(), way.c_str(), entry.at("embedding").get<double>(), entry.at("fidelity").get<double>(),
        entry.at("companion").get<double>(), entry.at("background").get<double>(), entry.value("wasserstein", 0.),
        entry.value("fisher", 0.));
    std::fflush(stdout);
  }

 private:
  const std::filesystem::path path_;
  const std::string plan_;
  std::map<std::pair<std::string, std::string>, json> done_;  // (thing, way) -> what that way was
};

// The bench for one thing: its prompts, its references, and what is drawn.
class Bench {
 public:
  Bench(diffusion::ModelBundle& bundle, Evaluator& judge, HeldOutCase& held, const MethodPlan& plan,
        const Drawing& drawing)
      : bundle_(bundle), judge_(judge), held_(held), plan_(plan), prompts_(trial_prompts(held)) {
    torch::NoGradGuard frozen;
    references_.renders = held.references(judge);
    references_.photos_towers = judge.towers.of_pictures(held.photos);
    references_.plain_towers = judge.towers.of_pictures(drawn(held.word, nullptr, drawing));
  }

  Tensor drawn(const std::string& words, const std::shared_ptr<const diffusion::EditSet>& edits, const Drawing& drawing,
               std::uint64_t further = 0) {
    std::vector<std::string> texts;
    for (const auto& prompt : prompts_)
      texts.insert(texts.end(), static_cast<std::size_t>(plan_.seeds), learner::filled(prompt.text, words));
    return draw(bundle_, texts, edits, held_.first_seed + further, drawing);
  }
  // The scenes that the prompts ask for, photographed.
  Tensor renders() {
    std::vector<world::Scene> scenes;
    for (const auto& prompt : prompts_) {
      for (int64_t k = 0; k < plan_.seeds; ++k) {
        auto scene = world::photograph(held_.instance, held_.random, prompt.background);
        if (prompt.companion) {
          scene.objects[0].x = 18, scene.objects[0].size = 28;
          scene.objects.push_back({.instance = *prompt.companion, .x = 46, .size = 28});
        }
        scenes.push_back(scene);
      }
    }
    return pretrain::render_scenes(scenes);
  }
  json measured(const std::string& way, const Tensor& pictures) {
    if (!plan_.strips.empty()) {
      std::filesystem::create_directories(plan_.strips);
      std::vector<Tensor> shown;
      for (int64_t k = 0; k < static_cast<int64_t>(prompts_.size()); k += 2)
        shown.push_back(pictures.slice(0, k * plan_.seeds, k * plan_.seeds + 1));
      pretrain::save_grid((plan_.strips / (held_.name + "-" + way + ".png")).string(), torch::cat(shown),
                          static_cast<int64_t>(shown.size()), 1);
    }
    return measure_trial(judge_, held_, prompts_, pictures, plan_.seeds, references_);
  }

 private:
  diffusion::ModelBundle& bundle_;
  Evaluator& judge_;
  HeldOutCase& held_;
  const MethodPlan& plan_;
  const std::vector<TrialPrompt> prompts_;
  TrialReferences references_;
};
}  // namespace

void report_methods(diffusion::ModelBundle& bundle, diffusion::ModelBundle& exact, Evaluator& judge,
                    const MethodPlan& plan, const Drawing& drawing) {
  const auto covariance = diffusion::TokenCovariance::of(bundle);
  const auto base = diffusion::DeltaBase::of(bundle, &covariance);
  const auto before = bundle.parameter_digest();
  const json told{{"photos", plan.photos},
                  {"seeds", plan.seeds},
                  {"steps", drawing.steps},
                  {"guidance", drawing.guidance},
                  {"rescale", drawing.rescale},
                  {"edit_negative", drawing.edit_negative},
                  {"compute", std::string(c10::toString(bundle.compute))},
                  {"judge", judge.digest().hex()},
                  {"base", bundle.fingerprint.hex()}};
  Results results(plan.out, Digest::of(told.dump()).short_hex());
  constexpr int64_t kFisherPrompts = 16, kFisherTimes = 10;
  std::optional<learner::FisherPlan> fisher;
  for (int64_t c = plan.first; c < plan.first + plan.concepts; ++c) {
    HeldOutCase held(c, plan.photos);
    std::optional<Bench> bench;
    const auto put = [&](const std::string& way, const json& meaning, const std::function<json(Bench&)>& measure) {
      if (results.has(held.name, way, meaning)) return;
      if (!bench) bench.emplace(bundle, judge, held, plan, drawing);
      results.add(held.name, way, meaning, measure(*bench));
    };
    const auto words = [&](const std::string& way, const std::string& said, std::uint64_t further) {
      put(way, {}, [&](Bench& on) { return on.measured(way, on.drawn(said, nullptr, drawing, further)); });
    };
    words("class word", held.word, 0);
    words("class word, other seeds", held.word, 10'000'000);
    words("best description", held.description, 0);
    put("real renders", {}, [&](Bench& on) { return on.measured("real renders", on.renders()); });
    for (const auto& [name, way] : plan.ways.items()) {
      put(name, way, [&, &name = name, &way = way](Bench& on) {
        learner::LearnContext context{.bundle = bundle};
        auto learnt = learn_or_recall(way.at("method"), held.request(way.value("settings", json::object())), context,
                                      plan.deltas);
        if (way.value("compact", false)) {  // what is drawn is what would be stored
          learnt.delta.compact = true;
          learnt.delta = diffusion::parse_delta(diffusion::delta_bytes(learnt.delta), held.name);
        }
        diffusion::GateChoice gate;
        if (way.contains("gate_bias")) gate.bias = way.at("gate_bias").get<double>();
        const auto edits = std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(learnt.delta, base, gate));
        auto drawn_so = drawing;
        drawn_so.lock = diffusion::key_locks().at(way.value("key_lock", "local"));
        auto entry = on.measured(name, on.drawn("<" + held.name + ">", edits, drawn_so));
        entry["seconds"] = learnt.seconds, entry["passes"] = learnt.passes;  // NaN is kept as null
        entry["bytes"] = diffusion::delta_bytes(learnt.delta, torch::kHalf).size();
        if (!fisher) fisher.emplace(fisher_plan(exact, kFisherPrompts, kFisherTimes, drawing));
        entry["fisher"] = fisher->divergence(edits);
        return entry;
      });
    }
  }
  if (bundle.parameter_digest() != before) throw Error(Code::internal, "the base's bytes have changed");
}

}  // namespace conceptd::evaluate
