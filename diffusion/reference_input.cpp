#include "diffusion/reference_input.h"

#include "core/error.h"
#include "diffusion/packed_latents.h"

namespace conceptd::diffusion {

namespace {

void check(bool fits, const char* field, const std::string& why) {
  if (!fits) throw Error(Code::invalid, std::string(field) + " " + why, field);
}

void check_reference(const Reference& reference, const FluxPrompt& prompt, const Tensor& latents) {
  const auto& own = reference.latents;
  check(own.defined() && own.dim() == 3 && own.size(0) == latents.size(1) && own.size(1) % 2 == 0 &&
            own.size(2) % 2 == 0 && own.numel() > 0,
        "references", "must be latents of this model, with even sides");
  check(reference.caption.defined() && reference.caption.dim() == 2 && reference.caption.size(1) == prompt.text.size(2),
        "captions", "must be text states of this model");
}

Tensor placed_ids(const Reference& reference, ReferencePlace place, int64_t dy, int64_t dx) {
  const auto height = reference.latents.size(1), width = reference.latents.size(2);
  switch (place) {
    case ReferencePlace::diagonal:
      return patch_ids(height, width, dy, dx);
    case ReferencePlace::down:
      return patch_ids(height, width, dy, 0);
    case ReferencePlace::right:
      return patch_ids(height, width, 0, dx);
    case ReferencePlace::left:
      return patch_ids(height, width, 0, -width / 2);
    case ReferencePlace::on_canvas:
      return patch_ids(height, width);
  }
  throw Error(Code::internal, "unknown place");
}

Tensor modulations(const Tensor& groups, int64_t of_group, int64_t of_subjects) {
  return torch::where(groups >= TokenGroups::kFirstSubject, torch::full_like(groups, of_subjects),
                      torch::full_like(groups, of_group));
}

}  // namespace

ReferencedInput referenced_input(const FluxPrompt& prompt, const Tensor& latents, double sigma,
                                 std::span<const Reference> references, const ReferenceOptions& options) {
  const auto b = latents.size(0), height = latents.size(2), width = latents.size(3);
  check(options.place != ReferencePlace::left || references.size() <= 1, "place", "left is for one reference");
  check(!options.own_pooled || references.size() == 1, "own_pooled", "is for one reference");
  std::vector<Tensor> image{pack_latents(latents)}, ids{patch_ids(height, width)}, text{prompt.text};
  std::vector<int64_t> caption_lengths, reference_lengths;
  int64_t dy = height / 2, dx = width / 2;
  for (const auto& reference : references) {
    check_reference(reference, prompt, latents);
    image.push_back(pack_latents(reference.latents.unsqueeze(0)).expand({b, -1, -1}));
    text.push_back(reference.caption.unsqueeze(0).expand({b, -1, -1}));
    ids.push_back(placed_ids(reference, options.place, dy, dx));
    dy += reference.latents.size(1) / 2, dx += reference.latents.size(2) / 2;
    caption_lengths.push_back(reference.caption.size(0));
    reference_lengths.push_back(image.back().size(1));
  }
  ReferencedInput made;
  made.groups = TokenGroups::of(prompt.text.size(1), image[0].size(1), caption_lengths, reference_lengths);
  auto& in = made.input;
  in.image = torch::cat(image, 1), in.text = torch::cat(text, 1);
  const float now = static_cast<float>(sigma), then = options.shared_time ? now : 0;
  in.timestep = torch::tensor({now, now, then, then}).expand({b, kModulations});
  in.pooled = prompt.pooled.unsqueeze(1).expand({b, kModulations, -1});
  if (options.own_pooled) {
    const auto own = references[0].pooled;
    check(own.defined() && own.sizes() == at::IntArrayRef{prompt.pooled.size(1)}, "own_pooled", "is not there");
    in.pooled = torch::cat({in.pooled.slice(1, 0, kOfCaptions), own.expand({b, 2, -1})}, 1);
  }
  in.guidance = prompt.guidance;
  in.image_ids = torch::cat(ids);
  in.text_ids = torch::zeros({in.text.size(1), 3});
  in.image_modulation = modulations(made.groups.image, kOfPicture, kOfReferences);
  in.text_modulation = modulations(made.groups.text, kOfPrompt, kOfCaptions);
  in.answered = image[0].size(1);
  return made;
}

Tensor referenced_velocity(FluxTransformer2DModel& model, const FluxPrompt& prompt, const Tensor& latents, double sigma,
                           std::span<const Reference> references, const ReferenceOptions& options, Adaptation& adapt) {
  const auto made = referenced_input(prompt, latents, sigma, references, options);
  return unpack_latents(model(made.input, adapt), latents.size(2), latents.size(3));
}

}  // namespace conceptd::diffusion
