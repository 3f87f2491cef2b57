// Goal: prompts become the ids that transformers' CLIPTokenizer (without ftfy) makes of them, and hostile vocabularies
// and texts become errors.
#include "diffusion/clip_tokenizer.h"

#include <gtest/gtest.h>

#include "diffusion/unicode.h"
#include "tests/diffusion/golden_models.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::diffusion {
namespace {

const ClipTokenizer& clip() {
  static const auto g_tokenizer = ClipTokenizer::open(*test::clip_tokenizer_folder());
  return g_tokenizer;
}

TEST(ClipTokenizer, GivesTheGoldenIdsOfEveryCase) {
  SKIP_WITHOUT_CLIP_VOCABULARY();
  const auto cases = golden_json("tokenizer_cases.json");
  ASSERT_FALSE(cases.empty());
  int agreed = 0;
  for (const auto& c : cases) {
    auto ids = clip().token_ids(c.at("text").get<std::string>());
    ids.insert(ids.begin(), clip().start_id());
    ids.push_back(clip().end_id());
    EXPECT_EQ(ids, c.at("ids_plain").get<std::vector<int64_t>>()) << c.at("text");
    if (!c.at("agree").get<bool>()) continue;
    EXPECT_EQ(ids, c.at("ids_rust").get<std::vector<int64_t>>()) << c.at("text");
    EXPECT_EQ(ids, c.at("ids_ftfy").get<std::vector<int64_t>>()) << c.at("text");
    ++agreed;
  }
  std::printf("[ measured ] tokenizer: %zu cases exact, %d of them agreed by all\n", cases.size(), agreed);
}

TEST(ClipTokenizer, PadsAndTruncatesAsTheGolden) {
  SKIP_WITHOUT_CLIP_VOCABULARY();
  const auto golden = golden_tensors("tokenizer_ids.safetensors");
  const auto& expected = golden.at("input_ids_plain");
  std::vector<Encoding> encodings;
  for (const auto& c : golden_json("tokenizer_cases.json")) {
    encodings.push_back(clip().encode(c.at("text").get<std::string>(), {}, expected.size(1)));
    const auto ids = c.at("ids_plain").size();
    EXPECT_EQ(encodings.back().dropped_tokens, std::max<int64_t>(0, static_cast<int64_t>(ids) - expected.size(1)));
    const auto row = static_cast<int64_t>(encodings.size()) - 1;
    EXPECT_EQ(encodings.back().length, golden.at("attention_mask_plain")[row].sum().item<int64_t>());
  }
  EXPECT_TRUE(torch::equal(ids_tensor(encodings), expected));
}

TEST(ClipTokenizer, KnowsWordsThatAreOneToken) {
  SKIP_WITHOUT_CLIP_VOCABULARY();
  EXPECT_TRUE(clip().is_single_token("kettle"));
  EXPECT_TRUE(clip().is_single_token("  Kettle "));
  for (const char* other : {"", " ", "two words", "xqzvkjw", "<|endoftext|>", "a.", "cat's"}) {
    EXPECT_FALSE(clip().is_single_token(other)) << other;
  }
}

TEST(ClipTokenizer, SaysWhatDidNotFit) {
  SKIP_WITHOUT_CLIP_VOCABULARY();
  const auto encoding = clip().encode("a red kettle on a beach at night", {}, 6);
  EXPECT_EQ(encoding.ids.size(), 6u);
  EXPECT_EQ(encoding.length, 6);
  EXPECT_EQ(encoding.dropped_tokens, 4);
  EXPECT_EQ(encoding.dropped_text, "a beach at night");
  EXPECT_EQ(clip().decode(clip().token_ids("a photo of a café")), "a photo of a café");
}

// A vocabulary of a few words: "ab" is one, "abc" is not.
constexpr const char* kVocabulary =
    R"({"a</w>":0,"b</w>":1,"c</w>":2,"a":3,"b":4,"ab</w>":5,"<|startoftext|>":6,"<|endoftext|>":7,"aa":8,"aa</w>":9})";
constexpr const char* kMerges = "#version: 0.2\na b</w>\na a\na a</w>\n";

using Ids = std::vector<int64_t>;

TEST(ClipTokenizer, MergesByRank) {
  const ClipTokenizer tokenizer(kVocabulary, kMerges);
  EXPECT_EQ(tokenizer.vocab_size(), 10);
  EXPECT_EQ(tokenizer.token_ids("AB ab"), (Ids{5, 5}));
  EXPECT_EQ(tokenizer.token_ids("abc"), (Ids{3, 4, 2}));
  EXPECT_EQ(tokenizer.token_ids("aaa"), (Ids{8, 0}));
  EXPECT_EQ(tokenizer.token_ids("aaab"), (Ids{8, 5}));
  EXPECT_EQ(tokenizer.token_ids("z"), (Ids{7}));  // unknown
  EXPECT_EQ(tokenizer.token_ids("a<|startoftext|>b"), (Ids{0, 6, 1}));
}

TEST(ClipTokenizer, ReadsPlaceholdersWhereverTheyStandTheLongestFirst) {
  const ClipTokenizer tokenizer(kVocabulary, kMerges);
  const std::vector<Placeholder> placeholders{{"<x>", {10}}, {"<x>_1", {11, 12}}};
  EXPECT_EQ(tokenizer.token_ids("a<x>b <x>_1, <x>", placeholders), (Ids{0, 10, 1, 11, 12, 7, 10}));
  EXPECT_EQ(tokenizer.token_ids("<X>", placeholders).front(), 7);
  EXPECT_EQ(tokenizer.decode(tokenizer.token_ids("a<x>", placeholders)), "a <?>");
}

TEST(ClipTokenizer, RefusesTextsItCannotRead) {
  const ClipTokenizer tokenizer(kVocabulary, kMerges);
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"}) {
    EXPECT_ERROR(tokenizer.token_ids(bad), Code::invalid, "not UTF-8");
  }
  EXPECT_ERROR(tokenizer.token_ids(std::string(1 << 17, 'a')), Code::exhausted, "longer than");
  EXPECT_EQ(tokenizer.token_ids(std::string(1 << 16, 'a')).size(), (1u << 15));
  EXPECT_ERROR(tokenizer.encode("a", {}, 1), Code::invalid, "room");
}

TEST(ClipTokenizer, RefusesVocabulariesThatDoNotAddUp) {
  const auto with = [](const std::string& vocabulary) { return ClipTokenizer(vocabulary, kMerges); };
  EXPECT_ERROR(with("{"), Code::invalid, "vocab.json");
  EXPECT_ERROR(with("[]"), Code::corrupt, "vocab.json");
  EXPECT_ERROR(with("{}"), Code::corrupt, "vocab.json");
  EXPECT_ERROR(with(R"({"a</w>":0})"), Code::corrupt, "<|startoftext|>");
  EXPECT_ERROR(with(R"({"a":0,"a":1})"), Code::invalid, "twice");
  EXPECT_ERROR(with(R"({"a":0,"b":0})"), Code::corrupt, "\"b\"");
  EXPECT_ERROR(with(R"({"a":0,"b":5})"), Code::corrupt, "\"b\"");
  EXPECT_ERROR(with(R"({"a":0,"b":-1})"), Code::corrupt, "\"b\"");
  EXPECT_ERROR(with(R"({"a":0,"b":"1"})"), Code::corrupt, "\"b\"");
  EXPECT_ERROR(ClipTokenizer(kVocabulary, "#version\na b c\n"), Code::corrupt, "line 2");
  EXPECT_ERROR(ClipTokenizer(kVocabulary, "#version\na b</w>\n\na a\n"), Code::corrupt, "line 3");
  EXPECT_ERROR(ClipTokenizer(kVocabulary, "#version\nab\n"), Code::corrupt, "line 2");
}

TEST(ClipTokenizer, ReadsItsSettingsAndNamesTheFileThatIsWrong) {
  const test::TempFolder folder;
  EXPECT_ERROR(ClipTokenizer::open(folder.path()), Code::not_found, "vocab.json");
  test::plant(folder / "vocab.json", kVocabulary);
  test::plant(folder / "merges.txt", kMerges);
  EXPECT_EQ(ClipTokenizer::open(folder.path()).pad_id(), 7);
  test::plant(folder / "tokenizer_config.json", R"({"model_max_length":5,"pad_token":"aa"})");
  const auto tokenizer = ClipTokenizer::open(folder.path());
  EXPECT_EQ(tokenizer.encode("ab").ids, (Ids{6, 5, 7, 8, 8}));
  test::plant(folder / "tokenizer_config.json", R"({"pad_token":"<pad>"})");
  EXPECT_ERROR(ClipTokenizer::open(folder.path()), Code::corrupt, "<pad>");
  test::plant(folder / "tokenizer_config.json", "[]");
  EXPECT_ERROR(ClipTokenizer::open(folder.path()), Code::corrupt, "tokenizer_config.json");
}

TEST(Unicode, ComposesAndLowersAsPythonDoes) {
  using unicode::decode, unicode::encode;
  const auto nfc = [](const char* text) { return encode(unicode::nfc(decode(text))); };
  const auto lower = [](const char* text) { return encode(unicode::lower(decode(text))); };
  EXPECT_EQ(nfc("e\u0301a\u0323\u0307"), "\u00e9\u1ea1\u0307");
  EXPECT_EQ(nfc("\u1112\u1161\u11ab"), "\ud55c");
  EXPECT_EQ(nfc("\u0958"), "\u0915\u093c");  // decomposes and stays apart
  EXPECT_EQ(lower("ΣΊΣΥΦΟΣ Σ"), "σίσυφος σ");
  EXPECT_EQ(lower("İẞǅ"), "i\u0307ßǆ");
}

}  // namespace
}  // namespace conceptd::diffusion
