// Goal: embeddings that diffusers and AUTOMATIC1111 have written mean here what they mean there.
#include "diffusion/textual_inversion.h"

#include <gtest/gtest.h>

#include "diffusion/clip_tokenizer.h"
#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

int64_t text_width() { return golden_text_encoder()->config.hidden_size; }

// Every embedding of the set's safetensors files by token; the one without a name goes to whoever asks for another.
TensorMap golden_rows() {
  TensorMap rows;
  for (const auto& entry : std::filesystem::directory_iterator(test::golden("textual_inversion"))) {
    if (entry.path().extension() != ".safetensors" || entry.path().filename() == "golden.safetensors") continue;
    for (const auto& read : read_textual_inversions(SafetensorsFile::open(entry.path()), text_width())) {
      rows[read.token] = read.rows;
    }
  }
  return rows;
}

// A case's added tokens as placeholders of several ids ("<multi>" is <multi>, <multi>_1, …) and as single ones.
struct Case {
  Case(const Json& json, int64_t vocab_size) {
    std::map<int64_t, std::string> by_id;
    for (const auto& [token, id] : json.at("added_tokens").items()) by_id[id.get<int64_t>()] = token;
    const auto known = golden_rows();
    std::vector<Tensor> parts;
    for (const auto& [id, token] : by_id) {
      single.push_back({token, {id}});
      const bool continues =
          !whole.empty() && token == whole.back().text + "_" + std::to_string(whole.back().ids.size());
      if (continues) {
        whole.back().ids.push_back(id);
      } else {
        whole.push_back({token, {id}});
        parts.push_back(known.contains(token) ? known.at(token) : known.at(""));
      }
    }
    rows = torch::cat(parts);
    EXPECT_EQ(by_id.begin()->first, vocab_size);
    EXPECT_EQ(rows.size(0), static_cast<int64_t>(by_id.size()));
  }
  std::vector<Placeholder> whole, single;
  Tensor rows;
};

Tensor encoded(const ClipTokenizer& tokenizer, const Json& prompts, const std::vector<Placeholder>& placeholders) {
  std::vector<Encoding> encodings;
  for (const auto& prompt : prompts) {
    encodings.push_back(tokenizer.encode(prompt.get<std::string>(), placeholders));
  }
  return ids_tensor(encodings);
}

TEST(TextualInversion, PromptsSayWhatTheGoldensSay) {
  SKIP_WITHOUT_CLIP_VOCABULARY();
  torch::NoGradGuard guard;
  const auto tokenizer = ClipTokenizer::open(*test::clip_tokenizer_folder());
  const auto golden = golden_tensors("textual_inversion/golden.safetensors");
  const auto cases = golden_json("textual_inversion/cases.json");
  for (const auto& [name, json] : cases.items()) {
    const Case c(json, tokenizer.vocab_size());
    const auto ids = encoded(tokenizer, json.at("prompts"), c.whole);
    EXPECT_TRUE(torch::equal(ids, golden.at(name + ".input_ids"))) << name;
    EXPECT_TRUE(torch::equal(encoded(tokenizer, json.at("expanded"), c.single), ids)) << name;
    Adaptation frozen;
    const auto out = golden_text_encoder()->forward(ids, frozen, {.placeholder_rows = c.rows});
    test::expect_close(out.last_hidden_state, golden.at(name + ".prompt_embeds"), kEncoderLimit,
                       "textual_inversion " + name);
  }
}

TEST(TextualInversion, RefusesWhatIsNoEmbedding) {
  const auto file = [](const TensorMap& tensors) { return SafetensorsFile::parse(safetensors_bytes(tensors), "a.st"); };
  EXPECT_EQ(read_textual_inversions(file({{"<a>", torch::ones({4}, torch::kHalf)}}), 4)[0].rows.sizes(),
            at::IntArrayRef({1, 4}));
  EXPECT_ERROR(read_textual_inversions(file({{"<a>", torch::ones({5})}}), 4), Code::corrupt, "'<a>'");
  EXPECT_ERROR(read_textual_inversions(file({{"<a>", torch::ones({4}, torch::kLong)}}), 4), Code::corrupt, "'<a>'");
  EXPECT_ERROR(read_textual_inversions(file({{"<a>", torch::ones({})}}), 4), Code::corrupt, "'<a>'");
  EXPECT_ERROR(read_textual_inversions(file({{"<a>", torch::ones({99, 4})}}), 4), Code::corrupt, "'<a>'");
  EXPECT_ERROR(read_textual_inversions(file({}), 4), Code::corrupt, "no embedding");
}

}  // namespace
}  // namespace conceptd::diffusion
