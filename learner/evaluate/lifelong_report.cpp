#include <chrono>
#include <functional>
#include <numeric>
#include <optional>

#include "core/error.h"
#include "diffusion/token_covariance.h"
#include "learner/evaluate/held_out.h"
#include "learner/evaluate/kept_deltas.h"
#include "learner/evaluate/lifelong.h"
#include "learner/l2dm/consolidate.h"
#include "learner/pretrain/scenes.h"
#include "learner/pretrain/stages.h"
#include "learner/settings.h"

namespace conceptd::evaluate {

namespace {
using nlohmann::json;
using Edits = std::shared_ptr<const diffusion::EditSet>;
constexpr std::uint64_t kPairSeed = 0x9a125;
constexpr float kLeft = 18, kRight = 46, kPairSize = 28;  // as the world places two things, pixels
constexpr int64_t kCrop = 36, kCropTop = 15;

struct Thing {
  HeldOutCase held;
  learner::ConsolidationMember member;
  References references;
  std::vector<int> places;
};

Thing thing_of(diffusion::ModelBundle& bundle, Evaluator& judge, int64_t index, const LifelongPlan& plan) {
  HeldOutCase held(index, plan.photos);
  learner::LearnContext context{.bundle = bundle};
  auto delta = learn_or_recall("perfusion", held.request(json::object()), context, plan.deltas).delta;
  const auto digest = Digest::of(diffusion::delta_bytes(delta));
  const auto photos = held.photos;
  auto references = held.references(judge);
  auto places = held.places_beside();
  return {std::move(held), {digest, std::move(delta), photos}, std::move(references), std::move(places)};
}

// One thing alone: "a <held-01> on the beach", in every place that no photo shows.
class Singles {
 public:
  Singles(diffusion::ModelBundle& bundle, Evaluator& judge, const LifelongPlan& plan, const Drawing& drawing)
      : bundle_(bundle), judge_(judge), plan_(plan), drawing_(drawing) {}

  double identity(const Thing& thing, const std::string& words, const Edits& edits) {
    std::vector<std::string> prompts;
    for (const int place : thing.places) {
      const std::string phrase(world::background_phrases()[static_cast<std::size_t>(place)]);
      prompts.insert(prompts.end(), static_cast<std::size_t>(plan_.seeds), "a " + words + " " + phrase);
    }
    const auto pictures = draw(bundle_, prompts, edits, thing.held.first_seed, drawing_);
    IdentityScore score;
    add_identity(score, judge_.net, pictures, thing.held.instance, thing.references.identity);
    const auto n = pictures.size(0);
    for (const auto at : {n / 4, 3 * n / 4}) shown.push_back(pictures.slice(0, at, at + 1));
    return score.embedding / static_cast<double>(score.pictures);
  }
  std::vector<Tensor> shown;

 private:
  diffusion::ModelBundle& bundle_;
  Evaluator& judge_;
  const LifelongPlan& plan_;
  const Drawing& drawing_;
};

// Two things in one picture, against the truth: i stands left, j right.
struct PairScore {
  Share neglected, all_present, bound, confused;
  double identity = 0;
  int64_t crops = 0;
  json to_json() const {
    return {{"neglect", neglected.value()},
            {"all_present", all_present.value()},
            {"shapes_and_colours_right", bound.value()},
            {"confusion", confused.value()},
            {"crop_identity", crops ? identity / static_cast<double>(crops) : 0},
            {"pictures", all_present.asked}};
  }
};

Tensor crops_at(const Tensor& pictures, int64_t left) {
  const auto part = pictures.slice(2, kCropTop, kCropTop + kCrop).slice(3, left, left + kCrop);
  namespace F = torch::nn::functional;
  return F::interpolate(part, F::InterpolateFuncOptions()
                                  .size(std::vector<int64_t>{world::kSide, world::kSide})
                                  .mode(torch::kBilinear)
                                  .align_corners(false));
}

void add_pair(PairScore& score, Evaluator& judge, const Tensor& pictures, const Thing& left, const Thing& right) {
  torch::NoGradGuard frozen;
  const auto truth = truth_of({.objects = {{.instance = left.held.instance}, {.instance = right.held.instance}}});
  const auto shape_at = [](int64_t shape, int place) { return place ? shape - 1 : shape; };  // 0 of the second: nothing
  for (const auto& seen : look(judge.net, pictures)) {
    int present = 0;
    for (int u = 0; u < 2; ++u) {
      const auto wanted = shape_at(truth.place[u][kShape], u);
      const bool there = shape_at(seen.place[0][kShape], 0) == wanted || shape_at(seen.place[1][kShape], 1) == wanted;
      score.neglected.count(!there), present += there;
    }
    score.all_present.count(present == 2);
    bool bound = true;
    for (int u = 0; u < 2; ++u) {
      for (const auto question : {kShape, kFirst}) bound = bound && seen.place[u][question] == truth.place[u][question];
    }
    score.bound.count(bound);
  }
  const Thing* things[] = {&left, &right};
  for (int u = 0; u < 2; ++u) {
    const auto seen = judge.net(crops_at(pictures, u ? world::kSide - kCrop : 0)).identity;  // (b, 64)
    const auto likeness = [&](const Thing& thing) {
      return torch::matmul(seen, thing.references.identity.own.t()).mean(1);
    };
    const auto own = likeness(*things[u]), other = likeness(*things[1 - u]);
    score.identity += own.sum().item<double>(), score.crops += own.size(0);
    for (int64_t k = 0; k < own.size(0); ++k) score.confused.count(other[k].item<float>() > own[k].item<float>());
  }
}

double kept(double mine, double floor, double ceiling) { return (mine - floor) / (ceiling - floor); }

Edits summed(const std::vector<const Thing*>& things, const diffusion::DeltaBase& base) {
  auto all = std::make_shared<diffusion::EditSet>();
  for (const auto* thing : things) add_edits(*all, diffusion::delta_edits(thing->member.delta, base));
  return all;
}
using EditsOf = std::function<Edits(const std::string& way, const Thing& left, const Thing& right)>;

// "a <held-02> and a <held-07> on the beach", in every way: as class words, as the sum of both deltas, consolidated.
json measure_pairs(diffusion::ModelBundle& bundle, Evaluator& judge, const std::vector<Thing>& things,
                   const LifelongPlan& plan, const Drawing& drawing, const std::filesystem::path& grid,
                   const EditsOf& edits_of, const std::vector<std::string>& ways) {
  auto random = pretrain::task_random(kPairSeed, 0, 0);
  std::vector<std::pair<std::size_t, std::size_t>> order;
  for (std::size_t i = 0; i < things.size(); ++i) {
    for (std::size_t j = 0; j < things.size(); ++j)
      if (i != j) order.emplace_back(i, j);
  }
  std::shuffle(order.begin(), order.end(), random);
  order.resize(std::min(order.size(), static_cast<std::size_t>(plan.pairs)));
  std::map<std::string, PairScore> scores;
  std::map<std::string, double> seconds;
  std::vector<Tensor> shown;
  const auto count = [&](const std::string& way, const Tensor& pictures, const Thing& left, const Thing& right) {
    add_pair(scores[way], judge, pictures, left, right);
    shown.push_back(pictures.slice(0, 0, std::min<int64_t>(2, plan.pair_seeds)));
  };
  for (const auto& [i, j] : order) {
    const auto &left = things[i], &right = things[j];
    std::vector<world::Scene> scenes;
    for (int64_t k = 0; k < plan.pair_seeds; ++k) {
      auto scene = world::photograph(left.held.instance, random);
      scene.objects[0].x = kLeft, scene.objects[0].size = kPairSize;
      scene.objects.push_back({.instance = right.held.instance, .x = kRight, .size = kPairSize});
      scenes.push_back(scene);
    }
    count("real renders", pretrain::render_scenes(scenes), left, right);
    const auto put = [&](const std::string& way, const std::string& a, const std::string& b, const Edits& edits,
                         const std::optional<diffusion::ConceptAttentionSettings>& attention) {
      std::vector<std::string> prompts;
      for (int64_t k = 0; k < plan.pair_seeds; ++k) {
        const auto place = left.places[static_cast<std::size_t>(k) % left.places.size()];
        const std::string phrase(world::background_phrases()[static_cast<std::size_t>(place)]);
        prompts.push_back("a " + a + " and a " + b + " " + phrase);
      }
      auto guided = drawing;
      guided.attention = attention;
      const auto began = std::chrono::steady_clock::now();
      const auto pictures = draw(bundle, prompts, edits, kPairSeed + 1000 * (i * things.size() + j), guided);
      seconds[way] += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
      count(way, pictures, left, right);
    };
    put("class words", left.held.word, right.held.word, nullptr, std::nullopt);
    for (const auto& way : ways) {
      const auto edits = edits_of(way, left, right);
      const auto a = left.member.delta.placeholder, b = right.member.delta.placeholder;
      put(way, a, b, edits, std::nullopt);
      for (const auto& [name, attention] : plan.attention) put(way + ", " + name, a, b, edits, attention);
    }
  }
  json out = json::object();
  for (const auto& [way, score] : scores) {
    out[way] = score.to_json();
    if (seconds.contains(way)) out[way]["seconds"] = seconds[way];
    std::printf("%-32s %s\n", way.c_str(), out[way].dump().c_str());
  }
  if (!shown.empty()) pretrain::save_grid(grid.string(), torch::cat(shown), 2 * static_cast<int64_t>(scores.size()), 1);
  return out;
}
}  // namespace

diffusion::ConceptAttentionSettings attention_settings(const json& settings) {
  diffusion::ConceptAttentionSettings s;
  learner::SettingsReader reader(settings, "attention");
  reader.number("step_size", s.step_size, 0, 1e6);
  reader.number("share", s.share, 0, 1);
  reader.whole("refine_max", s.refine_max, 0, 100);
  reader.number("attend", s.losses.attend, 0, 100);
  reader.number("unmix", s.losses.unmix, 0, 100);
  reader.number("orthogonal", s.losses.orthogonal, 0, 100);
  reader.number("dynamics", s.losses.dynamics, 1e-9, 100);
  reader.finish();
  return s;
}

json report_lifelong(diffusion::ModelBundle& bundle, Evaluator& judge, const LifelongPlan& plan, const Drawing& drawing,
                     const std::filesystem::path& grid) {
  const auto covariance = diffusion::TokenCovariance::of(bundle);
  const auto base = diffusion::DeltaBase::of(bundle, &covariance);
  const auto before = bundle.parameter_digest();
  std::vector<Thing> things;
  learner::ConsolidationRequest request;
  request.settings = plan.settings;
  for (int64_t c = plan.first; c < plan.first + plan.concepts; ++c) {
    things.push_back(thing_of(bundle, judge, c, plan));
    request.members.push_back(things.back().member);
  }
  learner::LearnContext context{.bundle = bundle};
  const auto began = std::chrono::steady_clock::now();
  const auto done = learner::consolidate(request, context);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("consolidated in %.0f s: %s\n", seconds, done.metrics.dump().c_str());
  std::fflush(stdout);
  std::map<std::string, diffusion::Consolidated> made{{"closed form", done.made}};
  made["closed form"].residual.clear();
  if (!done.made.residual.empty()) made["with rest"] = done.made;
  const auto edits_of = [&](const std::string& way, const std::vector<const Thing*>& named) -> Edits {
    std::vector<std::string> placeholders;
    for (const auto* thing : named) placeholders.push_back(thing->member.delta.placeholder);
    return std::make_shared<const diffusion::EditSet>(consolidated_edits(made.at(way), base, placeholders));
  };

  json out{{"concepts", plan.concepts},
           {"settings", done.made.settings},
           {"consolidation", done.metrics},
           {"seconds_to_consolidate", seconds},
           {"bytes", diffusion::consolidated_bytes(done.made, torch::kHalf).size()}};
  Singles singles(bundle, judge, plan, drawing);
  std::map<std::string, std::vector<double>> shares;
  for (const auto& thing : things) {
    if (!plan.seeds) break;
    const auto placeholder = thing.member.delta.placeholder;
    const auto floor = singles.identity(thing, thing.held.word, nullptr);
    const auto own = singles.identity(thing, placeholder, summed({&thing}, base));
    json entry{{"name", thing.held.name}, {"class_word", floor}, {"own", own}};
    for (const auto& [way, one] : made) {
      entry[way] = singles.identity(thing, placeholder, edits_of(way, {&thing}));
      shares[way].push_back(kept(entry[way].get<double>(), floor, own));
      entry["kept"][way] = shares[way].back();
    }
    out["each"].push_back(entry);
    std::printf("%s %s\n", thing.held.word.c_str(), entry.dump().c_str());
    std::fflush(stdout);
  }
  for (const auto& [way, values] : shares) {
    out["kept"][way] = {
        {"mean", std::accumulate(values.begin(), values.end(), 0.) / static_cast<double>(values.size())},
        {"worst", *std::min_element(values.begin(), values.end())}};
    std::printf("%s: %s\n", way.c_str(), out["kept"][way].dump().c_str());
  }
  std::vector<std::string> ways{"sum"};
  for (const auto& [way, one] : made) ways.push_back(way);
  const auto pair_edits = [&](const std::string& way, const Thing& left, const Thing& right) {
    return way == "sum" ? summed({&left, &right}, base) : edits_of(way, {&left, &right});
  };
  out["pairs"] = measure_pairs(bundle, judge, things, plan, drawing, grid, pair_edits, ways);
  if (!singles.shown.empty())
    pretrain::save_grid((grid.parent_path() / ("alone-" + grid.filename().string())).string(),
                        torch::cat(singles.shown), 2 * (2 + static_cast<int64_t>(made.size())), 1);
  out["base_unchanged"] = before == bundle.parameter_digest();
  return out;
}

}  // namespace conceptd::evaluate
