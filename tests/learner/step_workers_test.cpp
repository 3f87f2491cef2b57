// Goal: a step over any number of workers is the step of the whole batch. Method: a loss small enough to differentiate
// at once beside it.
#include "learner/step_workers.h"

#include <gtest/gtest.h>

namespace conceptd::learner {
namespace {

// 5 rows: parts of different sizes for 2 and 3 workers.
struct Step {
  Draw draw{torch::arange(5), torch::randn({5, 2, 4, 4}), torch::randn({5, 2, 4, 4}), torch::arange(5),
            torch::rand({5, 1, 4, 4})};
  Tensor word = torch::randn({1, 3}).requires_grad_(), value = torch::randn({3}).requires_grad_();
  Tensor states() const { return torch::tanh(word * torch::arange(1, 6).view({5, 1})).unsqueeze(1); }  // (5, 1, 3)
  Tensor loss(const Draw& part, const Tensor& states) const {
    const auto strength = (states * value).sum(2).view({-1, 1, 1, 1});
    return masked_loss(part.noisy * strength, part.target, part.mask);
  }
};

class StepOver : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    torch::manual_seed(3);
    at::set_num_threads(GetParam());
  }
  void TearDown() override { at::set_num_threads(before_); }
  const int before_ = at::get_num_threads();
};

TEST_P(StepOver, AnyNumberOfWorkersIsTheWholeStep) {
  Step step;
  const auto whole = step.loss(step.draw, step.states());
  const auto expected = torch::autograd::grad({whole}, {step.word, step.value});
  {
    StepWorkers workers;
    const auto loss_of = [&](const Draw& part, const Tensor& states) { return step.loss(part, states); };
    torch::optim::Adam adam({step.word, step.value}, torch::optim::AdamOptions(0));  // moves nothing
    for (int again = 0; again < 2; ++again) {  // gradients must be such as an optimiser can clear
      adam.zero_grad();
      const double loss = workers.backward(step.draw, step.states(), {step.value}, loss_of);
      EXPECT_NEAR(loss, whole.item<double>(), 1e-5);
      EXPECT_TRUE(torch::allclose(step.word.grad(), expected[0], 1e-4, 1e-6));
      EXPECT_TRUE(torch::allclose(step.value.grad(), expected[1], 1e-4, 1e-6));
      adam.step();
    }
    EXPECT_NEAR(workers.loss(step.draw, step.states().detach(), loss_of), whole.item<double>(), 1e-5);
    EXPECT_EQ(at::get_num_threads(), 1);
  }
  EXPECT_EQ(at::get_num_threads(), GetParam());
}
INSTANTIATE_TEST_SUITE_P(Counts, StepOver, testing::Values(1, 2, 3));

TEST(StepWorkers, ThrowWhatAWorkerThrew) {
  Step step;
  StepWorkers workers;
  EXPECT_THROW(workers.loss(step.draw, step.states(),
                            [](const Draw&, const Tensor&) -> Tensor { throw Error(Code::cancelled, "enough"); }),
               Error);
}

}  // namespace
}  // namespace conceptd::learner
