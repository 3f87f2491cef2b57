#include "tests/support/goldens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace conceptd::test {
namespace fs = std::filesystem;

namespace {
fs::path from_environment(const char* name, const fs::path& otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? fs::path(value) : otherwise;
}

void expect_within(const torch::Tensor& actual, const torch::Tensor& expected, double limit, const std::string& label,
                   double least_scale, double most_scale) {
  ASSERT_EQ(actual.sizes(), expected.sizes()) << label;
  if (expected.numel() == 0) return;
  const auto wide = expected.to(torch::kDouble);
  const double scale = std::clamp(wide.abs().max().item<double>(), least_scale, most_scale);
  const double error = (actual.detach().to(torch::kDouble) - wide).abs().max().item<double>();
  std::printf("[ measured ] %-60s %8.1e of %8.1e\n", label.c_str(), scale > 0 ? error / scale : error, limit);
  EXPECT_LE(error, limit * scale) << label;  // false for NaN, too
}
}  // namespace

fs::path golden(const std::string& name) {
  return from_environment("CONCEPTD_GOLDENS", fs::path(CONCEPTD_SOURCE_DIR) / "tests/goldens") / name;
}

std::optional<fs::path> clip_tokenizer_folder() {
  const auto shared = from_environment("CONCEPTD_SHARED", fs::path(CONCEPTD_SOURCE_DIR).parent_path() / "shared");
  for (const auto& folder : {golden("tiny-sd/tokenizer"), shared / "goldens/open/tiny-sd/tokenizer"}) {
    if (fs::exists(folder / "vocab.json") && fs::exists(folder / "merges.txt")) return folder;
  }
  return std::nullopt;
}

void expect_close(const torch::Tensor& actual, const torch::Tensor& expected, double limit, const std::string& label) {
  expect_within(actual, expected, limit, label, 1, 1);
}

void expect_close_relative(const torch::Tensor& actual, const torch::Tensor& expected, double limit,
                           const std::string& label) {
  expect_within(actual, expected, limit, label, 0, INFINITY);
}

void expect_close_or_relative(const torch::Tensor& actual, const torch::Tensor& expected, double limit,
                              const std::string& label) {
  expect_within(actual, expected, limit, label, 1, INFINITY);
}

}  // namespace conceptd::test
