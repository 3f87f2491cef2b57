// How a concept is learnt: photos and a frozen model in, a delta out. A learner knows nothing of registries, files or
// sockets.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "diffusion/delta.h"
#include "diffusion/model_bundle.h"

namespace conceptd::learner {
using torch::Tensor;

struct LearnRequest {
  std::string name;        // of the concept; its placeholder in prompts is <name>
  std::string class_word;  // one token of the base's tokenizer
  Tensor photos;           // (k, 3, height, width) in -1..1, at the base's resolution
  Tensor masks;            // (k, 1, height, width) in 0..1: where the subject is; undefined: guessed by soft_masks()
  std::uint64_t seed = 0;
  nlohmann::json settings;      // the method's own, by name; an unknown name is Error{invalid}
  std::string checkpoint = {};  // of an earlier run of the same request, to go on from; empty: from the start
};

struct LearnProgress {
  int64_t step = 0, steps = 0;
  double loss = 0, eta_s = 0;
  std::string note;  // what people should know of this step, mostly nothing
  Tensor preview;    // (3, height, width) in -1..1, now and then; else undefined
};

// What a learner may ask of its surroundings.
struct LearnContext {
  diffusion::ModelBundle& bundle;                           // frozen; its bytes are the same before and after
  std::function<void(const LearnProgress&)> progress = {};  // called after every step; throws Error{cancelled} to stop
  // Called with what a later run goes on from, bit for bit, whenever so many seconds of work would be lost else.
  std::function<void(std::string)> checkpoint = {};
  double checkpoint_s = 20;
};

// Numbers stopped being numbers, at smaller rates too: another attempt would end the same way.
class Diverged : public Error {
 public:
  explicit Diverged(const std::string& message) : Error(Code::internal, message) {}
};

struct Learned {
  diffusion::Delta delta;
  nlohmann::json metrics;  // final and initial loss on a fixed set, seconds, UNet passes
};

class Learner {
 public:
  virtual ~Learner() = default;
  virtual Learned learn(const LearnRequest& request, LearnContext& context) = 0;
};

// "perfusion", "textual_inversion", "infusion", "lora", "custom_diffusion", "tuning_encoder". Error{invalid} names the
// methods there are.
std::unique_ptr<Learner> make_learner(const std::string& method);
std::span<const std::string_view> learner_names();
// All that a run would be asked with: what is not said has the method's default, or the base's. Error{invalid} names
// the setting; of an unknown method they are as they were asked.
nlohmann::json completed_settings(const std::string& method, const nlohmann::json& asked,
                                  const diffusion::ModelBundle& bundle);

}  // namespace conceptd::learner
