#include "diffusion/schedulers/scheduler.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "diffusion/schedulers/algorithms.h"

namespace conceptd::diffusion {

namespace {

struct Named {
  std::string name, class_name;
  Json fields;  // what the name says about the configuration
};

const std::vector<Named>& named_samplers() {
  const auto dpm = [](const char* name, int order, const char* algorithm, bool karras) {
    return Named{name,
                 "DPMSolverMultistepScheduler",
                 {{"solver_order", order}, {"algorithm_type", algorithm}, {"use_karras_sigmas", karras}}};
  };
  static const std::vector<Named> table{
      {"ddim", "DDIMScheduler", Json::object()},
      {"ddpm", "DDPMScheduler", Json::object()},
      {"euler", "EulerDiscreteScheduler", {{"use_karras_sigmas", false}}},
      {"euler_karras", "EulerDiscreteScheduler", {{"use_karras_sigmas", true}}},
      dpm("dpmpp_2m", 2, "dpmsolver++", false),
      dpm("dpmpp_2m_karras", 2, "dpmsolver++", true),
      dpm("dpmpp_2m_sde", 2, "sde-dpmsolver++", false),
      dpm("dpmpp_2m_sde_karras", 2, "sde-dpmsolver++", true),
      dpm("dpmpp_3m", 3, "dpmsolver++", false),
  };
  return table;
}

std::string list_of_names() {
  std::string list;
  for (const auto& name : sampler_names()) list += (list.empty() ? "" : ", ") + name;
  return list;
}

std::string class_of(const Json& config) { return ConfigReader(config, kSchedulerFile).text("_class_name", ""); }

constexpr const char* kFlowSampler = "flow_match_euler";

bool is_known_class(std::string_view name) {
  const auto& table = named_samplers();
  return std::any_of(table.begin(), table.end(), [&](const Named& entry) { return entry.class_name == name; });
}

}  // namespace

const std::vector<std::string>& sampler_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> made;
    for (const auto& entry : named_samplers()) made.push_back(entry.name);
    return made;
  }();
  return names;
}

std::string own_sampler(const Json& config) {
  const auto class_name = class_of(config);
  if (class_name == kFlowMatchClass) return kFlowSampler;
  if (class_name == "DDIMScheduler") return "ddim";
  if (class_name == "DDPMScheduler") return "ddpm";
  ConfigReader reader(config, kSchedulerFile);
  const bool karras = reader.boolean("use_karras_sigmas", false);
  if (class_name == "EulerDiscreteScheduler") return karras ? "euler_karras" : "euler";
  if (class_name != "DPMSolverMultistepScheduler") return {};
  if (reader.integer("solver_order", 1, 3, 2) == 3) return "dpmpp_3m";
  const bool sde = one_of(reader, "algorithm_type", "dpmsolver++", {"dpmsolver++", "sde-dpmsolver++"})[0] == 's';
  return std::string(sde ? "dpmpp_2m_sde" : "dpmpp_2m") + (karras ? "_karras" : "");
}

std::unique_ptr<Scheduler> make_scheduler(const Json& config, std::string_view override_name,
                                          const SamplerOptions& options) {
  const auto configured = class_of(config);
  auto class_name = configured;
  auto fields = config;
  if (configured == kFlowMatchClass) {
    if (!override_name.empty() && override_name != kFlowSampler && override_name != kFlowMatchClass) {
      throw Error(Code::invalid,
                  "this base was trained by flow matching; its sampler is " + std::string(kFlowSampler) + " and not '" +
                      std::string(override_name) + "'",
                  "sampler");
    }
    if (options.eta != 0) throw Error(Code::invalid, "eta belongs to the sampler ddim", "eta");
    return make_flow_match(config, options);
  }
  if (!options.sigmas.empty() || options.mu)
    throw Error(Code::invalid, "sigmas and mu belong to flow matching", options.mu ? "mu" : "sigmas");
  if (!override_name.empty()) {
    const auto& table = named_samplers();
    const auto it =
        std::find_if(table.begin(), table.end(), [&](const Named& entry) { return entry.name == override_name; });
    if (it != table.end()) {
      class_name = it->class_name;
      fields.update(it->fields);
    } else if (is_known_class(override_name)) {
      class_name = override_name;
    } else {
      throw Error(Code::invalid,
                  "no sampler is called '" + std::string(override_name) + "'; there are: " + list_of_names(),
                  "sampler");
    }
  }
  if (!(options.eta >= 0 && options.eta <= 1)) throw Error(Code::invalid, "eta must lie in 0..1", "eta");
  if (options.eta > 0 && class_name != "DDIMScheduler") {
    throw Error(Code::invalid, "eta belongs to the sampler ddim; " + class_name + " has none", "eta");
  }
  const bool native = class_name == configured;
  if (class_name == "DDIMScheduler") return make_ddim(fields, native, options.eta);
  if (class_name == "DDPMScheduler") return make_ddpm(fields, native);
  if (class_name == "EulerDiscreteScheduler") return make_euler(fields);
  if (class_name == "DPMSolverMultistepScheduler") return make_dpmpp(fields);
  throw Error(Code::invalid,
              "the scheduler '" + class_name + "' is not supported; name a sampler instead: " + list_of_names(),
              "_class_name");
}

Json parse_scheduler_config(std::string_view text, std::string_view what) {
  std::string quoted;
  bool in_string = false;
  for (std::size_t k = 0; k < text.size();) {
    if (in_string && text[k] == '\\' && k + 1 < text.size()) {
      quoted += text.substr(k, 2);
      k += 2;
      continue;
    }
    if (text[k] == '"') in_string = !in_string;
    std::string_view bare;
    for (std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (!in_string && text.substr(k).starts_with(word)) {
        bare = word;
        break;
      }
    }
    quoted += bare.empty() ? std::string(1, text[k]) : '"' + std::string(bare) + '"';
    k += std::max<std::size_t>(1, bare.size());
  }
  return parse_json(quoted, what);
}

std::string one_of(ConfigReader& reader, const char* key, const std::string& otherwise,
                   std::initializer_list<const char*> known) {
  const auto said = reader.text(key, otherwise);
  if (!reader.has(key) || std::find(known.begin(), known.end(), said) != known.end()) return said;
  std::string list;
  for (const auto* word : known) list += (list.empty() ? "" : ", ") + std::string(word);
  throw reader.refuse(key, "is \"" + said.substr(0, 100) + "\"; supported are " + list);
}

std::vector<double> linspace(double from, double to, int64_t count) {
  std::vector<double> values;
  const double step = count > 1 ? (to - from) / static_cast<double>(count - 1) : 0;
  for (int64_t k = 0; k < count; ++k) values.push_back(from + static_cast<double>(k) * step);
  if (count > 1) values.back() = to;
  return values;
}

std::vector<double> trailing_timesteps(double last, double ratio) {
  std::vector<double> values;
  const auto count = static_cast<int64_t>(std::ceil(last / ratio));
  for (int64_t k = 0; k < count; ++k) {
    values.push_back(std::nearbyint(last - static_cast<double>(k) * ratio) - 1);  // half to even, as numpy rounds
  }
  return values;
}

std::vector<double> spaced_timesteps(const std::string& spacing, int64_t train_steps, int64_t steps, int64_t offset,
                                     bool whole) {
  check_steps(steps, train_steps);
  std::vector<double> values;
  if (spacing == "linspace") {
    values = linspace(0, static_cast<double>(train_steps - 1), steps);
    for (auto& value : values) value = whole ? std::nearbyint(value) : static_cast<double>(static_cast<float>(value));
    std::reverse(values.begin(), values.end());
  } else if (spacing == "leading") {
    for (int64_t k = steps; k-- > 0;) values.push_back(static_cast<double>(k * (train_steps / steps) + offset));
  } else {
    values = trailing_timesteps(static_cast<double>(train_steps),
                                static_cast<double>(train_steps) / static_cast<double>(steps));
  }
  check_timesteps(values, train_steps);
  return values;
}

void check_steps(int64_t steps, int64_t most) {
  if (steps < 1 || steps > most) {
    throw Error(Code::invalid, "steps must lie in 1.." + std::to_string(most) + ", not " + std::to_string(steps),
                "steps");
  }
}

void check_timesteps(const std::vector<double>& falling, int64_t train_steps) {
  if (falling.empty() || falling.front() >= static_cast<double>(train_steps) || falling.back() < 0) {
    throw Error(Code::invalid,
                "so many steps leave the schedule of " + std::to_string(train_steps) + " timesteps; ask for fewer",
                "steps");
  }
}

Tensor whole_tensor(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble).to(torch::kLong);
}

SigmaTable::SigmaTable(const Tensor& alphas_cumprod) {
  const auto values = ((1 - alphas_cumprod) / alphas_cumprod).sqrt().contiguous();
  sigmas.assign(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
}

double SigmaTable::at(double timestep) const {
  const auto low = std::min(static_cast<std::size_t>(std::max(0., timestep)), sigmas.size() - 1);
  const auto high = std::min(low + 1, sigmas.size() - 1);
  return sigmas[low] + (timestep - static_cast<double>(low)) * (static_cast<double>(sigmas[high]) - sigmas[low]);
}

double SigmaTable::timestep_of(double sigma) const {
  const auto next = std::upper_bound(sigmas.begin(), sigmas.end(), static_cast<float>(sigma));
  const auto low =
      std::min(static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, next - sigmas.begin() - 1)), sigmas.size() - 2);
  const double from = std::log(sigmas[low]), to = std::log(sigmas[low + 1]);
  return static_cast<double>(low) + std::clamp((std::log(std::max(sigma, 1e-10)) - from) / (to - from), 0., 1.);
}

std::vector<double> karras_sigmas(double sigma_min, double sigma_max, int64_t count) {
  constexpr double rho = 7;
  const double low = std::pow(sigma_min, 1 / rho), high = std::pow(sigma_max, 1 / rho);
  auto sigmas = linspace(0, 1, count);
  for (auto& sigma : sigmas) sigma = std::pow(high + sigma * (low - high), rho);
  return sigmas;
}

Tensor sigma_tensor(std::vector<double> sigmas, double last) {
  sigmas.push_back(last);
  return torch::tensor(sigmas, torch::kDouble).to(torch::kFloat);
}

Tensor finite_alphas_cumprod(const Json& config, const NoiseSchedule& schedule) {
  auto alphas = schedule.alphas_cumprod.clone();
  if (ConfigReader(config, kSchedulerFile).boolean("rescale_betas_zero_snr", false)) alphas[-1] = std::ldexp(1., -24);
  return alphas;
}

}  // namespace conceptd::diffusion
