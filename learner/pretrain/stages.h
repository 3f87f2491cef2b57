// The stages of making the embedded base, in order. Each resumes from its folder below `run` and writes finished
// weights below `out`.
//
//   autoencoder  pictures -> latents -> pictures      vae/
//   decoder      latents -> pictures alone, the latents as they are    vae/
//   text         captions, by questions about what they say              text_encoder/, tokenizer/
//   unet         the denoiser, on frozen latents and frozen text states  unet/
//   encoder-words, encoder    the base's tuning-encoder    <out>-encoder/, beside the base
//   assemble     the folder around them                                  model_index.json, scheduler/, perfusion/, …
#pragma once
#include <cstdint>
#include <filesystem>

#include "learner/world/world.h"

namespace conceptd::pretrain {

inline constexpr double kMinSnr = 5;  // the denoiser's timesteps weigh sqrt(min(SNR, this) / (SNR + 1))

struct StageOptions {
  std::filesystem::path run = ".training", out = "models/tiny-64";
  int64_t steps = 10000;  // of the whole schedule: the learning rate follows it
  int64_t micro_batch = 16, micro_batches = 4;
  double rate = 1e-3;
  int workers = 2;
  std::uint64_t seed = 1;
  double checkpoint_s = 180, grid_s = 600;
  world::Breadth breadth;
  double individuals = 0;    // share of the captions with a phrase in one row that are of individuals (individuals.h)
  int64_t stop_after_s = 0;  // end early, with everything saved; 0: no limit
  std::filesystem::path base = "models/tiny-64";  // mmdit: whose text encoder and autoencoder it is trained on
  bool half = false;                              // mmdit: linear layers in bf16
};

void train_autoencoder(const StageOptions& options);
void train_decoder(const StageOptions& options);  // more of it, from the published weights
void train_text(const StageOptions& options);
void train_unet(const StageOptions& options);
void train_evaluator(const StageOptions& options);      // another model altogether: models/evaluator
void train_towers(const StageOptions& options);         // beside it: captions and pictures against each other
void train_encoder_words(const StageOptions& options);  // the tuning-encoder beside the base, and its words first
void train_encoder(const StageOptions& options);
void assemble(const StageOptions& options);        // the folder around the weights, and perfusion's covariance
void train_mmdit(const StageOptions& options);     // another denoiser for the same world: models/tiny-64-mmdit
void assemble_mmdit(const StageOptions& options);  // the folder around it

// A generator for one task of one step: runs repeat, and resumed runs go on with fresh scenes.
world::Random task_random(std::uint64_t seed, int64_t step, int64_t task);

}  // namespace conceptd::pretrain
