// The text encoder is trained on words alone: at every token it must know the word, at every noun what has been said of
// that thing, at the end of the text everything. So colours and patterns are bound to their things before the denoiser
// ever sees them; then it is frozen.
#include "diffusion/clip_text.h"
#include "learner/pretrain/caption_reading.h"
#include "learner/pretrain/step_loop.h"
#include "learner/pretrain/text_model.h"

namespace conceptd::pretrain {
namespace nn = torch::nn;

namespace {
// The encoder with the heads that question it; the heads are thrown away.
struct QuestionedImpl : nn::Module {
  explicit QuestionedImpl(const diffusion::ClipTextConfig& config) {
    encoder = register_module("encoder", diffusion::ClipTextModel(config));
    word = register_module("word", nn::Linear(config.hidden_size, config.vocab_size));
    at_token = register_module("at_token", nn::ModuleList());
    at_end = register_module("at_end", nn::ModuleList());
    for (const auto size : attribute_sizes()) at_token->push_back(nn::Linear(config.hidden_size, size));
    for (int thing = 0; thing < 2; ++thing) {
      for (const auto size : attribute_sizes()) at_end->push_back(nn::Linear(config.hidden_size, size));
    }
    background = register_module(
        "background", nn::Linear(config.hidden_size, static_cast<int64_t>(world::background_words().size()) + 1));
  }
  diffusion::ClipTextModel encoder{nullptr};
  nn::Linear word{nullptr}, background{nullptr};
  nn::ModuleList at_token{nullptr}, at_end{nullptr};
};
TORCH_MODULE(Questioned);

struct Answered {
  Tensor loss;
  double right = 0;  // share of the questions at the end of the text
};

Answered question(Questioned& model, const CaptionCodec& codec, const std::vector<std::string>& captions) {
  const auto b = static_cast<int64_t>(captions.size());
  std::vector<CaptionReading> readings;
  for (const auto& caption : captions) readings.push_back(read_caption(caption));
  const auto ids = codec.encode(captions);
  diffusion::Adaptation frozen;
  const auto states = model->encoder(ids, frozen);
  const auto cross = [](const Tensor& logits, const Tensor& target) {
    return nn::functional::cross_entropy(logits, target, nn::functional::CrossEntropyFuncOptions().ignore_index(-100));
  };
  auto loss = cross(model->word(states.last_hidden_state).flatten(0, 1), ids.flatten());
  int64_t right = 0, asked = 0;
  for (int a = 0; a < kAttributes; ++a) {
    auto target = torch::full({b, kContext}, -100, torch::kLong);
    auto rows = target.accessor<int64_t, 2>();
    for (int64_t k = 0; k < b; ++k) {
      for (int64_t t = 0; t < kContext; ++t) rows[k][t] = readings[k].at_token[t][a];
    }
    loss = loss + cross(model->at_token->at<nn::LinearImpl>(a).forward(states.last_hidden_state).flatten(0, 1),
                        target.flatten());
    for (int thing = 0; thing < 2; ++thing) {
      std::vector<int64_t> said;
      for (const auto& reading : readings) said.push_back(reading.at_end[thing][a]);
      const auto logits = model->at_end->at<nn::LinearImpl>(thing * kAttributes + a).forward(states.pooled);
      const auto wanted = torch::tensor(said);
      loss = loss + cross(logits, wanted);
      right += (logits.argmax(-1) == wanted).sum().item<int64_t>(), asked += b;
    }
  }
  std::vector<int64_t> places;
  for (const auto& reading : readings) places.push_back(reading.background);
  return {loss + cross(model->background(states.pooled), torch::tensor(places)),
          static_cast<double>(right) / static_cast<double>(asked)};
}

std::vector<std::string> draw_captions(int64_t count, world::Random& random) {
  std::vector<std::string> captions;
  for (int64_t k = 0; k < count; ++k)
    captions.push_back(world::caption(world::sample_scene(random, {.two_objects = .4}), random));
  return captions;
}
}  // namespace

diffusion::ClipTextConfig text_config(int64_t vocab_size) {
  diffusion::ClipTextConfig c;
  c.vocab_size = vocab_size, c.max_position_embeddings = kContext, c.hidden_size = 192, c.projection_dim = 192;
  c.intermediate_size = 768, c.num_hidden_layers = 3, c.num_attention_heads = 6;
  c.bos_token_id = vocab_size - 2, c.eos_token_id = vocab_size - 1, c.pad_token_id = vocab_size - 1;
  return c;
}

void train_text(const StageOptions& options) {
  const CaptionCodec codec(write_tokenizer(options.out / "tokenizer"));
  torch::manual_seed(static_cast<int64_t>(options.seed));
  std::vector<Questioned> replicas;
  for (int k = 0; k < options.workers; ++k) replicas.emplace_back(text_config(codec.size()));
  FlatParameters flat(*replicas[0]);
  auto gradients = flat.replicate(replicas);
  const auto micro_batch = [&](int worker, int task, int64_t step) -> Measured {
    auto random = task_random(options.seed + 77, step, task);
    const auto answered =
        question(replicas[static_cast<std::size_t>(worker)], codec, draw_captions(options.micro_batch, random));
    answered.loss.backward();
    return {{"loss", answered.loss.item<double>()}, {"right", answered.right}};
  };
  const auto publish = [&](const Tensor& weights, const nlohmann::json&) {
    diffusion::ClipTextModel encoder(text_config(codec.size()));
    FlatParameters shown(*encoder);
    torch::NoGradGuard frozen;
    auto averaged = flat.named(weights);
    for (auto& item : encoder->named_parameters()) item.value().copy_(averaged.at("encoder." + item.key()));
    save_component(options.out / "text_encoder", "model.safetensors", shown, shown.values(), encoder->config.to_json());
  };
  run_steps(options, flat.values(), gradients,
            {.stage = "text",
             .adam = {.beta2 = .98, .ema = .99},
             .warmup = 60,
             .hold = .5,
             .micro_batch = micro_batch,
             .publish = publish});
}

}  // namespace conceptd::pretrain
