#include "daemon/torch_model.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "core/error.h"
#include "core/log.h"
#include "daemon/tensor_picture.h"
#include "diffusion/consolidated.h"
#include "diffusion/edits/merged.h"
#include "diffusion/guidance/concept_attention.h"
#include "diffusion/prompt.h"
#include "diffusion/runtime.h"
#include "diffusion/text_to_image.h"
#include "diffusion/token_covariance.h"
#include "learner/gate/gate.h"
#include "learner/learner.h"
#include "learner/tuning_encoder/encoder.h"

namespace conceptd::daemon {
namespace {

using diffusion::EditSet;
using Edits = std::shared_ptr<const EditSet>;

// Between two steps: does anybody still wait?
struct WhileWanted final : diffusion::Steering {
  explicit WhileWanted(const std::function<bool()>& asked) : wanted(asked) {}
  void before_step(diffusion::Step&) override {
    if (!wanted()) throw nobody_waits();
  }
  const std::function<bool()>& wanted;
};

struct TorchDelta final : LoadedDelta {
  explicit TorchDelta(Edits of) : edits(std::move(of)) {}
  const Edits edits;
};

struct TorchConsolidated final : LoadedDelta {
  explicit TorchConsolidated(diffusion::Consolidated of) : made(std::move(of)) {
    for (const auto& [placeholder, member] : made.members)  // "<kettle-7>"
      members.emplace(placeholder.substr(1, placeholder.size() - 2), member.delta);
  }
  const diffusion::Consolidated made;
};

// What a prompt and its concepts come to, once for all pictures of a batch that share them.
class Prompts {
 public:
  Prompts(diffusion::ModelBundle& bundle, const diffusion::DeltaBase& base)
      : bundle_(bundle), base_(base), covariance_(base.covariance) {}

  Edits edits_of(const PictureOrder& order) {
    const auto& [deltas, gate] = std::tie(order.deltas, order.gate);
    if (deltas.empty()) return nullptr;
    Edits& known = edits_[{deltas, order.consolidated, gate}];
    if (known) return known;
    if (order.consolidated) return known = consolidated(order);
    std::vector<Edits> sets;
    for (const DeltaHandle& delta : deltas) sets.push_back(dialled(static_cast<const TorchDelta&>(*delta).edits, gate));
    return known = sets.size() == 1 ? sets.front() : std::make_shared<EditSet>(together(sets));
  }
  const diffusion::PreparedPrompt& prepared(const std::string& text, const Edits& edits,
                                            diffusion::KeyLock lock = diffusion::KeyLock::local) {
    diffusion::PreparedPrompt& known = prepared_[{text, edits.get(), lock}];
    if (!known.context.defined()) known = diffusion::prepare_prompt(bundle_, text, edits, lock);
    return known;
  }

 private:
  Edits consolidated(const PictureOrder& order) const {
    std::vector<std::string> placeholders;
    for (const DeltaHandle& delta : order.deltas)
      placeholders.push_back(static_cast<const TorchDelta&>(*delta).edits->tokens.front().placeholder);
    const auto& made = static_cast<const TorchConsolidated&>(*order.consolidated).made;
    return std::make_shared<EditSet>(diffusion::consolidated_edits(made, base_, placeholders));
  }
  static Edits dialled(const Edits& set, const GateDial& gate) {
    if (gate == GateDial{}) return set;
    auto other = std::make_shared<EditSet>(*set);  // tensors are shared
    for (auto& [site, edits] : other->sites)
      for (diffusion::RankOne& edit : edits.rank_one)
        edit.bias = gate.bias.value_or(edit.bias), edit.temperature = gate.temperature.value_or(edit.temperature);
    return other;
  }
  EditSet together(const std::vector<Edits>& sets) {
    const auto whole = [](const Edits& set) { return diffusion::has_whole_differences(*set); };
    if (covariance_ && std::count_if(sets.begin(), sets.end(), whole) > 1) {
      std::vector<torch::Tensor> targets;
      for (const Edits& set : sets) targets.push_back(whole(set) ? rows_of(set) : torch::Tensor());
      return diffusion::merge_edits(sets, targets, covariance_->matrix());
    }
    EditSet all;
    for (const Edits& set : sets) add_edits(all, *set);
    return all;
  }
  // The encoding at a concept's tokens and the end token after them, in "a <name>".
  torch::Tensor rows_of(const Edits& set) {
    const std::string& placeholder = set->tokens.front().placeholder;
    const auto prompt = diffusion::prepare_prompt(bundle_, "a " + placeholder, set);
    const auto& at = prompt.positions.at(placeholder);
    return prompt.context.slice(0, at.front(), at.back() + 2);
  }

  diffusion::ModelBundle& bundle_;
  const diffusion::DeltaBase& base_;
  const diffusion::TokenCovariance* const covariance_;
  std::map<std::tuple<std::vector<DeltaHandle>, DeltaHandle, GateDial>, Edits> edits_;
  std::map<std::tuple<std::string, const EditSet*, diffusion::KeyLock>, diffusion::PreparedPrompt> prepared_;
};

class TorchModel final : public Model {
 public:
  TorchModel(const Config& config, const diffusion::RuntimeInfo& runtime)
      : bundle_(diffusion::ModelBundle::open(config.base, {.compute = runtime.dtype})) {
    facts_ = {
        .name = config.base.filename().string(),
        .folder = std::filesystem::absolute(config.base).string(),
        .fingerprint = bundle_.fingerprint.hex(),
        .side = static_cast<int>(bundle_.picture_side()),
        .default_steps = config.steps > 0 ? config.steps : static_cast<int>(bundle_.defaults.steps),
        .default_guidance = config.guidance >= 0 ? config.guidance : bundle_.defaults.guidance,
        .default_sampler = config.sampler.empty() ? diffusion::own_sampler(bundle_.scheduler_config) : config.sampler,
        .samplers =
            bundle_.unet ? diffusion::sampler_names() : std::vector{diffusion::own_sampler(bundle_.scheduler_config)},
        .dtype = runtime.dtype == torch::kBFloat16 ? "bf16" : "fp32",
        .threads = runtime.threads,
        .cpus = diffusion::usable_cpus(),
        .blas = runtime.blas + " (" + runtime.blas_path + ")",
        .capability = runtime.capability,
        .warnings = runtime.warnings};
    if (facts_.default_sampler.empty()) facts_.default_sampler = "dpmpp_2m";
    for (const std::string& warning : bundle_.warnings) facts_.warnings.push_back(facts_.name + ": " + warning);
    if (bundle_.unet)
      find_out_what_it_learns();
    else
      facts_.warnings.push_back(facts_.name + " is drawn by flow matching; no method learns on such a base");
    base_ = diffusion::DeltaBase::of(bundle_, covariance_ ? &*covariance_ : nullptr);
  }

  const ModelFacts& facts() const override { return facts_; }
  bool is_single_token(std::string_view word) const override { return bundle_.tokenizer.is_single_token(word); }

  std::string dropped_text(std::string_view prompt) const override {
    std::vector<diffusion::Placeholder> placeholders;
    auto id = bundle_.first_placeholder_id();
    for (std::string& span : diffusion::placeholder_spans(prompt)) placeholders.push_back({std::move(span), {id++}});
    diffusion::Encoding encoding = bundle_.tokenizer.encode(prompt, placeholders);
    for (const auto& placeholder : placeholders) {
      if (std::find(encoding.ids.begin(), encoding.ids.end(), placeholder.ids[0]) != encoding.ids.end()) continue;
      throw Error(Code::invalid,
                  "the prompt is longer than the base model reads, and " + placeholder.text +
                      " is in the part that is left out; name it earlier",
                  "prompt");
    }
    return std::move(encoding.dropped_text);
  }

  DeltaHandle load(std::string delta_bytes, const std::string& what) const override {
    if (diffusion::is_consolidated(delta_bytes, what)) {
      auto made = diffusion::parse_consolidated(std::move(delta_bytes), what);
      diffusion::check_consolidated(made, base_);
      return std::make_shared<TorchConsolidated>(std::move(made));
    }
    const diffusion::Delta delta = diffusion::parse_delta(std::move(delta_bytes), what);
    return std::make_shared<TorchDelta>(std::make_shared<EditSet>(diffusion::delta_edits(delta, base_)));
  }

  std::vector<picture::Picture> generate(const Sampling& sampling, std::span<const PictureOrder> orders,
                                         const std::function<bool()>& wanted) override {
    const torch::NoGradGuard no_grad;
    Prompts prompts(bundle_, base_);
    diffusion::TextToImageRequest request{.rows = {},
                                          .sampler = sampling.sampler,
                                          .steps = sampling.steps,
                                          .height = sampling.height,
                                          .width = sampling.width};
    std::vector<diffusion::GuidedRow> guided;
    for (const PictureOrder& order : orders) {
      const auto lock = diffusion::key_locks().at(order.key_lock);
      const auto& prompt = prompts.prepared(order.prompt, prompts.edits_of(order), lock);
      const auto& negative = prompts.prepared(order.negative_prompt, nullptr);
      request.rows.push_back({.context = prompt.context,
                              .negative_context = negative.context,
                              .pooled = prompt.pooled,
                              .negative_pooled = negative.pooled,
                              .edits = prompt.edits,
                              .seed = order.seed,
                              .guidance = sampling.guidance,
                              .noise = {}});
      auto concepts = order.attention ? concept_tokens(prompt) : std::vector<diffusion::ConceptTokens>{};
      if (concepts.empty()) continue;
      guided.push_back({.row = static_cast<std::int64_t>(request.rows.size()) - 1,
                        .context = prompt.context,
                        .edits = prompt.edits,
                        .concepts = std::move(concepts)});
    }
    WhileWanted waiting(wanted);
    diffusion::ConceptAttention steering(bundle_, std::move(guided), {}, waiting);
    const torch::Tensor pixels = diffusion::text_to_image(bundle_, request, steering);  // (b, height, width, 3)
    std::vector<picture::Picture> pictures;
    for (std::int64_t row = 0; row < pixels.size(0); ++row) pictures.push_back(to_picture(pixels[row]));
    return pictures;
  }

 private:
  void find_out_what_it_learns() {
    for (const std::string_view name : learner::learner_names()) facts_.methods.emplace_back(name);
    try {
      covariance_ = diffusion::TokenCovariance::of(bundle_);
    } catch (const Error& error) {
      std::erase(facts_.methods, "perfusion");
      facts_.warnings.push_back(std::string("perfusion cannot be used, the other methods can: ") + error.what());
    }
    try {
      using learner::EncoderBundle;
      const auto tuning = EncoderBundle::beside(bundle_.folder);
      const bool is_there = std::filesystem::is_directory(tuning);
      if (is_there) (void)EncoderBundle::open(tuning, bundle_);
      if (!is_there) std::erase(facts_.methods, "tuning_encoder");
      if (is_there) facts_.draft_method = "tuning_encoder";
    } catch (const Error& error) {
      std::erase(facts_.methods, "tuning_encoder");
      facts_.warnings.push_back(std::string("tuning_encoder cannot be used, the other methods can: ") + error.what());
    }
    try {
      if (!learner::Gate::open(bundle_))
        facts_.warnings.push_back(facts_.name +
                                  " has no gate.json, so what is learnt is published without being judged");
    } catch (const Error& error) {
      facts_.warnings.push_back(std::string("nothing can be learnt, as nothing could be judged: ") + error.what());
    }
  }

  diffusion::ModelBundle bundle_;  // the modules only on the device thread; tokenizer and fingerprint anywhere
  std::optional<diffusion::TokenCovariance> covariance_;
  diffusion::DeltaBase base_;
  ModelFacts facts_;
};

}  // namespace

std::unique_ptr<Model> open_torch_model(const Config& config) {
  const diffusion::RuntimeInfo runtime = diffusion::set_up_compute({.threads = config.threads, .dtype = config.dtype});
  return std::make_unique<TorchModel>(config, runtime);
}

}  // namespace conceptd::daemon
