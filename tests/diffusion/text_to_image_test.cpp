// Goal: the unrolled loop makes the pictures that diffusers' StableDiffusionPipeline makes, and rows do not disturb
// each other. Method: replay every pipeline golden whose scheduler we have, step by step, from its embeddings and its
// noise; then once from strings where CLIP's vocabulary is at hand. Sampler, steps and guidance are read from a
// golden's name
// ("dpmpp2m_karras6", "ddim5_nocfg", "ddim5_rescale0.7"); its README says that guidance is 7.5.
#include "diffusion/text_to_image.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <optional>
#include <regex>

#include "core/error.h"
#include "core/file_io.h"
#include "diffusion/prompt.h"
#include "diffusion/token_covariance.h"
#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

constexpr double kLatentLimit = 1e-4, kPictureLimit = 2e-4, kNoiseLimit = 1e-5;

// The goldens' models as one base. Without CLIP's vocabulary its tokenizer knows nothing but start and end.
ModelBundle golden_bundle() {
  const auto folder = test::clip_tokenizer_folder();
  const auto text = read_file(test::golden("tiny-sd/scheduler/scheduler_config.json"), 1 << 20);
  return {.folder = {},
          .tokenizer = folder ? ClipTokenizer::open(*folder)
                              : ClipTokenizer(R"({"<|startoftext|>": 0, "<|endoftext|>": 1})", "#version: 0.2\n"),
          .text_encoder = golden_text_encoder(),
          .unet = golden_unet(),
          .vae = golden_vae(),
          .scheduler_config = parse_scheduler_config(text, "scheduler_config.json")};
}

struct Case {
  std::string name, sampler;
  int64_t steps = 0;
  double guidance = 7.5, rescale = 0;
};

std::optional<Case> case_of(const std::string& name) {
  static const std::regex g_form(R"(([a-z0-9_]*?[a-z])([0-9]+)(_nocfg|_rescale([0-9.]+))?)");
  std::smatch parts;
  if (!std::regex_match(name, parts, g_form)) return {};
  Case found{.name = name, .sampler = parts[1], .steps = std::stoll(parts[2])};
  if (found.sampler == "dpmpp2m_karras") found.sampler = "dpmpp_2m_karras";
  if (found.sampler == "dpmpp2m") found.sampler = "dpmpp_2m";
  if (parts[3] == "_nocfg") found.guidance = 1;
  if (parts[4].matched) found.rescale = std::stod(parts[4]);
  const auto& known = sampler_names();
  if (std::find(known.begin(), known.end(), found.sampler) == known.end()) return {};
  return found;
}

class Recorded : public Steering {
 public:
  void before_step(Step& step) override {
    if (step.index > 0) latents.push_back(step.latents);
  }
  std::vector<Tensor> latents;  // after each step but the last
};

TextToImageRequest request_of(const Case& wanted, const TensorMap& golden) {
  const auto& noise = golden.at("latents");
  const auto factor = int64_t{1} << (golden_vae()->config.block_out_channels.size() - 1);
  TextToImageRequest request{.sampler = wanted.sampler,
                             .steps = wanted.steps,
                             .height = factor * noise.size(2),
                             .width = factor * noise.size(3)};
  for (int64_t k = 0; k < noise.size(0); ++k) {
    request.rows.push_back({.context = golden.at("prompt_embeds")[k],
                            .negative_context = golden.at("negative_prompt_embeds")[k],
                            .guidance = wanted.guidance,
                            .guidance_rescale = wanted.rescale,
                            .noise = noise[k]});
  }
  return request;
}

double largest(const Tensor& x) { return x.abs().max().item<double>(); }

TEST(TextToImage, MakesThePicturesThatDiffusersMakes) {
  auto bundle = golden_bundle();
  const auto golden = golden_tensors("pipeline.safetensors");
  std::string skipped;
  int replayed = 0;
  for (const auto& [key, expected] : golden) {
    const std::string_view suffix = ".latents_final";
    if (!key.ends_with(suffix)) continue;
    const auto name = key.substr(0, key.size() - suffix.size());
    const auto wanted = case_of(name);
    if (!wanted) {
      skipped += " " + name;
      continue;
    }
    ++replayed;
    Recorded steering;
    const auto latents = denoise(bundle, request_of(*wanted, golden), steering);
    test::expect_close_relative(latents, expected, kLatentLimit, name + " latents");
    if (const auto steps = golden.find(name + ".latents_steps"); steps != golden.end()) {
      ASSERT_EQ(steps->second.size(0), wanted->steps) << name;
      steering.latents.push_back(latents);
      test::expect_close_relative(torch::stack(steering.latents), steps->second, kLatentLimit, name + " every step");
    }
    if (const auto raw = golden.find(name + ".image_raw"); raw != golden.end()) {
      const auto pictures = decode_latents(bundle, latents);
      test::expect_close(pictures, raw->second, kPictureLimit, name + " pictures");
      const auto& pixels = golden.at(name + ".image_uint8_hwc");
      test::expect_close(to_pixels(pictures), pixels, 1, name + " pixels, levels");
    }
  }
  std::printf("%d replayed; schedulers that we do not have:%s\n", replayed, skipped.c_str());
  EXPECT_GT(replayed, 0);
}

TEST(TextToImage, MakesTheSamePicturesFromStrings) {
  SKIP_WITHOUT_CLIP_VOCABULARY();
  auto bundle = golden_bundle();
  const auto golden = golden_tensors("pipeline.safetensors");
  const auto text_of = [&](const Tensor& ids) {  // the golden holds ids; the words are theirs
    std::vector<int64_t> words;
    for (int64_t k = 1; k < ids.size(0) && ids[k].item<int64_t>() != bundle.tokenizer.end_id(); ++k) {
      words.push_back(ids[k].item<int64_t>());
    }
    return bundle.tokenizer.decode(words);
  };
  const auto encoded_again = [&](const std::string& text, const Tensor& ids) {
    return torch::equal(ids_tensor(std::vector{bundle.tokenizer.encode(text)})[0], ids);
  };
  auto request = request_of(*case_of("ddim5"), golden);
  const auto negative = text_of(golden.at("negative_input_ids")[0]);
  for (std::size_t k = 0; k < request.rows.size(); ++k) {
    const auto& ids = golden.at("input_ids")[static_cast<int64_t>(k)];
    const auto text = text_of(ids);
    if (!encoded_again(text, ids) || !encoded_again(negative, golden.at("negative_input_ids")[0])) {
      GTEST_SKIP() << "these ids are not those of their own words, so the strings are not known: " << text;
    }
    std::printf("\"%s\", not \"%s\"\n", text.c_str(), negative.c_str());
    request.rows[k].context = prepare_prompt(bundle, text).context;
    request.rows[k].negative_context = prepare_prompt(bundle, negative).context;
    test::expect_close(request.rows[k].context, golden.at("prompt_embeds")[static_cast<int64_t>(k)], kEncoderLimit,
                       text);
  }
  Steering none;
  test::expect_close(text_to_image(bundle, request, none), golden.at("ddim5.image_uint8_hwc"), 1, "pixels, levels");
}

TEST(Noise, IsWhatTorchDrawsFromASeed) {
  for (const auto& [key, expected] : golden_tensors("rng.safetensors")) {
    const auto dot = key.find('.');
    const auto what = key.substr(dot + 1);
    auto generator = at::make_generator<at::CPUGeneratorImpl>(std::stoull(key.substr(4, dot - 4)));
    if (what.starts_with("randn.")) {
      test::expect_close(torch::randn(expected.sizes(), generator), expected, kNoiseLimit, key);
    } else if (what == "two_draws.1") {
      torch::randn(expected.sizes(), generator);
      test::expect_close(torch::randn(expected.sizes(), generator), expected, kNoiseLimit, key);
    } else if (what == "two_draws.0") {
      test::expect_close(torch::randn(expected.sizes(), generator), expected, kNoiseLimit, key);
    } else if (what == "randint1000_after") {
      const auto& shape = golden_tensors("rng.safetensors").at(key.substr(0, dot) + ".two_draws.0");
      torch::randn(shape.sizes(), generator);
      torch::randn(shape.sizes(), generator);
      EXPECT_TRUE(torch::equal(torch::randint(1000, expected.sizes(), generator, torch::kLong), expected)) << key;
    } else {
      ADD_FAILURE() << "nothing is known about " << key;
    }
  }
}

// A small run with seeds of its own, for what no golden says.
TextToImageRequest small_request(const ModelBundle& bundle, std::size_t rows) {
  torch::manual_seed(11);
  TextToImageRequest request{.sampler = "dpmpp_2m_sde", .steps = 4, .height = 64, .width = 64};
  const auto width = bundle.unet->config.cross_attention_width;
  for (std::size_t k = 0; k < rows; ++k) {
    request.rows.push_back({.context = torch::randn({9, width}),
                            .negative_context = torch::randn({9, width}),
                            .seed = 100 + k,
                            .guidance = k == 1 ? 1. : 5.});
  }
  return request;
}

TEST(TextToImage, ARowIsTheSameAloneAndInCompany) {
  auto bundle = golden_bundle();
  Steering none;
  const auto request = small_request(bundle, 3);  // one of them without guidance, all with fresh noise at every step
  const auto together = denoise(bundle, request, none);
  EXPECT_TRUE(torch::equal(denoise(bundle, request, none), together)) << "the same request twice";
  for (std::size_t k = 0; k < 3; ++k) {
    auto alone = request;
    alone.rows = {request.rows[k]};
    const auto row = together.slice(0, static_cast<int64_t>(k), static_cast<int64_t>(k) + 1);
    const auto own = denoise(bundle, alone, none);
    test::expect_close_relative(own, row, kLatentLimit,
                                "row " + std::to_string(k) + (torch::equal(own, row) ? ", bit for bit" : ""));
    const auto pixels = to_pixels(decode_latents(bundle, own));
    test::expect_close(to_pixels(decode_latents(bundle, row)), pixels, 1, "its pixels, levels");
  }
  EXPECT_GT(largest(together[0] - together[2]), .1);
}

std::shared_ptr<const EditSet> some_edits(ModelBundle& bundle) {
  auto set = std::make_shared<EditSet>();
  const auto width = bundle.unet->config.cross_attention_width;
  const TokenCovariance covariance(torch::eye(width));
  const auto input = torch::randn({width});
  for (const auto& item : bundle.unet->named_modules("", false)) {
    const auto* layer = dynamic_cast<AdaptedLinearImpl*>(item.value().get());
    if (!layer || !(item.key().ends_with("attn2.to_k") || item.key().ends_with("attn2.to_v"))) continue;
    set->sites[item.key()].rank_one.push_back(
        {input, covariance.key_of(input), torch::randn({layer->weight.size(0)}), .3, .15});
  }
  return set;
}

TEST(TextToImage, AConceptInOneRowLeavesTheOthersBitForBit) {
  auto bundle = golden_bundle();
  Steering none;
  auto request = small_request(bundle, 3);
  const auto before = bundle.parameter_digest();
  const auto base = denoise(bundle, request, none);
  request.rows[2].edits = some_edits(bundle);
  const auto both = denoise(bundle, request, none);
  request.rows[2].edit_negative = false;
  const auto positive = denoise(bundle, request, none);
  for (const auto k : {0, 1}) EXPECT_TRUE(torch::equal(both[k], base[k])) << k;
  EXPECT_GT(largest(both[2] - base[2]), 1e-2);
  EXPECT_GT(largest(both[2] - positive[2]), 1e-3);
  EXPECT_EQ(bundle.parameter_digest(), before);
}

// Residuals at every value of cross-attention, for the word of `placeholder`.
EditSet some_residuals(ModelBundle& bundle, const std::string& placeholder) {
  EditSet set;
  set.tokens.push_back({placeholder, Tensor(), "cat"});
  for (const auto& item : bundle.unet->named_modules("", false)) {
    const auto* layer = dynamic_cast<AdaptedLinearImpl*>(item.value().get());
    if (!layer || !item.key().ends_with("attn2.to_v")) continue;
    set.sites[item.key()].residual.push_back({torch::randn({layer->weight.size(0)}), {}, placeholder});
  }
  return set;
}

TEST(TextToImage, InfusionInOneRowLeavesTheOthersBitForBit) {
  auto bundle = golden_bundle();
  Steering none;
  auto request = small_request(bundle, 4);
  request.rows[0].edits = some_edits(bundle);
  const auto without = denoise(bundle, request, none);
  auto set = some_residuals(bundle, "<tom>");
  for (auto& [path, site] : set.sites) site.residual[0].positions = {4};
  request.rows[2].edits = std::make_shared<EditSet>(set);
  const auto with = denoise(bundle, request, none);
  for (const auto k : {0, 1, 3}) EXPECT_TRUE(torch::equal(with[k], without[k])) << k;
  EXPECT_GT(largest(with[2] - without[2]), 1e-2);
  request.rows[2].edit_negative = false;  // B4: the residual is in no unconditional half anyway
  EXPECT_TRUE(torch::equal(denoise(bundle, request, none), with));
}

TEST(Prompt, PutsResidualsAtEveryOccurrenceOfTheirWord) {  // B9-3, B9-4
  SKIP_WITHOUT_CLIP_VOCABULARY();
  auto bundle = golden_bundle();
  auto both = some_residuals(bundle, "<tom>");
  add_edits(both, some_residuals(bundle, "<kim>"));
  const auto edits = std::make_shared<const EditSet>(both);
  const auto prepared = prepare_prompt(bundle, "a cat, <tom> and <kim> beside <tom>", edits);
  EXPECT_TRUE(torch::equal(prepared.context, prepare_prompt(bundle, "a cat, cat and cat beside cat").context));
  for (const auto& [path, site] : prepared.edits->sites) {
    EXPECT_EQ(site.residual.at(0).positions, (std::vector<int64_t>{4, 8}));
    EXPECT_EQ(site.residual.at(1).positions, (std::vector<int64_t>{6}));
  }
  EXPECT_TRUE(edits->sites.begin()->second.residual[0].positions.empty()) << "the concept itself is not changed";
}

TEST(Prompt, RefusesAResidualWhoseWordIsNotRead) {  // B9-3
  SKIP_WITHOUT_CLIP_VOCABULARY();
  auto bundle = golden_bundle();
  const auto edits = std::make_shared<const EditSet>(some_residuals(bundle, "<tom>"));
  EXPECT_ERROR(prepare_prompt(bundle, "a dog", edits), Code::invalid, "<tom>");
  std::string long_one = "a";
  for (int k = 0; k < 80; ++k) long_one += " cat";
  EXPECT_ERROR(prepare_prompt(bundle, long_one + " <tom>", edits), Code::invalid, "early enough");
  auto request = small_request(bundle, 1);
  request.rows[0].edits = edits;  // not those of a prepared prompt
  Steering none;
  EXPECT_ERROR(denoise(bundle, request, none), Code::invalid, "prepare_prompt");
}

class StopAt : public Steering {
 public:
  explicit StopAt(int64_t index) : index_(index) {}
  void before_step(Step& step) override {
    EXPECT_EQ(step.original.defined(), step.index > 0);
    EXPECT_EQ(step.steps, 4);
    if (step.index == index_) throw Error(Code::cancelled, "stopped");
    ++steps;
  }
  int64_t steps = 0;

 private:
  int64_t index_;
};

class Shift : public Steering {
 public:
  void before_step(Step& step) override {
    if (step.index == 2) step.latents = step.latents + .5;
  }
};

TEST(TextToImage, SteeringStopsARunOrTurnsIt) {
  auto bundle = golden_bundle();
  const auto request = small_request(bundle, 1);
  StopAt stop(2);
  EXPECT_ERROR(denoise(bundle, request, stop), Code::cancelled, "stopped");
  EXPECT_EQ(stop.steps, 2);
  Steering none;
  Shift shift;
  EXPECT_GT(largest(denoise(bundle, request, shift) - denoise(bundle, request, none)), .1);
}

TEST(TextToImage, RefusesWhatItCannotMake) {
  auto bundle = golden_bundle();
  Steering none;
  const auto good = small_request(bundle, 2);
  const auto refuse = [&](const char* field, const std::function<void(TextToImageRequest&)>& change) {
    auto bad = good;
    change(bad);
    try {
      denoise(bundle, bad, none);
      ADD_FAILURE() << "takes a wrong " << field;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::invalid);
      EXPECT_EQ(error.field(), field);
    }
  };
  refuse("rows", [](auto& r) { r.rows.clear(); });
  refuse("rows", [](auto& r) { r.rows.resize(kRowsMax + 1, r.rows[0]); });
  refuse("steps", [](auto& r) { r.steps = 0; });
  refuse("steps", [](auto& r) { r.steps = 100'000; });
  refuse("sampler", [](auto& r) { r.sampler = "magic"; });
  refuse("height", [](auto& r) { r.height = 65; });
  refuse("width", [](auto& r) { r.width = 1 << 20; });
  refuse("width", [](auto& r) { r.width = -64; });
  refuse("context", [](auto& r) { r.rows[0].context = Tensor(); });
  refuse("context", [](auto& r) { r.rows[1].context = torch::zeros({9, 3}); });
  refuse("context", [](auto& r) { r.rows[1].context = r.rows[1].context.slice(0, 0, 5); });
  refuse("negative_context", [](auto& r) { r.rows[0].negative_context = Tensor(); });
  refuse("guidance", [](auto& r) { r.rows[0].guidance = 1e6; });
  refuse("guidance", [](auto& r) { r.rows[0].guidance = NAN; });
  refuse("guidance_rescale", [](auto& r) { r.rows[0].guidance_rescale = 2; });
  refuse("noise", [](auto& r) { r.rows[0].noise = torch::zeros({4, 2, 2}); });
  refuse("eta", [](auto& r) { r.eta = .5; });
}

TEST(Prompt, FindsTheNamesInIt) {
  using Spans = std::vector<std::string>;
  EXPECT_EQ(placeholder_spans("a <kettle-7> on <mat@2>, <kettle-7> again"), (Spans{"<kettle-7>", "<mat@2>"}));
  EXPECT_EQ(placeholder_spans("3 < 4, <>, <A b>, <x@>, <x@a>, <.x>, << <y>"), (Spans{"<y>"}));
  EXPECT_EQ(placeholder_spans("no end <kettle"), Spans{});
  EXPECT_EQ(placeholder_spans(""), Spans{});
}

TEST(Prompt, PutsTheConceptsRowsWhereItsNameStands) {
  auto bundle = golden_bundle();
  const auto width = bundle.text_encoder->config.hidden_size;
  auto edits = std::make_shared<EditSet>();
  edits->tokens.push_back({"<kettle-7>", torch::randn({2, width})});
  edits->tokens.push_back({"<mat>", torch::randn({1, width})});
  const auto prepared = prepare_prompt(bundle, "a <mat> under <kettle-7>", edits);
  EXPECT_EQ(prepared.context.sizes(), (at::IntArrayRef{bundle.tokenizer.context_length(), width}));
  ASSERT_EQ(prepared.positions.at("<mat>").size(), 1u);
  ASSERT_EQ(prepared.positions.at("<kettle-7>").size(), 2u);
  EXPECT_LT(prepared.positions.at("<mat>")[0], prepared.positions.at("<kettle-7>")[0]);
  auto other = std::make_shared<EditSet>(*edits);
  other->tokens[0].rows = torch::randn({2, width});
  const auto changed = prepare_prompt(bundle, "a <mat> under <kettle-7>", other);
  const auto from = prepared.positions.at("<kettle-7>")[0];
  EXPECT_TRUE(torch::allclose(changed.context.slice(0, 0, from), prepared.context.slice(0, 0, from), 1e-5, 1e-5));
  EXPECT_FALSE(torch::allclose(changed.context[from], prepared.context[from], 1e-2, 1e-2));
  EXPECT_ERROR(prepare_prompt(bundle, "a <ketle-7>", edits), Code::invalid, "<ketle-7>");
  EXPECT_ERROR(prepare_prompt(bundle, "a <mat>"), Code::invalid, "<mat>");
}

TEST(Prompt, WithTheClassWordsOwnRowIsTheClassWord) {  // Perfusion A10-13
  SKIP_WITHOUT_CLIP_VOCABULARY();
  auto bundle = golden_bundle();
  const auto id = bundle.tokenizer.token_ids("cat").at(0);
  auto edits = std::make_shared<EditSet>();
  edits->tokens.push_back(
      {"<tom>", bundle.text_encoder->text_model->embeddings->token_embedding->weight.slice(0, id, id + 1)});
  EXPECT_TRUE(torch::equal(prepare_prompt(bundle, "a photo of a <tom> on a mat", edits).context,
                           prepare_prompt(bundle, "a photo of a cat on a mat").context));
}

}  // namespace
}  // namespace conceptd::diffusion
