#include <gtest/gtest.h>

#include "diffusion/runtime.h"
#include "learner/pretrain/adam.h"
#include "learner/pretrain/checkpoint.h"
#include "learner/pretrain/flat_parameters.h"
#include "learner/pretrain/step_loop.h"

namespace conceptd::pretrain {
namespace {

struct SmallImpl : torch::nn::Module {
  SmallImpl() {
    conv = register_module("conv", torch::nn::Conv2d(torch::nn::Conv2dOptions(3, 5, 3).padding(1)));
    linear = register_module("linear", torch::nn::Linear(5, 2));
  }
  torch::Tensor forward(const torch::Tensor& x) { return linear(torch::relu(conv(x)).mean({2, 3})); }
  torch::nn::Conv2d conv{nullptr};
  torch::nn::Linear linear{nullptr};
};
TORCH_MODULE(Small);

TEST(FlatParameters, ReplicasShareValuesAndKeepTheirOwnGradients) {
  Small first, second;
  FlatParameters flat(*first);
  flat.share_with(*second);
  const auto gradients_first = flat.attach_gradients(*first), gradients_second = flat.attach_gradients(*second);
  const auto x = torch::randn({4, 3, 6, 6});
  EXPECT_TRUE(torch::equal(first(x), second(x)));
  first(x).sum().backward();
  EXPECT_GT(gradients_first.abs().sum().item<double>(), 0);
  EXPECT_EQ(gradients_second.abs().sum().item<double>(), 0);
  flat.values().zero_();
  EXPECT_EQ(second->linear->weight.abs().sum().item<double>(), 0);
}

TEST(Adam, StepsAsTorchDoes) {
  torch::manual_seed(3);
  Small ours, theirs;
  FlatParameters flat(*ours);
  {
    torch::NoGradGuard guard;
    auto to = theirs->named_parameters();
    for (const auto& item : ours->named_parameters()) to[item.key()].copy_(item.value());
  }
  std::vector<torch::Tensor> gradients{flat.attach_gradients(*ours)};
  Adam adam(flat.values(), {.beta1 = .9, .beta2 = .99, .clip_norm = 1e9});
  torch::optim::Adam reference(theirs->parameters(), torch::optim::AdamOptions(1e-2).betas({.9, .99}));
  Workers workers(2);
  for (int step = 0; step < 5; ++step) {
    const auto x = torch::randn({4, 3, 6, 6});
    ours(x).pow(2).sum().backward();
    reference.zero_grad();
    theirs(x).pow(2).sum().backward();
    adam.step(workers, gradients, 1e-2, step);
    reference.step();
  }
  auto expected = theirs->named_parameters();
  for (const auto& item : ours->named_parameters()) {
    EXPECT_TRUE(torch::allclose(item.value(), expected[item.key()], 1e-4, 1e-6)) << item.key();
  }
}

TEST(Adam, SumsWorkersAndSkipsWhatIsNotFinite) {
  auto values = torch::ones({64});
  std::vector<torch::Tensor> gradients{torch::ones({64}), torch::ones({64})};
  Adam adam(values, {.clip_norm = 1e9});
  Workers workers(2);
  EXPECT_NEAR(adam.step(workers, gradients, .1, 0), std::sqrt(64.0 * 4), 1e-4);
  EXPECT_EQ(gradients[1].abs().sum().item<double>(), 0);
  const auto kept = values.clone();
  gradients[0][3] = NAN;
  adam.step(workers, gradients, .1, 1);
  EXPECT_TRUE(torch::equal(values, kept));
}

// A stage that fits a line, in a folder of its own; returns the last published average.
struct Line {
  explicit Line(const std::filesystem::path& run) { options.run = run, options.rate = 1e-2, options.micro_batches = 3; }
  Tensor run(int64_t steps) {
    torch::manual_seed(5);
    std::vector<Small> replicas(2);
    FlatParameters flat(*replicas[0]);
    Tensor last;
    options.steps = steps;
    run_steps(options, flat.values(), flat.replicate(replicas),
              {.stage = "line",
               .adam = {},
               .hold = 1,
               .begun = {},
               .micro_batch = [&](int worker, int task, int64_t step) -> Measured {
                 const auto x = torch::full({2, 3, 6, 6}, .1 * static_cast<double>(step % 7 + task));
                 const auto loss = replicas[static_cast<std::size_t>(worker)](x).pow(2).mean();
                 loss.backward();
                 ++micro_batches;
                 return {{"loss", loss.item<double>()}};
               },
               .publish = [&](const Tensor& average,
                              const nlohmann::json& progress) { last = average.clone(), published = progress; }});
    return last;
  }
  StageOptions options;
  std::atomic<int> micro_batches = 0;
  nlohmann::json published;
};

TEST(StepLoop, GoesOnWhereItStoppedAndSaysWhatItDid) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "step_loop";
  std::filesystem::remove_all(folder);
  Line whole(folder / "whole"), halves(folder / "halves");
  const auto expected = whole.run(12);
  EXPECT_EQ(whole.micro_batches, 36);
  EXPECT_EQ(whole.published.at("step"), 12);
  EXPECT_EQ(whole.published.at("images"), 12 * 3 * whole.options.micro_batch);
  halves.run(5);
  EXPECT_TRUE(torch::allclose(halves.run(12), expected, 1e-5, 1e-6));
  EXPECT_EQ(halves.micro_batches, 36);
  halves.run(12);  // nothing is left to do
  EXPECT_EQ(halves.micro_batches, 36);
}

TEST(StepLoop, EndsEarlyWithEverythingSaved) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "step_loop_stop";
  std::filesystem::remove_all(folder);
  Line line(folder);
  line.options.stop_after_s = 1;
  line.run(100'000'000);
  const int64_t stopped = line.published.at("step");
  EXPECT_GT(stopped, 0);
  EXPECT_EQ(line.micro_batches, 3 * stopped);
  line.options.stop_after_s = 0;
  line.run(stopped + 2);
  EXPECT_EQ(line.published.at("step"), stopped + 2);
}

TEST(Workers, TakeOpenBlasToOneThreadAndGiveItBack) {
  const int before = diffusion::set_blas_threads(2);
  if (before == 0) GTEST_SKIP() << "another BLAS is bound";
  {
    Workers outer(2);
    { Workers inner(1); }
    EXPECT_EQ(diffusion::set_blas_threads(1), 1);
  }
  EXPECT_EQ(diffusion::set_blas_threads(before), 2);
}

TEST(Workers, RunEveryTaskOnceAndPassOnFailures) {
  Workers workers(3);
  std::atomic<int> done = 0;
  workers.run(20, [&](int, int) { ++done; });
  EXPECT_EQ(done, 20);
  EXPECT_THROW(workers.run(4,
                           [](int, int task) {
                             if (task == 2) throw std::runtime_error("no");
                           }),
               std::runtime_error);
}

TEST(Resume, GivesBackWhatWasSaved) {
  const auto folder = std::filesystem::temp_directory_path() / "conceptd-resume-test";
  std::filesystem::create_directories(folder);
  Adam saved(torch::randn({10}), {});
  saved.updates = 7;
  save_resume(folder, saved, {{"step", 12}});
  Adam loaded(torch::zeros({10}), {});
  const auto progress = load_resume(folder, loaded);
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->at("step"), 12);
  EXPECT_EQ(loaded.updates, 7);
  EXPECT_TRUE(torch::equal(loaded.values, saved.values));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace conceptd::pretrain
