#include "diffusion/referenced_picture.h"

#include <ATen/CPUGeneratorImpl.h>

#include "core/error.h"
#include "diffusion/packed_latents.h"
#include "diffusion/schedulers/scheduler.h"
#include "diffusion/text_to_image.h"

namespace conceptd::diffusion {

namespace {

void check(bool fits, const char* field, const std::string& why) {
  if (!fits) throw Error(Code::invalid, std::string(field) + " " + why, field);
}

int64_t latent_side(const ModelBundle& bundle, int64_t pixels, const char* field) {
  const auto scale = int64_t{1} << (bundle.vae->config.block_out_channels.size() - 1);
  const auto side = pixels ? pixels : bundle.picture_side();
  check(side > 0 && side <= kSideMax && side % (2 * scale) == 0, field,
        "must be a multiple of " + std::to_string(2 * scale) + " up to " + std::to_string(kSideMax) + " pixels");
  return side / scale;
}

FluxPrompt checked_prompt(const FluxConfig& config, const Tensor& context, const Tensor& pooled, const char* field) {
  check(context.defined() && context.dim() == 2 && context.size(1) == config.joint_attention_dim && pooled.defined() &&
            pooled.sizes() == at::IntArrayRef{config.pooled_projection_dim},
        field, "is not a prompt as this base encodes it");
  return {context.unsqueeze(0), pooled.unsqueeze(0)};
}

}  // namespace

Tensor denoise_with_references(ModelBundle& bundle, const ReferencedRequest& request, Steering& steering) {
  const torch::NoGradGuard no_grad;
  check(static_cast<bool>(bundle.transformer), "base", "has no joint attention, so no references can stand in it");
  check(request.steps >= 1 && request.steps <= kStepsMax, "steps", "must lie in 1.." + std::to_string(kStepsMax));
  check(std::abs(request.guidance) <= 100, "guidance", "must lie in -100..100");
  const auto& config = bundle.transformer->config;
  const auto height = latent_side(bundle, request.height, "height"),
             width = latent_side(bundle, request.width, "width");
  auto prompt = checked_prompt(config, request.context, request.pooled, "context");
  const bool halves = request.guidance > 1 && !config.guidance_embeds;
  FluxPrompt nothing;
  if (halves) nothing = checked_prompt(config, request.negative_context, request.negative_pooled, "negative_context");
  if (config.guidance_embeds) prompt.guidance = torch::full({1}, request.guidance, torch::kFloat);
  auto routing = request.routing;
  routing.height = height / 2, routing.width = width / 2;

  const auto tokens = routing.height * routing.width;
  const auto scheduler =
      make_scheduler(bundle.scheduler_config, {}, flux_sampler(bundle.scheduler_config, request.steps, tokens));
  scheduler->set_timesteps(request.steps);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(request.seed);
  Step step{.steps = request.steps,
            .latents = torch::randn({1, bundle.vae->config.latent_channels, height, width}, generator, torch::kFloat)};
  const auto velocity = [&](const FluxPrompt& of, double sigma) {
    const auto made = referenced_input(of, step.latents, sigma, request.references, request.options);
    Routed routed(made.groups, routing, request.picture_branch, request.reference_branch);
    routed.begin_step(step.index, step.steps);
    return unpack_latents(bundle.transformer(made.input, routed), height, width).to(torch::kFloat);
  };
  for (; step.index < step.steps; ++step.index) {
    step.timestep = scheduler->timesteps()[step.index].item<double>();
    steering.before_step(step);
    const double sigma = scheduler->sigmas()[step.index].item<double>();
    auto output = velocity(prompt, sigma);
    if (halves) {
      const auto without = velocity(nothing, sigma);
      output = without + request.guidance * (output - without);
    }
    auto next = scheduler->step(output, step.index, step.latents, {});
    step.latents = std::move(next.sample), step.original = std::move(next.original);
  }
  return step.latents;
}

}  // namespace conceptd::diffusion
