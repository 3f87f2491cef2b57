// The gate: whether what was learnt may be published. A version draws a fixed set of prompts from fixed seeds; a judge
// that saw none of the learning measures the pictures beside the base's own of the class word, and beside those of the
// version that is published. What is asked stands in gate.json beside the base, since measures and their noise are of
// one base and one judge; a base without it asks nothing (decision 24).
// Legend: k photos, b probe pictures of one way to ask.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.h"
#include "diffusion/delta.h"
#include "diffusion/model_bundle.h"
#include "learner/gate/judge.h"

namespace conceptd::learner {

// gate.json. It changes no picture and is no part of the base's fingerprint.
struct GateSettings {
  std::filesystem::path judge;       // its folder; relative: from the base's
  std::vector<std::string> prompts;  // "a {} on the beach": each is drawn from every seed
  int64_t seeds = 2;
  // How much more like its photos than a picture of the class word, and how much less true to its prompt.
  double identity_gain_min = 0, fidelity_drop_max = 2;
  // The same two against the version that is published: no more than what other seeds would do to it.
  double identity_loss_max = 2, fidelity_loss_max = 2;
  // Empty where the base has none. Error{corrupt} names the field.
  static std::optional<GateSettings> of(const diffusion::ModelBundle& bundle);
};

// Means over the probe pictures.
struct GateMeasures {
  double identity = 0;       // cosine to the photos
  double fidelity = 0;       // cosine to the prompt, which says the class word where the concept stood
  double copy_distance = 0;  // 1 - cosine to the nearest photo
};

struct GateVerdict {
  bool accepted = true;
  std::string reason;  // the measures in words for people, or what was asked and not given
};

// What was measured, held against what is asked. Measures that are no numbers are refused.
GateVerdict decide(const GateSettings& asked, const GateMeasures& candidate, const GateMeasures& plain,
                   const std::optional<GateMeasures>& published, const std::string& class_word);

struct GateOrder {
  const diffusion::Delta& candidate;
  const diffusion::Delta* published = nullptr;  // of the same concept; null: none, or none that this base can use
  bool published_is_draft = false;              // then it is measured, and the candidate need not be as good
  Tensor photos;                                // (k, 3, height, width) in -1..1
  bool light = false;                           // of a draft: one seed, and two fifths of the steps
  std::function<void()> before_step = {};       // never twice at once; throws Error{cancelled} to stop
};

struct GateReport {
  GateVerdict verdict;
  Json metrics = Json::object();  // gate_identity, gate_identity_class, gate_identity_published, …: numbers only
};

// The pictures of one delta, drawn as run() draws them, and measured. Nothing learnt since may change a byte of them.
struct GateProbe {
  GateMeasures measures;  // identity and copy_distance are not numbers where there are no photos
  Digest pictures;        // of their bytes, as fp32
  int64_t count = 0;
  Digest asked;  // of prompts and seeds: what is drawn, and not what is asked of it
};

class Gate {
 public:
  // Settings and judge of this base; empty where it has no gate.json. Error as of() and Judge::open().
  static std::optional<Gate> open(const diffusion::ModelBundle& bundle);
  Gate(GateSettings asked, Judge judge) : asked_(std::move(asked)), judge_(std::move(judge)) {}
  const GateSettings& asked() const { return asked_; }

  // The same pictures and numbers each time on one machine, whatever has been learnt meanwhile.
  GateReport run(diffusion::ModelBundle& bundle, const GateOrder& order);
  // photos of the order may be undefined.
  GateProbe probe(diffusion::ModelBundle& bundle, const GateOrder& order);
  // Of probe pictures that ask for `words` where the prompts have {}. Seeds from first_seed on: the gate's own are from
  // 1, others are for measuring how much seeds matter.
  GateMeasures measure(diffusion::ModelBundle& bundle, const GateOrder& order, const std::string& words,
                       const std::shared_ptr<const diffusion::EditSet>& edits, std::uint64_t first_seed = 1);

 private:
  GateMeasures judged(const Tensor& pictures, const GateOrder& order);
  GateSettings asked_;
  Judge judge_;
};

}  // namespace conceptd::learner
