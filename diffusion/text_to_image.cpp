#include "diffusion/text_to_image.h"

#include <ATen/CPUGeneratorImpl.h>

#include <functional>

#include "core/error.h"
#include "diffusion/edits/borrowed_maps.h"
#include "diffusion/flux_prediction.h"

namespace conceptd::diffusion {

namespace {

void check(bool fits, const char* field, const std::string& why) {
  if (!fits) throw Error(Code::invalid, std::string(field) + " " + why, field);
}

struct LatentShape {
  int64_t channels, height, width;
};

LatentShape checked_shape(const ModelBundle& bundle, const TextToImageRequest& request) {
  const auto scale = int64_t{1} << (bundle.vae->config.block_out_channels.size() - 1);  // pixels a latent
  const auto factor = bundle.transformer ? 2 * scale : scale;                           // an MM-DiT packs 2x2
  const auto height = request.height ? request.height : bundle.picture_side();
  const auto width = request.width ? request.width : bundle.picture_side();
  for (const auto& [field, side] : {std::pair{"height", height}, {"width", width}}) {
    check(side >= factor && side <= kSideMax && side % factor == 0, field,
          "must be a multiple of " + std::to_string(factor) + " up to " + std::to_string(kSideMax) + " pixels");
  }
  return {bundle.vae->config.latent_channels, height / scale, width / scale};
}

bool reads_guidance(const ModelBundle& bundle) {
  return bundle.transformer && bundle.transformer->config.guidance_embeds;
}

void check_rows(const ModelBundle& bundle, const TextToImageRequest& request, const LatentShape& shape) {
  const auto& rows = request.rows;
  check(!rows.empty() && rows.size() <= kRowsMax, "rows", "must be 1.." + std::to_string(kRowsMax));
  check(request.steps >= 1 && request.steps <= kStepsMax, "steps", "must lie in 1.." + std::to_string(kStepsMax));
  const auto width =
      bundle.unet ? bundle.unet->config.cross_attention_width : bundle.transformer->config.joint_attention_dim;
  const auto fits = [&](const Tensor& context) {
    return context.defined() && context.dim() == 2 && context.size(1) == width &&
           context.size(0) == rows[0].context.size(0);
  };
  const auto fits_pooled = [&](const Tensor& pooled) {
    return bundle.unet ||
           (pooled.defined() && pooled.sizes() == at::IntArrayRef{bundle.transformer->config.pooled_projection_dim});
  };
  for (const auto& row : rows) {
    const bool halves = row.guidance > 1 && !reads_guidance(bundle);
    check(fits(row.context), "context", "is not a prompt as this base encodes it");
    check(!halves || fits(row.negative_context), "negative_context", "is needed where guidance is above 1");
    check(fits_pooled(row.pooled), "pooled", "is not a prompt as this base encodes it");
    check(!halves || fits_pooled(row.negative_pooled), "negative_pooled", "is needed where guidance is above 1");
    check(bundle.unet || !row.edits || !any_residual(*row.edits, [](const auto&) { return true; }), "edits",
          "are residuals of cross-attention, which this base does not have");
    check(std::abs(row.guidance) <= 100, "guidance", "must lie in -100..100");
    const auto nowhere = [](const TokenResidual& edit) { return edit.positions.empty(); };
    const bool unread = row.edits && row.edits->hard && !fits(row.edits->hard->context);
    check(!row.edits || (!any_residual(*row.edits, nowhere) && !unread), "edits",
          "do not know their tokens: take those that "
          "prepare_prompt() gave for this row's prompt");
    check(row.guidance_rescale >= 0 && row.guidance_rescale <= 1, "guidance_rescale", "must lie in 0..1");
    check(!row.noise.defined() || row.noise.sizes() == at::IntArrayRef{shape.channels, shape.height, shape.width},
          "noise", "has another shape than the latents");
  }
}

// The UNet's batch: first the unconditional halves of the rows that are guided, then all rows.
class GuidedBatch {
 public:
  GuidedBatch(const TextToImageRequest& request, const ModelBundle& bundle) {
    std::vector<Tensor> contexts, pooled;
    std::vector<float> read;
    std::vector<float> scale, rescale;
    std::vector<int64_t> guided;
    for (std::size_t k = 0; k < request.rows.size(); ++k) {
      const auto& row = request.rows[k];
      if (row.guidance <= 1 || reads_guidance(bundle)) continue;
      guided.push_back(static_cast<int64_t>(k));
      contexts.push_back(row.negative_context), pooled.push_back(row.negative_pooled);
      edits_.push_back(row.edit_negative ? row.edits : nullptr);
      scale.push_back(static_cast<float>(row.guidance));
      rescale.push_back(static_cast<float>(row.guidance_rescale));
      any_rescale_ |= row.guidance_rescale > 0;
    }
    edits_ = without_soft_path(for_another_prompt(edits_));
    for (const auto& row : request.rows) {
      contexts.push_back(row.context), pooled.push_back(row.pooled);
      read.push_back(static_cast<float>(row.guidance));
      edits_.push_back(row.edits);
    }
    context_ = torch::stack(contexts).to(bundle.compute);              // (u + b, n, c)
    if (bundle.transformer) pooled_ = torch::stack(pooled);            // (u + b, p)
    if (reads_guidance(bundle)) read_guidance_ = torch::tensor(read);  // (b)
    guided_ = torch::tensor(guided, torch::kLong);
    scale_ = torch::tensor(scale).view({-1, 1, 1, 1});
    rescale_ = torch::tensor(rescale).view({-1, 1, 1, 1});
  }

  const Tensor& context() const { return context_; }
  FluxPrompt flux_prompt() const { return {context_, pooled_, read_guidance_}; }
  const Edited::Rows& edits() const { return edits_; }

  Tensor doubled(const Tensor& input) const {  // (b, …) -> (u + b, …)
    return guided_.size(0) ? torch::cat({input.index_select(0, guided_), input}) : input;
  }

  Tensor guide(const Tensor& output) const {  // (u + b, …) -> (b, …)
    const auto u = guided_.size(0);
    if (!u) return output;
    const auto without = output.slice(0, 0, u), all = output.slice(0, u);
    const auto with = all.index_select(0, guided_);
    auto mixed = without + scale_ * (with - without);
    if (any_rescale_) {  // Lin et al. 2023, eq. 15 and 16
      const auto spread = [](const Tensor& x) { return x.flatten(1).std(1, true, true).view({-1, 1, 1, 1}); };
      mixed = rescale_ * (mixed * (spread(with) / spread(mixed))) + (1 - rescale_) * mixed;
    }
    return u == all.size(0) ? mixed : all.index_copy(0, guided_, mixed);
  }

 private:
  Tensor context_, pooled_, read_guidance_, guided_, scale_, rescale_;  // guided_: (u) row numbers
  Edited::Rows edits_;
  bool any_rescale_ = false;
};

using Predict = std::function<Tensor(const Tensor& input, const Tensor& timestep)>;

Predict predictor(ModelBundle& bundle, const GuidedBatch& batch) {
  if (bundle.transformer) {
    const auto edited = std::make_shared<Edited>(batch.edits());
    const auto train_steps = static_cast<double>(bundle.scheduler_config.value("num_train_timesteps", 1000));
    return [=, &bundle, prompt = batch.flux_prompt()](const Tensor& input, const Tensor& timestep) {
      return flux_velocity(bundle.transformer, prompt, input, timestep.item<double>() / train_steps, *edited);
    };
  }
  const auto streams = std::make_shared<DualStream>(batch.edits());
  streams->begin_prompt(batch.context());
  return [=, &bundle, context = batch.context()](const Tensor& input, const Tensor& timestep) {
    return streams->run(bundle.unet, input, timestep, context);
  };
}

std::unique_ptr<Scheduler> scheduler_of(const ModelBundle& bundle, const TextToImageRequest& request,
                                        const LatentShape& shape) {
  SamplerOptions options;
  if (bundle.transformer)
    options = flux_sampler(bundle.scheduler_config, request.steps, shape.height * shape.width / 4);
  options.eta = request.eta;
  return make_scheduler(bundle.scheduler_config, request.sampler, options);
}

}  // namespace

Tensor denoise(ModelBundle& bundle, const TextToImageRequest& request, Steering& steering) {
  const torch::NoGradGuard no_grad;
  const auto shape = checked_shape(bundle, request);
  check_rows(bundle, request, shape);
  const auto scheduler = scheduler_of(bundle, request, shape);
  scheduler->set_timesteps(request.steps);

  std::vector<at::Generator> generators;
  for (const auto& row : request.rows) generators.push_back(at::make_generator<at::CPUGeneratorImpl>(row.seed));
  const auto draw = [&](std::size_t row) {
    return torch::randn({shape.channels, shape.height, shape.width}, generators[row], torch::kFloat);
  };
  const NoiseSource step_noise = [&](at::IntArrayRef) {
    std::vector<Tensor> rows;
    for (std::size_t k = 0; k < generators.size(); ++k) rows.push_back(draw(k));
    return torch::stack(rows);
  };
  std::vector<Tensor> start;
  for (std::size_t k = 0; k < generators.size(); ++k) {
    start.push_back(request.rows[k].noise.defined() ? request.rows[k].noise : draw(k));
  }

  const GuidedBatch batch(request, bundle);
  const auto predict = predictor(bundle, batch);
  Step step{.steps = scheduler->steps(), .latents = torch::stack(start) * scheduler->init_noise_sigma()};
  for (; step.index < step.steps; ++step.index) {
    const auto timestep = scheduler->timesteps()[step.index];
    step.timestep = timestep.item<double>();
    step.model_input = [&](const Tensor& latents) { return scheduler->scale_model_input(latents, step.index); };
    steering.before_step(step);
    const auto input = batch.doubled(scheduler->scale_model_input(step.latents, step.index));
    const auto output = predict(input.to(bundle.compute), timestep).to(torch::kFloat);
    auto next = scheduler->step(batch.guide(output), step.index, step.latents, step_noise);
    step.latents = std::move(next.sample);
    step.original = std::move(next.original);
  }
  return step.latents;
}

Tensor decode_latents(ModelBundle& bundle, const Tensor& latents) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> pictures;
  for (int64_t k = 0; k < latents.size(0); ++k) {
    pictures.push_back(bundle.vae->decode(latents.slice(0, k, k + 1) / bundle.vae->config.scaling_factor));
  }
  return torch::cat(pictures).to(torch::kFloat);
}

Tensor to_pixels(const Tensor& pictures) {
  return ((pictures / 2 + .5).clamp(0, 1) * 255).round().to(torch::kByte).permute({0, 2, 3, 1}).contiguous();
}

Tensor text_to_image(ModelBundle& bundle, const TextToImageRequest& request, Steering& steering) {
  return to_pixels(decode_latents(bundle, denoise(bundle, request, steering)));
}

}  // namespace conceptd::diffusion
