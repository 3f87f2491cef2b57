// Goal: a consolidated delta is stored as what it is, and whatever does not add up is refused with its name. Method:
// documents of a base of two sites, broken one place at a time.
#include "diffusion/consolidated.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace conceptd::diffusion {
namespace {

constexpr int64_t kWidth = 8, kOut = 6;
const std::string kKey = "mid.attn2.to_k", kValue = "mid.attn2.to_v";

class ConsolidatedDocument : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(3);
    base.fingerprint = Digest::of("base"), base.text_encoder_digest = Digest::of("text"), base.text_width = kWidth;
    base.key_sites[kKey] = kOut, base.value_sites[kValue] = kOut;
    made.base_fingerprint = base.fingerprint, made.text_encoder_digest = base.text_encoder_digest;
    made.covariance_digest = Digest::of("C");
    made.members["<mug-1>"] = {Digest::of("one"), "mug", torch::randn({1, kWidth})};
    made.members["<mug-2>"] = {Digest::of("two"), "mug", torch::randn({2, kWidth})};
    made.members["<hat>"] = {Digest::of("three"), "hat", Tensor()};
    made.settings = {{"ridge", .01}, {"seed", 7}};
    for (const auto& site : {kKey, kValue}) {
      made.merged[site] = torch::randn({kOut, kWidth});
      made.residual[site] = {torch::randn({2, kWidth}), torch::randn({kOut, 2})};
    }
  }
  template <class Call>
  static Code code_of(const Call& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << "nothing was refused";
    return Code::internal;
  }
  DeltaBase base;
  Consolidated made;
};

TEST_F(ConsolidatedDocument, IsReadAsItWasWrittenAndTheSameIsTheSameBytes) {
  made.notes["conceptd.eval.kept"] = "0.97";
  const auto bytes = consolidated_bytes(made);
  const auto read = parse_consolidated(bytes, "test");
  EXPECT_EQ(consolidated_bytes(read), bytes);
  EXPECT_EQ(consolidation_key(read), consolidation_key(made));
  EXPECT_EQ(read.members.size(), 3u);
  EXPECT_EQ(read.members.at("<mug-2>").delta, Digest::of("two"));
  EXPECT_TRUE(torch::equal(read.members.at("<mug-2>").rows, made.members.at("<mug-2>").rows));
  EXPECT_FALSE(read.members.at("<hat>").rows.defined());
  EXPECT_TRUE(torch::equal(read.merged.at(kKey), made.merged.at(kKey)));
  EXPECT_EQ(read.notes, made.notes);
}

TEST_F(ConsolidatedDocument, KeyIsOfBaseMembersAndSettings) {
  auto other = made;
  other.merged[kKey] = other.merged[kKey] + 1;  // what came out is no part of what was asked
  EXPECT_EQ(consolidation_key(other), consolidation_key(made));
  other.settings["seed"] = 8;
  EXPECT_NE(consolidation_key(other), consolidation_key(made));
  other = made, other.members["<hat>"].delta = Digest::of("four");
  EXPECT_NE(consolidation_key(other), consolidation_key(made));
  other = made, other.members.erase("<hat>");
  EXPECT_NE(consolidation_key(other), consolidation_key(made));
}

TEST_F(ConsolidatedDocument, BecomesEditsOfThoseThatAPromptNames) {
  const auto edits = consolidated_edits(made, base, {"<mug-2>", "<hat>"});
  ASSERT_EQ(edits.tokens.size(), 2u);
  EXPECT_EQ(edits.tokens[0].rows.size(0), 2);
  EXPECT_EQ(edits.tokens[1].words, "hat");
  ASSERT_EQ(edits.sites.at(kKey).low_rank.size(), 2u);
  EXPECT_TRUE(edits.sites.at(kKey).low_rank[0].up.is_same(made.merged.at(kKey)));
  made.residual.clear();
  EXPECT_EQ(consolidated_edits(made, base, {"<hat>"}).sites.at(kValue).low_rank.size(), 1u);
  EXPECT_EQ(code_of([&] { consolidated_edits(made, base, {"<shoe>"}); }), Code::invalid);
}

TEST_F(ConsolidatedDocument, ThatDoesNotAddUpIsNeitherWrittenNorUsed) {
  const auto refused = [&](auto breaks) {
    auto broken = made;
    breaks(broken);
    return code_of([&] { consolidated_bytes(broken); });
  };
  EXPECT_EQ(refused([](Consolidated& c) { c.members.clear(); }), Code::invalid);
  EXPECT_EQ(refused([](Consolidated& c) { c.members["<hat>"].delta = Digest(); }), Code::invalid);
  EXPECT_EQ(refused([](Consolidated& c) { c.members["hat"] = c.members["<hat>"]; }), Code::invalid);
  EXPECT_EQ(refused([](Consolidated& c) { c.merged[kKey][0][0] = NAN; }), Code::invalid);
  EXPECT_EQ(refused([](Consolidated& c) { c.residual[kKey].up = torch::ones({kOut, 3}); }), Code::invalid);
  EXPECT_EQ(refused([](Consolidated& c) { c.merged.clear(), c.residual.clear(); }), Code::invalid);
  const auto unusable = [&](auto breaks) {
    auto broken = made;
    breaks(broken);
    return code_of([&] { check_consolidated(broken, base); });
  };
  EXPECT_EQ(unusable([](Consolidated& c) { c.base_fingerprint = Digest::of("other"); }), Code::conflict);
  EXPECT_EQ(unusable([](Consolidated& c) { c.text_encoder_digest = Digest::of("other"); }), Code::conflict);
  EXPECT_EQ(unusable([](Consolidated& c) { c.merged.erase(kKey); }), Code::corrupt);
  EXPECT_EQ(unusable([](Consolidated& c) { c.merged["nowhere"] = c.merged[kKey]; }), Code::corrupt);
  EXPECT_EQ(unusable([](Consolidated& c) { c.merged[kKey] = torch::ones({kOut, kWidth + 1}); }), Code::corrupt);
  EXPECT_EQ(unusable([](Consolidated& c) { c.residual.erase(kKey); }), Code::corrupt);
  EXPECT_EQ(unusable([](Consolidated& c) { c.members["<mug-1>"].rows = torch::ones({1, 3}); }), Code::corrupt);
}

TEST_F(ConsolidatedDocument, FromOutsideIsReadAsHostile) {
  const auto bytes = consolidated_bytes(made);
  EXPECT_EQ(code_of([&] { parse_consolidated(bytes.substr(0, bytes.size() - 4), "test"); }), Code::corrupt);
  auto lied = bytes;  // another digest in the ancestry than the key was made of
  const auto digest = Digest::of("one").hex();
  lied.replace(lied.find(digest), digest.size(), Digest::of("six").hex());
  EXPECT_EQ(code_of([&] { parse_consolidated(lied, "test"); }), Code::corrupt);
  auto garbled = bytes;
  garbled.replace(garbled.find(digest), 1, "x");
  EXPECT_EQ(code_of([&] { parse_consolidated(garbled, "test"); }), Code::corrupt);
  EXPECT_EQ(code_of([&] { parse_delta(bytes, "test"); }), Code::invalid);  // a reader of single deltas says so
  Delta one{.method = "textual_inversion", .class_word = "mug", .placeholder = "<mug-1>"};
  one.base_fingerprint = base.fingerprint, one.tensors[kWordTensor] = torch::ones({1, kWidth});
  EXPECT_EQ(code_of([&] { parse_consolidated(delta_bytes(one), "test"); }), Code::invalid);
}

}  // namespace
}  // namespace conceptd::diffusion
