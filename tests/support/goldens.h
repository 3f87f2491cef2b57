// Where the reference tensors are, and how near a result must be. The set is $CONCEPTD_GOLDENS or tests/goldens;
// another set of the same layout, with other widths, depths and strings, passes with the same binary.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "diffusion/torch.h"

namespace conceptd::test {

std::filesystem::path golden(const std::string& name);  // "unet_forward.safetensors"

// The folder of CLIP's vocabulary, which is not in this repository: in the set itself, or in
// $CONCEPTD_SHARED/goldens/open (by default ../shared beside the project). Empty where there is none: skip, saying so.
std::optional<std::filesystem::path> clip_tokenizer_folder();

// Expects |actual - expected| <= limit everywhere, and says on stdout how near it was.
void expect_close(const torch::Tensor& actual, const torch::Tensor& expected, double limit, const std::string& label);
// The same as a share of the largest expected value; or, where values may but need not be large, of that or 1.
void expect_close_relative(const torch::Tensor& actual, const torch::Tensor& expected, double limit,
                           const std::string& label);
void expect_close_or_relative(const torch::Tensor& actual, const torch::Tensor& expected, double limit,
                              const std::string& label);

}  // namespace conceptd::test

#define SKIP_WITHOUT_CLIP_VOCABULARY()          \
  if (!conceptd::test::clip_tokenizer_folder()) \
  GTEST_SKIP() << "CLIP's vocab.json and merges.txt are not here; point CONCEPTD_GOLDENS or CONCEPTD_SHARED at them"
