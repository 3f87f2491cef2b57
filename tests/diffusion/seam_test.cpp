// Goal: the invariants of the seam. Without edits the base answers, bit for bit; learning changes no byte of it and
// leaves it no gradient; two threads with two adaptations share one model.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "diffusion/attention.h"
#include "diffusion/weights.h"
#include "tests/diffusion/golden_models.h"

namespace conceptd::diffusion {
namespace {

struct Denoising {
  Tensor run(Adaptation& adapt) const { return golden_unet()(sample, timestep, context, adapt); }
  TensorMap golden = golden_tensors("unet_cross_attn_kv.safetensors");
  Tensor sample = golden.at("sample"), timestep = golden.at("timestep"), context = golden.at("encoder_hidden_states");
};

// Answers every question, with the base's own answer; and adds `shift` to the values of cross-attention.
struct Shifted : Adaptation {
  Tensor linear(AdaptedLinearImpl& base, const Tensor& x) override {
    const auto y = Adaptation::linear(base, x);
    return shift.defined() && base.site.path.ends_with("attn2.to_v") ? y + shift : y;
  }
  void route(const Site& site, Attend& attend) override { Adaptation::route(site, attend); }
  Tensor attend(AttentionImpl& attention, const Tensor& x, const Tensor& context) override {
    return Adaptation::attend(attention, x, context);
  }
  Tensor shift;  // a scalar
};

TEST(Seam, EverySiteIsACheckpointPrefix) {
  for (auto module : {std::static_pointer_cast<torch::nn::Module>(golden_unet().ptr()),
                      std::static_pointer_cast<torch::nn::Module>(golden_text_encoder().ptr()),
                      std::static_pointer_cast<torch::nn::Module>(golden_image_encoder().ptr())}) {
    const auto parameters = module->named_parameters();
    int sites = 0;
    for (const auto& item : module->named_modules("", false)) {
      const auto* linear = dynamic_cast<const AdaptedLinearImpl*>(item.value().get());
      if (!linear) continue;
      ASSERT_TRUE(parameters.contains(linear->site.path + ".weight")) << linear->site.path;
      EXPECT_TRUE(parameters[linear->site.path + ".weight"].is_same(linear->weight));
      ++sites;
    }
    EXPECT_GT(sites, 0);
  }
}

TEST(Seam, AsksEveryLinearLayerOfTheText) {
  const auto golden = golden_tensors("text_encoder.safetensors");
  Recorder seen;
  golden_text_encoder()(golden.at("input_ids"), seen);
  std::set<std::string> expected;
  for (const auto& item : golden_text_encoder()->named_modules("", false)) {
    if (dynamic_cast<const AdaptedLinearImpl*>(item.value().get())) expected.insert(item.key());
  }
  for (const auto& [path, value] : seen.outputs) EXPECT_TRUE(expected.erase(path)) << path;
  EXPECT_TRUE(expected.empty());
}

TEST(Seam, WithoutEditsTheBaseAnswersBitForBit) {
  torch::NoGradGuard guard;
  const Denoising c;
  Adaptation frozen;
  Shifted idle;
  EXPECT_TRUE(torch::equal(c.run(idle), c.run(frozen)));
  const auto text = golden_tensors("text_encoder.safetensors");
  const auto plain = golden_text_encoder()(text.at("input_ids"), frozen);
  const auto rows = torch::ones({2, golden_text_encoder()->config.hidden_size});
  const auto asked = golden_text_encoder()->forward(text.at("input_ids"), idle, {.placeholder_rows = rows});
  EXPECT_TRUE(torch::equal(asked.last_hidden_state, plain.last_hidden_state));
}

TEST(Seam, LearningChangesNoByteOfTheBase) {
  const auto golden = golden_tensors("training_step.safetensors");
  auto text = golden_text_encoder();
  auto unet = golden_unet();
  const auto before = std::pair(parameter_digest(*text), parameter_digest(*unet));
  const auto versions = [&] {
    std::vector<int64_t> all;
    for (const auto& parameter : unet->parameters()) all.push_back(static_cast<int64_t>(parameter._version()));
    for (const auto& parameter : text->parameters()) all.push_back(static_cast<int64_t>(parameter._version()));
    return all;
  };
  const auto versions_before = versions();
  auto rows = golden.at("extra_embeddings").clone().requires_grad_();
  Shifted edit;
  edit.shift = torch::zeros({}).requires_grad_();
  torch::optim::AdamW optimizer({rows, edit.shift}, torch::optim::AdamWOptions(1e-2));
  std::vector<double> losses;
  for (int step = 0; step < 5; ++step) {
    optimizer.zero_grad();
    const auto context = text->forward(golden.at("input_ids"), edit, {.placeholder_rows = rows}).last_hidden_state;
    const auto loss = (unet(golden.at("x0"), golden.at("timesteps"), context, edit) - golden.at("noise")).pow(2).mean();
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item<double>());
  }
  EXPECT_LT(losses.back(), losses.front());
  EXPECT_GT((rows.detach() - golden.at("extra_embeddings")).abs().max().item<double>(), 1e-3);
  EXPECT_NE(edit.shift.item<float>(), 0);
  for (const auto& parameter : unet->parameters()) EXPECT_FALSE(parameter.grad().defined());
  for (const auto& parameter : text->parameters()) EXPECT_FALSE(parameter.grad().defined());
  EXPECT_EQ(versions(), versions_before);
  EXPECT_EQ(std::pair(parameter_digest(*text), parameter_digest(*unet)), before);
}

TEST(Seam, TwoThreadsWithTwoAdaptationsShareOneModel) {
  const Denoising c;
  const auto answer = [&](double shift) {
    torch::NoGradGuard guard;  // a thread's own
    Shifted adapt;
    adapt.shift = torch::full({}, shift);
    return c.run(adapt);
  };
  const auto first = answer(0.5), second = answer(-0.5);
  EXPECT_FALSE(torch::allclose(first, second, 0, 1e-3));
  std::vector<Tensor> firsts(4), seconds(4);
  std::thread other([&] {
    for (auto& result : seconds) result = answer(-0.5);
  });
  for (auto& result : firsts) result = answer(0.5);
  other.join();
  for (const auto& result : firsts) EXPECT_LE((result - first).abs().max().item<double>(), 1e-5);
  for (const auto& result : seconds) EXPECT_LE((result - second).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace conceptd::diffusion
