#include "learner/run_state.h"

#include "core/error.h"
#include "core/json.h"

namespace conceptd::learner {
namespace {

constexpr auto kFormat = "conceptd.checkpoint/1";

// The optimiser's key of a parameter: text up to libtorch 2.0, a pointer after it.
template <typename Map>
auto key_in(const Map&, const Tensor& parameter) {
  using Key = typename Map::key_type;
  if constexpr (std::is_same_v<Key, std::string>) {
    return c10::guts::to_string(parameter.unsafeGetTensorImpl());
  } else {
    return static_cast<Key>(parameter.unsafeGetTensorImpl());
  }
}

std::string numbered(const char* what, std::size_t k) { return what + std::to_string(k); }

nlohmann::json facts_of(const RunState& state) {
  return {{"step", state.step}, {"slowing", state.slowing}, {"tries", state.tries}};
}

RunState state_from(const nlohmann::json& facts, const diffusion::TensorMap& all, const std::string& prefix) {
  RunState state{.step = facts.at("step").get<int64_t>(),
                 .slowing = facts.at("slowing").get<double>(),
                 .tries = facts.at("tries").get<int>(),
                 .tensors = {}};
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(prefix)) state.tensors[name.substr(prefix.size())] = tensor;
  }
  return state;
}

}  // namespace

RunMemory::RunMemory(torch::optim::Adam& adam, torch::Generator& random, Others others)
    : adam_(adam), random_(random), others_(std::move(others)) {
  for (const auto& group : adam_.param_groups())
    parameters_.insert(parameters_.end(), group.params().begin(), group.params().end());
}

diffusion::TensorMap RunMemory::save() const {
  diffusion::TensorMap saved;
  saved["random"] = random_.get_state().clone();
  for (const auto& [name, tensor] : others_) saved["other." + name] = tensor->detach().clone();
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    saved[numbered("parameter.", k)] = parameters_[k].detach().clone();
    const auto found = adam_.state().find(key_in(adam_.state(), parameters_[k]));
    if (found == adam_.state().end()) continue;  // before the first step
    const auto& moments = static_cast<const torch::optim::AdamParamState&>(*found->second);
    saved[numbered("mean.", k)] = moments.exp_avg().clone();
    saved[numbered("square.", k)] = moments.exp_avg_sq().clone();
  }
  return saved;
}

void RunMemory::restore(const RunState& state) {
  torch::NoGradGuard guard;
  const auto stored = [&](const std::string& name) {
    const auto found = state.tensors.find(name);
    if (found == state.tensors.end()) throw Error(Code::corrupt, "the checkpoint holds no '" + name + "'");
    return found->second;
  };
  random_.set_state(stored("random"));
  for (const auto& [name, tensor] : others_) *tensor = stored("other." + name).clone();
  for (std::size_t k = 0; k < parameters_.size(); ++k) {
    const auto value = stored(numbered("parameter.", k));
    if (value.sizes() != parameters_[k].sizes())
      throw Error(Code::corrupt, "the checkpoint's shapes are not this run's");
    parameters_[k].copy_(value);
    const auto key = key_in(adam_.state(), parameters_[k]);
    adam_.state().erase(key);
    if (state.step == 0) continue;
    auto moments = std::make_unique<torch::optim::AdamParamState>();
    moments->step(state.step);
    moments->exp_avg(stored(numbered("mean.", k)).clone());
    moments->exp_avg_sq(stored(numbered("square.", k)).clone());
    adam_.state()[key] = std::move(moments);
  }
}

bool RunMemory::is_finite() const {
  const auto finite = [](const Tensor& tensor) { return tensor.isfinite().all().item<bool>(); };
  for (const auto& parameter : parameters_) {
    if (!finite(parameter)) return false;
  }
  for (const auto& [name, tensor] : others_) {
    if (!finite(*tensor)) return false;
  }
  for (const auto& [key, state] : adam_.state()) {  // an endless mean square would only stop what is learnt
    const auto& moments = static_cast<const torch::optim::AdamParamState&>(*state);
    if (!finite(moments.exp_avg()) || !finite(moments.exp_avg_sq())) return false;
  }
  return true;
}

std::string checkpoint_bytes(const Checkpoint& checkpoint, const Digest& run) {
  diffusion::TensorMap all;
  for (const auto& [name, tensor] : checkpoint.now.tensors) all["now." + name] = tensor;
  for (const auto& [name, tensor] : checkpoint.good.tensors) all["good." + name] = tensor;
  return diffusion::safetensors_bytes(all, {{"format", kFormat},
                                            {"run", run.hex()},
                                            {"seconds", std::to_string(checkpoint.seconds)},
                                            {"now", facts_of(checkpoint.now).dump()},
                                            {"good", facts_of(checkpoint.good).dump()}});
}

Checkpoint parse_checkpoint(std::string bytes, const Digest& run) {
  const auto document = diffusion::SafetensorsFile::parse(std::move(bytes), "the checkpoint");
  const auto& said = document.metadata();
  const auto fact = [&](const char* name) {
    const auto found = said.find(name);
    if (found == said.end()) throw Error(Code::corrupt, std::string("the checkpoint does not state its ") + name);
    return found->second;
  };
  if (fact("format") != kFormat) throw Error(Code::conflict, "the checkpoint is of another release");
  if (fact("run") != run.hex()) throw Error(Code::conflict, "the checkpoint is of another run");
  const auto all = document.tensors();
  try {
    return {.now = state_from(parse_json(fact("now"), "the checkpoint"), all, "now."),
            .good = state_from(parse_json(fact("good"), "the checkpoint"), all, "good."),
            .seconds = std::stod(fact("seconds"))};
  } catch (const std::exception& error) {
    throw Error(Code::corrupt, std::string("the checkpoint does not add up: ") + error.what());
  }
}

Digest run_digest(const std::string& method, const LearnRequest& request, const diffusion::ModelBundle& bundle) {
  const auto bytes_of = [](const Tensor& tensor) {
    if (!tensor.defined()) return std::string("none");
    const auto whole = tensor.to(torch::kFloat).contiguous();
    return Digest::of({static_cast<const char*>(whole.data_ptr()), whole.nbytes()}).hex();
  };
  const nlohmann::json all{{"method", method},
                           {"name", request.name},
                           {"class", request.class_word},
                           {"seed", request.seed},
                           {"settings", completed_settings(method, request.settings, bundle)},
                           {"places", bundle.learning.places},
                           {"compute", std::string(c10::toString(bundle.compute))},
                           {"photos", bytes_of(request.photos)},
                           {"masks", bytes_of(request.masks)},
                           {"base", bundle.fingerprint.hex()}};
  return Digest::of(all.dump());
}

}  // namespace conceptd::learner
