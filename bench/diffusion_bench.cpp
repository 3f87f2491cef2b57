// The denoiser and its parts on one thread, each beside its yardstick: libtorch's own group norm, a large product.
#include <benchmark/benchmark.h>

#include "diffusion/attention.h"
#include "diffusion/edits/token_groups.h"
#include "diffusion/group_norm.h"
#include "diffusion/prompt.h"
#include "diffusion/runtime.h"
#include "diffusion/text_to_image.h"

namespace conceptd::diffusion {
namespace {

ModelBundle& base(torch::ScalarType compute) {
  static ModelBundle g_fp32 = ModelBundle::open(CONCEPTD_BASE);
  if (compute == torch::kFloat) return g_fp32;
  static ModelBundle g_bf16 = ModelBundle::open(CONCEPTD_BASE, {.compute = torch::kBFloat16});
  return g_bf16;
}

torch::ScalarType dtype_of(const benchmark::State& state, int argument) {
  return state.range(argument) ? torch::kBFloat16 : torch::kFloat;
}

void Product(benchmark::State& state) {  // the peak that everything else is read against
  const auto a = torch::randn({1024, 1024}).to(dtype_of(state, 0)), b = torch::randn({1024, 1024}).to(a.scalar_type());
  for (auto _ : state) benchmark::DoNotOptimize(torch::matmul(a, b));
  state.counters["flop/s"] = benchmark::Counter(2. * 1024 * 1024 * 1024, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(Product)->ArgName("bf16")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void GroupNormSilu(benchmark::State& state) {
  const bool ours = state.range(0) != 0;
  auto x = torch::randn({16, 64, 16, 16}).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_();
  const auto weight = torch::ones({64}), bias = torch::zeros({64}), upstream = torch::randn_like(x);
  for (auto _ : state) {
    const auto y = ours ? fused_group_norm(x, weight, bias, 16, 1e-5, true)
                        : torch::silu(torch::group_norm(x, 16, weight, bias, 1e-5));
    benchmark::DoNotOptimize(torch::autograd::grad({y}, {x}, {upstream}));
  }
}
BENCHMARK(GroupNormSilu)->ArgName("ours")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

void Denoiser(benchmark::State& state) {  // one forward pass
  torch::NoGradGuard frozen;
  auto& bundle = base(dtype_of(state, 1));
  const auto b = state.range(0), side = bundle.unet->config.sample_size;
  const auto x = torch::randn({b, bundle.unet->config.in_channels, side, side}).to(bundle.compute);
  const auto context = prepare_prompt(bundle, "a red mug on the beach").context.expand({b, -1, -1}).to(bundle.compute);
  Adaptation none;
  for (auto _ : state) benchmark::DoNotOptimize(bundle.unet(x, torch::full({b}, 500), context, none));
  state.counters["pictures/s"] =
      benchmark::Counter(static_cast<double>(b), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(Denoiser)->ArgNames({"b", "bf16"})->ArgsProduct({{1, 2, 16}, {0, 1}})->Unit(benchmark::kMillisecond);

void Picture(benchmark::State& state) {  // 25 steps with guidance, decoded, on as many threads as there are CPUs
  torch::NoGradGuard frozen;
  auto& bundle = base(dtype_of(state, 1));
  at::set_num_threads(static_cast<int>(state.range(0)));
  PictureRow row;
  row.context = prepare_prompt(bundle, "a red mug on the beach").context;
  row.negative_context = prepare_prompt(bundle, "").context, row.guidance = bundle.defaults.guidance;
  Steering none;
  for (auto _ : state)
    benchmark::DoNotOptimize(text_to_image(bundle, {.rows = {row}, .sampler = "ddim", .steps = 25}, none));
  at::set_num_threads(1);
}
BENCHMARK(Picture)
    ->ArgNames({"threads", "bf16"})
    ->ArgsProduct({{1, 2}, {0, 1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// One joint attention of six heads of 32: a picture of n tokens, 32 of prompt, c references as large as the picture
// with captions of 8. mask 0: none; 1: as a bias; 2: in parts. owned: each token of the picture by one of the
// references.
void MaskedAttention(benchmark::State& state) {
  torch::NoGradGuard frozen;
  const auto c = state.range(0), n = state.range(1), mask = state.range(2), owned = state.range(3);
  const auto many = static_cast<std::size_t>(c);
  const auto groups = TokenGroups::of(32, n, std::vector<int64_t>(many, 8), std::vector<int64_t>(many, n));
  const auto s = groups.all().size(0);
  Attend attend{torch::randn({1, 6, s, 32}), torch::randn({1, 6, s, 32}), torch::randn({1, 6, s, 32}), {}};
  const Ownership ownership{owned ? torch::randint(c, {1, n}, torch::kLong) : Tensor(), {}};
  for (auto _ : state) {  // owned masks are of one pass; static ones of all
    if (mask == 1 && (owned || !attend.bias.defined())) attend.bias = mask_bias(groups, ownership);
    if (mask == 2 && (owned || attend.parts.empty())) attend.parts = mask_parts(groups, ownership);
    benchmark::DoNotOptimize(softmax_attention(attend));
  }
}
BENCHMARK(MaskedAttention)
    ->ArgNames({"c", "n", "mask", "owned"})
    ->ArgsProduct({{2, 4}, {64, 1024}, {0, 1, 2}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace conceptd::diffusion

int main(int argc, char** argv) {
  conceptd::diffusion::set_up_compute({.threads = 1});
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
