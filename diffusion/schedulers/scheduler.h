// A scheduler turns what the network says at one timestep into the sample of the next. Four verbs, in this order:
//
//   scheduler->set_timesteps(steps);                                   // begins a run
//   sample = noise * scheduler->init_noise_sigma();
//   for index in 0..steps: input  = scheduler->scale_model_input(sample, index);
//                          output = network(input, scheduler->timesteps()[index]);
//                          sample = scheduler->step(output, index, sample, noise).sample;
//
// The index says where a run stands; the only state is the multistep solver's last predictions, forgotten by
// set_timesteps(). Samples and outputs are (b, channels, height, width), fp32. Noise comes from the caller, so a row's
// picture can depend on its own seed alone.
// Behaviour and field names: huggingface/diffusers v0.30.3. Goldens: schedulers/index.json.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "diffusion/torch.h"

namespace conceptd::diffusion {

using NoiseSource = std::function<Tensor(at::IntArrayRef shape)>;  // standard normal, fp32

struct Stepped {
  Tensor sample;    // at the next timestep
  Tensor original;  // x_0 as this step sees it: what a preview shows
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual void set_timesteps(int64_t steps) = 0;  // Error{invalid} names "steps" where the schedule cannot be had
  virtual Tensor scale_model_input(const Tensor& sample, int64_t) const { return sample; }
  virtual Stepped step(const Tensor& output, int64_t index, const Tensor& sample, const NoiseSource& noise) = 0;
  virtual double init_noise_sigma() const { return 1; }

  const Tensor& timesteps() const { return timesteps_; }  // (steps), falling; int64, for Euler and flow matching fp32
  const Tensor& sigmas() const { return sigmas_; }        // (steps + 1) fp32, or undefined (DDPM, DDIM)
  int64_t steps() const { return timesteps_.defined() ? timesteps_.size(0) : 0; }

 protected:
  Tensor timesteps_, sigmas_;
};

struct SamplerOptions {
  double eta = 0;                   // DDIM's share of fresh noise, 0..1; others refuse it
  std::vector<double> sigmas = {};  // of flow matching, before any shift, one a step; empty: evenly down the schedule
  std::optional<double> mu = {};    // of flow matching: its shift, where the schedule's depends on the picture
};

// From a scheduler_config.json. `override_name` empty: the class it names. Otherwise one of sampler_names(), or a class
// name of diffusers; then the fields that the named sampler shares with the configuration are kept.
// Error{invalid} names the field that is not supported ("_class_name", "sampler", "solver_type", …).
std::unique_ptr<Scheduler> make_scheduler(const Json& config, std::string_view override_name = {},
                                          const SamplerOptions& options = {});

// ddim, ddpm, euler, euler_karras, dpmpp_2m, dpmpp_2m_karras, dpmpp_2m_sde, dpmpp_2m_sde_karras, dpmpp_3m.
const std::vector<std::string>& sampler_names();

// Flow matching (FlowMatchEulerDiscreteScheduler): a base of this kind is drawn with its own sampler and no other, and
// no other base with this one.
inline constexpr const char* kFlowMatchClass = "FlowMatchEulerDiscreteScheduler";
bool is_flow_schedule(const Json& config);
// As diffusers' FluxPipeline asks for it: sigmas 1 to 1/steps, and mu by the number of image tokens.
SamplerOptions flux_sampler(const Json& config, int64_t steps, int64_t tokens);

// The sampler that the configuration's class is, or empty where it is one that we do not have (PNDM, …): the caller
// then chooses one and says so.
std::string own_sampler(const Json& config);

// scheduler_config.json as Python writes it: Infinity, -Infinity and NaN may stand bare; they become strings.
Json parse_scheduler_config(std::string_view text, std::string_view what);

}  // namespace conceptd::diffusion
