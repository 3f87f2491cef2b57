// The table of algorithms behind make_scheduler(), and the arithmetic of timesteps that they share. Private to this
// folder.
#pragma once
#include "diffusion/config_reader.h"
#include "diffusion/schedulers/noise_schedule.h"
#include "diffusion/schedulers/scheduler.h"

namespace conceptd::diffusion {

// A configuration may hold fields of other algorithms (a file outlives the class it was written for), so what nobody
// reads is passed over here; what would change the result is asked for and refused by name.
inline constexpr const char* kSchedulerFile = "scheduler_config.json";
std::string one_of(ConfigReader& reader, const char* key, const std::string& otherwise,
                   std::initializer_list<const char*> known);

// `native`: the configuration was written for this algorithm. If not, its defaults for fields that other algorithms do
// not have would be wrong for latents, so clip_sample is then false.
// DEVIATES: diffusers' from_config() takes clip_sample = true there, and clips latents that are not bounded.
std::unique_ptr<Scheduler> make_ddpm(const Json& config, bool native);
std::unique_ptr<Scheduler> make_ddim(const Json& config, bool native, double eta);
std::unique_ptr<Scheduler> make_euler(const Json& config);
std::unique_ptr<Scheduler> make_dpmpp(const Json& config);
std::unique_ptr<Scheduler> make_flow_match(const Json& config, const SamplerOptions& options);

// Lin et al. 2023 (2305.08891), table 2, as DDPM, DDIM and Euler place them: falling. `whole`: linspace is rounded.
std::vector<double> spaced_timesteps(const std::string& spacing, int64_t train_steps, int64_t steps, int64_t offset,
                                     bool whole);
std::vector<double> trailing_timesteps(double last, double ratio);    // last - 1, last - 1 - ratio, …, rounded
std::vector<double> linspace(double from, double to, int64_t count);  // as numpy does it
void check_steps(int64_t steps, int64_t most);                        // Error{invalid} "steps"
void check_timesteps(const std::vector<double>& falling, int64_t train_steps);  // Error{invalid} "steps"
Tensor whole_tensor(const std::vector<double>& values);                         // int64

// The sigma parametrisation of Karras et al. 2022 (2206.00364): sigma = sigma_t / alpha_t, rising in t.
struct SigmaTable {
  explicit SigmaTable(const Tensor& alphas_cumprod);
  double at(double timestep) const;        // between entries: linear
  double timestep_of(double sigma) const;  // between entries: linear in log sigma
  std::vector<float> sigmas;               // (T)
};
// Karras et al. 2022, eq. 5, rho 7: from sigma_max down to sigma_min.
std::vector<double> karras_sigmas(double sigma_min, double sigma_max, int64_t count);
Tensor sigma_tensor(std::vector<double> sigmas, double last);  // (count + 1) fp32

// alphas_cumprod with its last entry kept off zero where zero terminal SNR was asked for, so that sigma is finite.
Tensor finite_alphas_cumprod(const Json& config, const NoiseSchedule& schedule);

}  // namespace conceptd::diffusion
