// Goal: what was learnt once is not learnt again, and nothing else is taken for it. Method: one step on the real base.
#include "learner/evaluate/kept_deltas.h"

#include <gtest/gtest.h>

#include "embedded_base.h"
#include "tests/support/temp_folder.h"

namespace conceptd::evaluate {
namespace {

TEST(KeptDeltas, AreRecalledForTheSameRequestOnly) {
  const test::TempFolder folder;
  learner::LearnContext context{.bundle = learner::embedded_base()};
  auto request = learner::request_for(3, {{"steps", 1}, {"batch", 1}, {"preview_every", 0}});
  const auto count = [&] {
    const std::filesystem::directory_iterator files(folder / "kept");
    return std::distance(begin(files), end(files));
  };
  const auto learnt = learn_or_recall("textual_inversion", request, context, folder / "kept");
  EXPECT_EQ(count(), 1);
  const auto recalled = learn_or_recall("textual_inversion", request, context, folder / "kept");
  EXPECT_EQ(count(), 1);
  EXPECT_NEAR(recalled.seconds, learnt.seconds, 1e-5);
  EXPECT_TRUE(torch::equal(recalled.delta.tensors.at("w"), learnt.delta.tensors.at("w")));
  ++request.seed;
  learn_or_recall("textual_inversion", request, context, folder / "kept");
  request.settings["batch"] = 2;
  learn_or_recall("textual_inversion", request, context, folder / "kept");
  request.photos = request.photos.flip({3});
  learn_or_recall("textual_inversion", request, context, folder / "kept");
  EXPECT_EQ(count(), 4);
}

}  // namespace
}  // namespace conceptd::evaluate
