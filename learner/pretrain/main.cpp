// conceptd-pretrain: makes the embedded base model and its evaluator. Not installed by default.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "core/error.h"
#include "learner/pretrain/stages.h"

using namespace conceptd;

int main(int argc, char** argv) {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);  // big tensors are reused, not given back to the kernel at every step
  mallopt(M_TRIM_THRESHOLD, 2'000'000'000);
  CLI::App app{"Trains the embedded base model on the procedural world. Every stage resumes where it stopped."};
  app.require_subcommand(1);
  pretrain::StageOptions options;
  const auto stage = [&](const char* name, const char* help, void (*train)(const pretrain::StageOptions&),
                         int64_t steps, double rate, int64_t micro_batch) {
    auto* command = app.add_subcommand(name, help);
    command->preparse_callback([&options, steps, rate, micro_batch](std::size_t) {
      options.steps = steps, options.rate = rate, options.micro_batch = micro_batch;
    });
    command->add_option("--run", options.run, "folder of the resumable state");
    command->add_option("--out", options.out, "model folder");
    command->add_option("--steps", options.steps, "steps of the whole schedule");
    command->add_option("--rate", options.rate, "peak learning rate");
    command->add_option("--micro-batch", options.micro_batch);
    command->add_option("--micro-batches", options.micro_batches, "a step averages this many");
    command->add_option("--workers", options.workers, "single-threaded workers; one a core");
    command->add_option("--seed", options.seed);
    command->add_option("--stop-after", options.stop_after_s, "seconds; ends early with everything saved");
    command->add_option("--second-colour", options.breadth.second_colour,
                        "probability that parts have their own colour");
    command->add_option("--pattern", options.breadth.pattern, "probability of a pattern");
    command->add_option("--badge", options.breadth.badge, "probability of a badge");
    command->add_option("--two-objects", options.breadth.two_objects, "probability of two objects");
    command->add_option("--individuals", options.individuals,
                        "of captions in one row, the share that are of individuals");
    command->add_option("--base", options.base, "mmdit: the base whose text encoder and autoencoder it reads");
    command->add_flag("--bf16", options.half, "mmdit: linear layers in bf16");
    command->callback([&options, train] { train(options); });
  };
  stage("autoencoder", "pictures to latents and back", pretrain::train_autoencoder, 8000, 2e-3, 8);
  stage("decoder", "latents to pictures, the encoder as it is", pretrain::train_decoder, 8000, 1e-3, 8);
  stage("text", "captions, contrastively, with binding heads", pretrain::train_text, 3000, 1e-3, 48);
  stage("unet", "the denoiser", pretrain::train_unet, 20000, 1e-3, 16);
  stage("evaluator", "the net that reads pictures; --out models/evaluator", pretrain::train_evaluator, 4000, 1e-3, 32);
  stage("towers", "captions and pictures against each other; --out models/evaluator", pretrain::train_towers, 2000,
        1e-3, 64);
  stage("mmdit", "a denoiser by flow matching; --out models/tiny-64-mmdit", pretrain::train_mmdit, 12000, 8e-4, 16);
  stage("assemble-mmdit", "the folder around it; --out models/tiny-64-mmdit", pretrain::assemble_mmdit, 0, 0, 0);
  stage("encoder-words", "what the tuning-encoder says of a photo, in one word", pretrain::train_encoder_words, 3000,
        1e-3, 16);
  stage("encoder", "the tuning-encoder, by the denoiser's error", pretrain::train_encoder, 4000, 5e-4, 12);
  stage("assemble", "index, scheduler, tokenizer settings and the covariance of captions", pretrain::assemble, 0, 0, 0);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const Error& error) {
    std::fprintf(stderr, "conceptd-pretrain: %s\n", error.what());
    return exit_status(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "conceptd-pretrain: %s\n", error.what());
    return 1;
  }
  return 0;
}
