#include <spdlog/fmt/fmt.h>

#include "diffusion/delta.h"
#include "diffusion/token_covariance.h"
#include "learner/evaluate/held_out.h"
#include "learner/evaluate/kept_deltas.h"
#include "learner/evaluate/reports.h"
#include "learner/evaluate/rise.h"
#include "learner/learner.h"
#include "learner/pretrain/scenes.h"

namespace conceptd::evaluate {

namespace {
struct Column {         // one way of asking for the thing
  double likeness = 0;  // sum over concepts of the mean cosine to real renders in the image tower
  int64_t concepts = 0;
  IdentityScore identity;
  Share background;
  double seconds = 0;
  int64_t bytes = 0, learnt = 0;
  Column& operator+=(const Column& more) {
    likeness += more.likeness, concepts += more.concepts, identity += more.identity, background += more.background;
    seconds += more.seconds, bytes += more.bytes, learnt += more.learnt;
    return *this;
  }
  nlohmann::json to_json() const {
    auto out = identity.to_json();
    out["background"] = background.value();
    out["image_tower"] = concepts ? likeness / static_cast<double>(concepts) : 0;
    if (learnt) out["seconds_to_learn"] = seconds / static_cast<double>(learnt), out["bytes"] = bytes / learnt;
    return out;
  }
};

std::vector<std::string> prompts_of(const std::string& words, const std::vector<int>& places, int64_t seeds) {
  std::vector<std::string> prompts;
  for (const int b : places) {
    const std::string phrase(world::background_phrases()[static_cast<std::size_t>(b)]);
    for (int64_t k = 0; k < seeds; ++k) prompts.push_back("a " + words + " " + phrase);
  }
  return prompts;
}

void add(Column& column, Evaluator& judge, const Tensor& pictures, const world::Instance& instance,
         const References& references, const std::vector<int>& places, int64_t seeds) {
  torch::NoGradGuard frozen;
  add_identity(column.identity, judge.net, pictures, instance, references.identity);
  const auto likeness = torch::matmul(judge.towers.of_pictures(pictures), references.towers.t());
  column.likeness += likeness.mean().item<double>(), ++column.concepts;
  const auto seen = look(judge.net, pictures);
  for (std::size_t k = 0; k < seen.size(); ++k)
    column.background.count(seen[k].background == places.at(k / static_cast<std::size_t>(seeds)));
}
}  // namespace

nlohmann::json report_concepts(diffusion::ModelBundle& bundle, Evaluator& judge, const ConceptPlan& plan,
                               const Drawing& drawing, const std::filesystem::path& grid) {
  const auto covariance = diffusion::TokenCovariance::of(bundle);
  const auto delta_base = diffusion::DeltaBase::of(bundle, &covariance);
  const auto before = bundle.parameter_digest();
  std::map<std::string, Column> all;
  nlohmann::json each = nlohmann::json::array();
  std::vector<Tensor> rows;
  for (int64_t c = plan.first; c < plan.first + plan.concepts; ++c) {
    std::map<std::string, Column> columns;
    HeldOutCase held(c, plan.photos);
    const auto places = held.places_beside();
    std::vector<world::Scene> ceiling, siblings;
    for (const int b : places) {
      for (int64_t k = 0; k < plan.seeds; ++k) {
        ceiling.push_back(world::photograph(held.instance, held.random, b));
        siblings.push_back(world::photograph(world::sample_sibling(held.instance, held.random), held.random, b));
      }
    }
    const auto references = held.references(judge);
    const auto first_seed = held.first_seed;
    std::vector<Tensor> shown{held.photos.slice(0, 0, 4)};
    const auto put = [&](const std::string& name, const Tensor& drawn) {
      add(columns[name], judge, drawn, held.instance, references, places, plan.seeds);
      const auto n = drawn.size(0);
      for (const auto at : {n / 4, n / 2, 3 * n / 4}) shown.push_back(drawn.slice(0, at, at + 1));
    };
    const auto real = pretrain::render_scenes(ceiling);
    put("real renders", real);
    add(columns["through autoencoder"], judge, through_autoencoder(bundle, real), held.instance, references, places,
        plan.seeds);
    add(columns["others of the same words"], judge, pretrain::render_scenes(siblings), held.instance, references,
        places, plan.seeds);
    put("class word", draw(bundle, prompts_of(held.word, places, plan.seeds), nullptr, first_seed, drawing));
    put("best description",
        draw(bundle, prompts_of(held.description, places, plan.seeds), nullptr, first_seed, drawing));
    for (const auto& method : plan.methods) {
      learner::LearnContext context{.bundle = bundle};
      const auto settings = plan.settings.value(method, nlohmann::json::object());
      const auto learnt = learn_or_recall(method, held.request(settings), context, plan.deltas);
      auto& column = columns[method];
      column.seconds += learnt.seconds, ++column.learnt;
      column.bytes += static_cast<int64_t>(diffusion::delta_bytes(learnt.delta, torch::kHalf).size());
      const auto draw_at = [&](const diffusion::GateChoice& gate) {
        const auto edits =
            std::make_shared<const diffusion::EditSet>(diffusion::delta_edits(learnt.delta, delta_base, gate));
        return draw(bundle, prompts_of("<" + held.name + ">", places, plan.seeds), edits, first_seed, drawing);
      };
      put(method, draw_at({}));
      if (method != "perfusion") continue;
      for (const double bias : plan.biases) put(fmt::format("perfusion, bias {:.2f}", bias), draw_at({.bias = bias}));
    }
    rows.push_back(torch::cat(shown));
    std::printf("%s %s\n", held.name.c_str(), held.description.c_str());
    each.push_back({{"name", held.name}, {"description", held.description}});
    for (const auto& [name, column] : columns) {
      all[name] += column, each.back()["ways"][name] = column.to_json();
      std::printf(
          "  %-24s embedding %.3f, found %.2f, by truth %.3f, colours off %.3f, background %.3f; mean embedding so far "
          "%.3f\n",
          name.c_str(), column.identity.embedding / static_cast<double>(column.identity.pictures),
          column.identity.found.value(), column.identity.by_truth(),
          column.identity.colour_error / static_cast<double>(column.identity.pictures), column.background.value(),
          all[name].identity.embedding / static_cast<double>(all[name].identity.pictures));
    }
    std::fflush(stdout);
    pretrain::save_grid(grid.string(), torch::cat(rows), rows[0].size(0), 1);
  }
  nlohmann::json out{{"concepts", plan.concepts},
                     {"photos", plan.photos},
                     {"seeds_a_place", plan.seeds},
                     {"base_unchanged", before == bundle.parameter_digest()}};
  for (const auto& [name, column] : all) out["ways"][name] = column.to_json();
  out["from_words_to_renders"] = rises(each);
  out["each"] = each;
  return out;
}

}  // namespace conceptd::evaluate
