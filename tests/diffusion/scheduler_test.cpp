// Goal: every scheduler takes the steps that diffusers takes, with whatever settings the goldens hold.
// Method: replay each entry of schedulers/index.json from its noise alone, the network being 0.1 * input + noise as in
// the generator, and compare timesteps, inputs, samples and predictions along the way. Settings that no golden holds
// (they come from the paper or from us) follow as properties.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <set>

#include "core/file_io.h"
#include "diffusion/safetensors.h"
#include "diffusion/schedulers/noise_schedule.h"
#include "diffusion/schedulers/scheduler.h"
#include "tests/support/expect_error.h"
#include "tests/support/goldens.h"

namespace conceptd::diffusion {
namespace {

const std::set<std::string> kOurs{"DDPMScheduler", "DDIMScheduler", "EulerDiscreteScheduler",
                                  "DPMSolverMultistepScheduler", kFlowMatchClass};

Json index_of_schedulers() {
  const auto path = test::golden("schedulers/index.json");
  return parse_scheduler_config(read_file(path, 1 << 24), path.string());
}

double worst(const Tensor& a, const Tensor& b) {  // infinite where something is not a number
  const double most = (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
  return std::isfinite(most) ? most : INFINITY;
}

// Runs one entry; returns the worst difference as a share of the largest sample.
double replay(const std::string& name, const Json& entry) {
  const auto golden = load_safetensors(test::golden("schedulers/" + name + ".safetensors"));
  auto config = entry.at("config");
  config["_class_name"] = entry.at("class_name");
  SamplerOptions options;
  for (const auto& [key, value] : entry.at("step_kwargs").items()) {
    if (key == "eta") options.eta = value.get<double>();
    EXPECT_EQ(key, "eta") << name << ": a step argument that we do not have";
  }
  for (const auto& [key, value] : entry.at("set_timesteps_kwargs").items()) {
    if (key == "sigmas") options.sigmas = value.get<std::vector<double>>();
    if (key == "mu") options.mu = value.get<double>();
    EXPECT_TRUE(key == "sigmas" || key == "mu") << name << ": " << key << " is something that we do not have";
  }

  const auto scheduler = make_scheduler(config, {}, options);
  scheduler->set_timesteps(entry.at("num_inference_steps").get<int64_t>());
  const auto& times = golden.at("timesteps");
  EXPECT_EQ(scheduler->timesteps().scalar_type(), times.scalar_type()) << name;
  EXPECT_EQ(scheduler->timesteps().sizes(), times.sizes()) << name;
  EXPECT_LE(worst(scheduler->timesteps(), times), times.is_floating_point() ? 1e-6 * times.max().item<double>() : 0)
      << name;
  if (golden.contains("sigmas")) {
    const auto& sigmas = golden.at("sigmas");
    EXPECT_LE(worst(scheduler->sigmas(), sigmas), 1e-6 * sigmas.max().item<double>()) << name;
  }
  EXPECT_NEAR(scheduler->init_noise_sigma(), golden.at("init_noise_sigma").item<double>(), 1e-5) << name;

  const auto& samples = golden.at("sample");
  const double scale = samples.abs().max().item<double>();
  double most = 0;
  auto sample = golden.at("sample_init").clone();
  for (int64_t k = 0; k < scheduler->steps(); ++k) {
    const auto input = scheduler->scale_model_input(sample, k);
    const auto output = .1 * input + golden.at("model_noise")[k];
    const auto noise = [&](at::IntArrayRef) { return golden.at("step_noise")[k]; };
    const auto next = scheduler->step(output, k, sample, noise);
    most = std::max(most, worst(input, golden.at("scaled_input")[k]) / scale);
    most = std::max(most, worst(output, golden.at("model_output")[k]) / scale);
    if (golden.contains("pred_original")) {
      const auto& original = golden.at("pred_original")[k];
      most = std::max(most, worst(next.original, original) / std::max(scale, original.abs().max().item<double>()));
    }
    sample = next.sample;
    most = std::max(most, worst(sample, samples[k + 1]) / scale);
  }
  return most;
}

TEST(Scheduler, TakesTheStepsThatDiffusersTakes) {
  std::string skipped;
  int replayed = 0;
  const auto index = index_of_schedulers();
  for (const auto& [name, entry] : index.items()) {
    if (!kOurs.contains(entry.at("class_name").get<std::string>())) {
      skipped += " " + name;
      continue;
    }
    const double error = replay(name, entry);
    std::printf("[ measured ] %-60s %8.1e of %8.1e\n", name.c_str(), error, 1e-5);
    EXPECT_LE(error, 1e-5) << name;
    ++replayed;
  }
  std::printf("%d replayed; schedulers that we do not have:%s\n", replayed, skipped.c_str());
  EXPECT_GT(replayed, 0);
}

// The schedule that the golden's betas were made with is in the index; the file does not name it.
NoiseSchedule schedule_of(const Tensor& betas) {
  const auto index = index_of_schedulers();
  for (const auto& [name, entry] : index.items()) {
    const auto class_name = entry.at("class_name").get<std::string>();
    if (!kOurs.contains(class_name) || class_name == kFlowMatchClass) continue;
    auto schedule = NoiseSchedule::from_json(entry.at("config"));
    if (schedule.betas.sizes() == betas.sizes() && worst(schedule.betas, betas) <= 1e-8) return schedule;
  }
  ADD_FAILURE() << "no configuration of the index gives the golden betas";
  return {};
}

TEST(NoiseSchedule, NoisesAsDiffusersDoes) {
  const auto golden = load_safetensors(test::golden("schedulers/add_noise.safetensors"));
  const auto schedule = schedule_of(golden.at("betas"));
  ASSERT_TRUE(schedule.betas.defined());
  const auto& times = golden.at("timesteps");
  EXPECT_LE(worst(schedule.alphas_cumprod, golden.at("alphas_cumprod")), 1e-7);
  EXPECT_LE(worst(schedule.add_noise(golden.at("x0"), golden.at("noise"), times), golden.at("noisy")), 1e-5);
  EXPECT_LE(worst(schedule.get_velocity(golden.at("x0"), golden.at("noise"), times), golden.at("velocity")), 1e-5);
  const auto& snr = golden.at("snr");
  EXPECT_LE((schedule.snr(times) / snr - 1).abs().max().item<double>(), 1e-5);
}

Json base_config() {
  return {{"num_train_timesteps", 1000},      {"beta_start", .00085},         {"beta_end", .012},
          {"beta_schedule", "scaled_linear"}, {"prediction_type", "epsilon"}, {"steps_offset", 1}};
}

TEST(NoiseSchedule, GivesTheTargetThatItsPredictionTypeNames) {
  auto schedule = NoiseSchedule::from_json(base_config());
  const auto x0 = torch::randn({3, 4, 2, 2}), noise = torch::randn_like(x0), times = torch::tensor({0, 400, 999});
  EXPECT_TRUE(torch::equal(schedule.target(x0, noise, times), noise));
  schedule.prediction = Prediction::Sample;
  EXPECT_TRUE(torch::equal(schedule.target(x0, noise, times), x0));
  schedule.prediction = Prediction::Velocity;
  // Both readings of a perfect answer are the truth.
  for (int64_t k = 0; k < 3; ++k) {
    const auto t = times.slice(0, k, k + 1), x = x0.slice(0, k, k + 1), e = noise.slice(0, k, k + 1);
    const auto read = read_prediction(schedule.prediction, schedule.target(x, e, t), schedule.add_noise(x, e, t),
                                      schedule.alpha(t).item<double>(), schedule.sigma(t).item<double>());
    EXPECT_LE(worst(read.original, x), 1e-5);
    EXPECT_LE(worst(read.noise, e), 1e-5);
  }
}

TEST(NoiseSchedule, ZeroTerminalSnrLeavesNoSignalAtTheEndAndTheFirstStepAsItWas) {
  auto config = base_config();
  const auto plain = NoiseSchedule::from_json(config);
  config["rescale_betas_zero_snr"] = true;
  const auto rescaled = NoiseSchedule::from_json(config);
  EXPECT_EQ(rescaled.alphas_cumprod[-1].item<float>(), 0);
  EXPECT_NEAR(rescaled.alphas_cumprod[0].item<float>(), plain.alphas_cumprod[0].item<float>(), 1e-6);
}

TEST(NoiseSchedule, ThresholdingBringsTheQuantileToOne) {
  const auto clipping = Clipping::from_json({{"thresholding", true}, {"sample_max_value", 100.}}, false);
  const auto wild = torch::randn({2, 4, 8, 8}) * 20;
  EXPECT_FLOAT_EQ(clipping(wild).abs().max().item<float>(), 1);
  const auto tame = wild / 1000;
  EXPECT_TRUE(torch::equal(clipping(tame), tame));
}

// A perfect network knows x_0 at every step, so a run must end there, whatever its settings.
double distance_from_truth(const Json& config, const std::string& sampler, int64_t steps, double eta = 0) {
  const auto scheduler = make_scheduler(config, sampler, {.eta = eta});
  scheduler->set_timesteps(steps);
  torch::manual_seed(3);
  const auto truth = torch::randn({1, 4, 4, 4});
  const auto schedule = NoiseSchedule::from_json(config);
  const bool variance_exploding = sampler.starts_with("euler");
  auto sample = torch::randn_like(truth) * scheduler->init_noise_sigma();
  for (int64_t k = 0; k < scheduler->steps(); ++k) {
    double alpha = 1, sigma = 0;
    if (scheduler->sigmas().defined()) {
      const double ratio = scheduler->sigmas()[k].item<float>();
      alpha = variance_exploding ? 1 : 1 / std::sqrt(1 + ratio * ratio);
      sigma = ratio * alpha;
    } else {
      const double bar = schedule.alphas_cumprod[scheduler->timesteps()[k].item<int64_t>()].item<float>();
      alpha = std::sqrt(bar), sigma = std::sqrt(1 - bar);
    }
    const auto output = (sample - alpha * truth) / sigma;
    sample = scheduler->step(output, k, sample, [](at::IntArrayRef shape) { return torch::randn(shape); }).sample;
  }
  return worst(sample, truth);
}

TEST(Scheduler, EverySamplerEndsAtTheTruthThatAPerfectNetworkSees) {
  for (const auto& sampler : sampler_names()) {
    for (const auto* spacing : {"leading", "trailing", "linspace"}) {
      for (const int64_t steps : {1, 2, 8, 25}) {
        auto config = base_config();
        config["timestep_spacing"] = spacing;
        config["set_alpha_to_one"] = true;
        // DDPM and DDIM step by T / steps whatever the spacing, as upstream: linspace leaves them a rest, and so does
        // a number of steps that does not divide T.
        if (std::string(spacing) == "linspace" && !sampler.starts_with("euler") && !sampler.starts_with("dpm"))
          continue;
        const double tolerance = sampler == "ddpm" ? .2 : 2e-3;
        EXPECT_LE(distance_from_truth(config, sampler, steps), tolerance) << sampler << " " << spacing << " " << steps;
      }
    }
  }
  EXPECT_LE(distance_from_truth(base_config(), "ddim", 20, 1), .2);
}

TEST(Scheduler, ForgetsTheLastRun) {
  const auto scheduler = make_scheduler(base_config(), "dpmpp_2m");
  const auto first = torch::randn({1, 4, 2, 2}), output = torch::randn({1, 4, 2, 2});
  const auto run = [&] {
    scheduler->set_timesteps(5);
    auto sample = first;
    for (int64_t k = 0; k < 5; ++k) sample = scheduler->step(output * (k + 1), k, sample, {}).sample;
    return sample;
  };
  const auto once = run();
  EXPECT_TRUE(torch::equal(run(), once));
}

TEST(Scheduler, NamesWhatItDoesNotSupport) {
  auto config = base_config();
  config["_class_name"] = "PNDMScheduler";
  EXPECT_ERROR(make_scheduler(config), Code::invalid, "PNDMScheduler");
  EXPECT_EQ(own_sampler(config), "");
  EXPECT_NO_THROW(make_scheduler(config, "ddim"));
  EXPECT_ERROR(make_scheduler(config, "plms"), Code::invalid, "dpmpp_2m_karras");
  EXPECT_ERROR(make_scheduler(config, "euler", {.eta = .5}), Code::invalid, "eta");
  const std::vector<std::tuple<const char*, const char*, Json>> refused{{"dpmpp_2m", "solver_type", "logrho"},
                                                                        {"dpmpp_2m", "use_lu_lambdas", true},
                                                                        {"dpmpp_2m", "timestep_spacing", "middle"},
                                                                        {"dpmpp_2m", "variance_type", "learned_range"},
                                                                        {"euler", "timestep_type", "continuous"},
                                                                        {"euler", "interpolation_type", "log_linear"},
                                                                        {"ddpm", "variance_type", "learned"},
                                                                        {"ddim", "beta_schedule", "sigmoid"},
                                                                        {"ddim", "prediction_type", "flow"},
                                                                        {"ddim", "num_train_timesteps", 0},
                                                                        {"ddim", "beta_end", 2},
                                                                        {"ddim", "beta_start", "much"},
                                                                        {"ddim", "trained_betas", Json::array()},
                                                                        {"ddim", "steps_offset", -1}};
  for (const auto& [sampler, field, value] : refused) {
    auto bad = base_config();
    bad[field] = value;
    try {
      make_scheduler(bad, sampler);
      ADD_FAILURE() << sampler << " takes " << field << " = " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_EQ(error.field(), field);
    }
  }
  for (const auto& sampler : sampler_names()) {
    EXPECT_ERROR(make_scheduler(base_config(), sampler)->set_timesteps(0), Code::invalid, "steps");
    EXPECT_ERROR(make_scheduler(base_config(), sampler)->set_timesteps(1001), Code::invalid, "steps");
  }
}

Json flow_config() { return {{"_class_name", kFlowMatchClass}, {"num_train_timesteps", 1000}, {"shift", 3.}}; }

TEST(FlowMatching, GoesFromNoiseToThePictureInAnyNumberOfSteps) {  // MUSAR A12-15
  torch::manual_seed(5);
  const auto picture = torch::randn({2, 4, 6, 5}), noise = torch::randn({2, 4, 6, 5});
  for (const int64_t steps : {1, 3, 28}) {
    const auto scheduler = make_scheduler(flow_config(), {}, flux_sampler(flow_config(), steps, 24));
    scheduler->set_timesteps(steps);
    EXPECT_EQ(scheduler->init_noise_sigma(), 1);
    EXPECT_NEAR((scheduler->sigmas().slice(0, 1) - scheduler->sigmas().slice(0, 0, steps)).sum().item<double>(), -1,
                1e-6);
    auto sample = noise;
    for (int64_t k = 0; k < steps; ++k) {
      const auto next = scheduler->step(noise - picture, k, sample, {});
      EXPECT_LE(worst(next.original, picture), 1e-5) << k << " of " << steps;
      sample = next.sample;
    }
    EXPECT_LE(worst(sample, picture), 1e-5) << steps;
  }
}

TEST(FlowMatching, IsDrawnWithItsOwnSamplerAndNoOtherIsDrawnWithIt) {
  EXPECT_TRUE(is_flow_schedule(flow_config()));
  EXPECT_FALSE(is_flow_schedule(base_config()));
  EXPECT_ERROR(NoiseSchedule::from_json(flow_config()), Code::invalid, "flow matching");
  EXPECT_NO_THROW(make_scheduler(flow_config(), own_sampler(flow_config())));
  EXPECT_ERROR(make_scheduler(flow_config(), "ddim"), Code::invalid, "flow matching");
  EXPECT_ERROR(make_scheduler(base_config(), own_sampler(flow_config())), Code::invalid, "no sampler");
  EXPECT_ERROR(make_scheduler(base_config(), kFlowMatchClass), Code::invalid, "no sampler");
  EXPECT_ERROR(make_scheduler(base_config(), "ddim", {.mu = 1.}), Code::invalid, "flow matching");
  EXPECT_ERROR(make_scheduler(base_config(), "ddim", {.sigmas = {1.}}), Code::invalid, "flow matching");
  EXPECT_ERROR(make_scheduler(flow_config(), {}, {.eta = .5}), Code::invalid, "eta");
  EXPECT_ERROR(make_scheduler(flow_config(), {}, {.sigmas = {1., 0.}}), Code::invalid, "sigmas");
  EXPECT_ERROR(make_scheduler(flow_config(), {}, {.sigmas = {1.}})->set_timesteps(2), Code::invalid, "sigma");
  EXPECT_ERROR(make_scheduler(flow_config())->set_timesteps(0), Code::invalid, "steps");
  for (const auto& [field, value] : std::vector<std::pair<const char*, Json>>{{"shift", 0},
                                                                              {"shift", "much"},
                                                                              {"num_train_timesteps", 0},
                                                                              {"use_karras_sigmas", true},
                                                                              {"time_shift_type", "linear"},
                                                                              {"shift_terminal", .1}}) {
    auto bad = flow_config();
    bad[field] = value;
    EXPECT_ERROR(make_scheduler(bad), Code::invalid, field);
  }
  auto shifting = flow_config();
  shifting["use_dynamic_shifting"] = true;
  EXPECT_ERROR(make_scheduler(shifting), Code::invalid, "mu");
  EXPECT_NEAR(flux_sampler(shifting, 4, 256).mu.value(), .5, 1e-12);
  EXPECT_NEAR(flux_sampler(shifting, 4, 4096).mu.value(), 1.15, 1e-12);
  EXPECT_ERROR(flux_sampler(shifting, 0, 256), Code::invalid, "steps");
  shifting["max_image_seq_len"] = 256;
  EXPECT_ERROR(flux_sampler(shifting, 4, 256), Code::invalid, "max_image_seq_len");
}

TEST(Scheduler, KnowsItsOwnName) {
  for (const auto& sampler : sampler_names()) {
    if (sampler == "ddim" || sampler == "ddpm") continue;
    auto config = base_config();
    config["_class_name"] = sampler.starts_with("euler") ? "EulerDiscreteScheduler" : "DPMSolverMultistepScheduler";
    config["use_karras_sigmas"] = sampler.ends_with("karras");
    config["solver_order"] = sampler.starts_with("dpmpp_3") ? 3 : 2;
    config["algorithm_type"] = sampler.find("sde") == std::string::npos ? "dpmsolver++" : "sde-dpmsolver++";
    EXPECT_EQ(own_sampler(config), sampler);
  }
}

TEST(Scheduler, ReadsConfigurationsAsPythonWritesThem) {
  const auto config = parse_scheduler_config(
      R"({"lambda_min_clipped": -Infinity, "a": [Infinity, NaN], "text": "-Infinity \" NaN"})", "test");
  EXPECT_EQ(config.at("lambda_min_clipped"), "-Infinity");
  EXPECT_EQ(config.at("a"), Json({"Infinity", "NaN"}));
  EXPECT_EQ(config.at("text"), "-Infinity \" NaN");
  auto clipped = base_config();
  clipped["beta_schedule"] = "squaredcos_cap_v2";
  clipped["lambda_min_clipped"] = -5.1;
  const auto scheduler = make_scheduler(clipped, "dpmpp_2m");
  scheduler->set_timesteps(10);
  EXPECT_LT(scheduler->timesteps()[0].item<int64_t>(), 999);
  clipped["lambda_min_clipped"] = "-Infinity";
  EXPECT_NO_THROW(make_scheduler(clipped, "dpmpp_2m"));
  clipped["lambda_min_clipped"] = "low";
  EXPECT_ERROR(make_scheduler(clipped, "dpmpp_2m"), Code::invalid, "lambda_min_clipped");
}

}  // namespace
}  // namespace conceptd::diffusion
