#include "registry/concept_name.h"

#include "tests/support/expect_error.h"

namespace conceptd::registry {
namespace {

using Names = std::vector<std::string>;

TEST(ConceptName, TakesTheGrammarAndNothingElse) {
  for (const std::string& good : Names{"a", "7", "kettle-7", "a.b_c-d", "0-", std::string(63, 'x')})
    EXPECT_EQ(ConceptName::parse(good).str(), good);
  for (const std::string& bad :
       Names{"", "-a", ".a", "_a", "Kettle", "a b", "a/b", "..", "a\n", std::string("a\0b", 3), "caf\xc3\xa9", "<a>",
             "a@1", "a\xe2\x80\x8b", std::string(64, 'x'), std::string(1'000'000, 'x')})
    EXPECT_ERROR(ConceptName::parse(bad), Code::invalid, "cannot be the name");
}

TEST(ConceptName, SaysWhichCharacterIsWrongAndShowsNothingUnprintable) {
  EXPECT_ERROR(ConceptName::parse("ab cd"), Code::invalid, "character 3");
  EXPECT_ERROR(ConceptName::parse("Kettle"), Code::invalid, "begin with a lower-case");
  EXPECT_ERROR(ConceptName::parse("a\x1b[31m"), Code::invalid, "'a?[31m'");
}

TEST(ConceptReference, IsANameAndPerhapsAVersion) {
  EXPECT_EQ(ConceptReference::parse("kettle-7").version, std::nullopt);
  EXPECT_EQ(ConceptReference::parse("kettle-7@3").version, 3);
  EXPECT_EQ(ConceptReference::parse("kettle-7@3").name.str(), "kettle-7");
  for (const char* bad :
       {"kettle@", "kettle@0", "kettle@-1", "kettle@3x", "kettle@X", "kettle@99999999999", "kettle@1@2", "@1"})
    EXPECT_ERROR(ConceptReference::parse(bad), Code::invalid, "");
}

TEST(ConceptReference, MayNameAVersionByItsAlias) {
  const ConceptReference good = ConceptReference::parse("kettle-7@good-one");
  EXPECT_EQ(good.alias, "good-one");
  EXPECT_EQ(good.version, std::nullopt);
  EXPECT_EQ(ConceptReference::parse("kettle-7@previous").alias, "previous");
  EXPECT_EQ(ConceptReference::parse("kettle-7@3").alias, "");
}

TEST(Alias, IsNeitherANumberNorReservedNorAnOption) {
  for (const std::string& good : Names{"a", "good", "v3", "spring.2026", "a-b_c", std::string(32, 'x')})
    EXPECT_NO_THROW(check_alias(good)) << good;
  for (const std::string& bad : Names{"", "3", "3a", "-a", "Good", "a b", "a@b", "../a", std::string(33, 'x')})
    EXPECT_ERROR(check_alias(bad), Code::invalid, "cannot be an alias");
  for (const char* reserved : {"live", "previous"})
    EXPECT_ERROR(check_alias(reserved), Code::invalid, "registry itself");
}

TEST(NearMisses, FindWhatSomebodyMayHaveMeant) {
  const Names known{"kettle-7", "kettle-8", "mascot", "mug", "teapot-blue"};
  EXPECT_EQ(near_misses("ketle-7", known), (Names{"kettle-7", "kettle-8"}));
  EXPECT_EQ(near_misses("KETTLE-7", known).front(), "kettle-7");
  EXPECT_EQ(near_misses("mascto", known), Names{"mascot"}) << "a swap is one slip";
  EXPECT_EQ(near_misses("teapot", known), Names{"teapot-blue"});
  EXPECT_EQ(near_misses("kettle", known), (Names{"kettle-7", "kettle-8"}));
}

TEST(NearMisses, DoNotGuessWildlyNorBreakOnOddInput) {
  const Names known{"kettle-7", "mug", "a"};
  EXPECT_TRUE(near_misses("giraffe", known).empty());
  EXPECT_TRUE(near_misses("", known).empty());
  EXPECT_TRUE(near_misses("b", known).empty()) << "one letter for another is no slip";
  EXPECT_TRUE(near_misses(std::string(1'000'000, 'x'), known).empty());
  EXPECT_LE(near_misses("k1", Names{"k2", "k3", "k4", "k5", "k6"}).size(), 3u);
}

TEST(NearMisses, MakeASentence) {
  EXPECT_EQ(unknown_concept_message("mgu", Names{"mug"}), "no concept is called 'mgu'; did you mean mug?");
  EXPECT_EQ(unknown_concept_message("ketle-7", Names{"kettle-7", "kettle-8"}),
            "no concept is called 'ketle-7'; did you mean kettle-7 or kettle-8?");
  EXPECT_EQ(unknown_concept_message("giraffe", Names{"mug"}), "no concept is called 'giraffe'");
}

}  // namespace
}  // namespace conceptd::registry
