// Latent Fisher divergence: how far a method moves the denoiser on prompts that are none of its business.
//
// Infusion (Zeng et al. 2024, arXiv 2404.14007) names the measure; its formula was not available to us, so this is our
// estimator (perfusion_and_infusion.md, B-4 with λ(t) = 1 − ᾱ_t):
//   LFD = E ‖ε̂_θ(z_t, t, c) − ε̂_0(z_t, t, c)‖² / dim(z),   z_t = α_t z_0 + σ_t ε,   z_0 drawn by the base for c
// over prompts that name no concept, k timesteps of each z_0, one from each of k equal parts of the schedule, and one ε
// each. There is no guidance inside the difference. All methods get the same draws, so that they compare in pairs.
// A base that predicts v or x_0 is read as the noise that this implies: at one z_t differences are proportional,
// Δε̂ = α_t Δv̂ = −(α_t / σ_t) Δx̂_0.
// Whoever learns nothing moves nothing: the figure means something only beside identity.
// Legend: r rows, k timesteps a row, n tokens, c width, ch channels, s latent side.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "diffusion/edits/edits.h"
#include "diffusion/model_bundle.h"
#include "diffusion/schedulers/noise_schedule.h"

namespace conceptd::learner {
using torch::Tensor;

// One z_0 with its prompt, as the base and as the method reads it.
struct FisherRow {
  Tensor original;                                            // z_0 (ch, s, s), as diffusion::denoise() leaves it
  Tensor frozen_context;                                      // (n, c)
  Tensor context;                                             // (n, c)
  std::shared_ptr<const diffusion::EditSet> edits = nullptr;  // what of the method acts on this row; null: nothing
  bool reads_an_edit() const;                                 // else the row is the base's, bit for bit
};
// A method's edits, all of them in force, at a prompt that names no concept. Residuals are left out: they stand at
// their word, which the prompt lacks. Null edits: as the product draws such a prompt, whatever has been learnt.
// Error{invalid} where the prompt names a concept.
FisherRow fisher_row(diffusion::ModelBundle& bundle, const std::string& prompt,
                     const std::shared_ptr<const diffusion::EditSet>& edits, const Tensor& original);

struct FisherDraws {
  Tensor timesteps;  // (r, k) int64, column j from the j-th of k equal parts of the schedule
  Tensor noise;      // (r, k, ch, s, s)
};
// The first rows of a longer plan are the same. latent: (ch, s, s).
FisherDraws fisher_draws(int64_t rows, int64_t timesteps, at::IntArrayRef latent,
                         const diffusion::NoiseSchedule& schedule, std::uint64_t seed);

struct FisherDivergence {
  double mean = 0;
  Tensor by_row;   // (r) fp64, over its timesteps: what an interval is made of
  Tensor by_time;  // (k) fp64, over the rows: the curve over the schedule
};
// change: ε̂_θ − ε̂_0 (r, k, ch, s, s).
FisherDivergence fisher_divergence(const Tensor& change);

// What makes a difference of two predictions at one z_t one of noises: timesteps (b) int64 -> (b). Of x_0 it has no
// bound where the schedule ends without noise.
Tensor noise_factor(const diffusion::NoiseSchedule& schedule, const Tensor& timesteps);

// What the base says at every draw, in its own terms (r, k, ch, s, s): the same for all methods, so computed once. As
// many rows at once as libtorch would use threads. Error{invalid} where the base is not open in fp32.
Tensor frozen_predictions(diffusion::ModelBundle& bundle, const std::vector<FisherRow>& rows, const FisherDraws& draws);

// frozen: of these draws. A row that reads no edit is not computed: it is 0 exactly.
FisherDivergence latent_fisher_divergence(diffusion::ModelBundle& bundle, const std::vector<FisherRow>& rows,
                                          const FisherDraws& draws, const Tensor& frozen);

}  // namespace conceptd::learner
