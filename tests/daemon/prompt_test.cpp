#include "daemon/prompt.h"

#include "tests/support/expect_error.h"

namespace conceptd::daemon {
namespace {

const std::vector<std::string> kKnown{"kettle-7", "mug-2"};

TEST(Prompt, FindsConceptsAndTheirVersions) {
  const Prompt prompt = read_prompt("a <kettle-7> beside a <mug-2@3>, <kettle-7>", kKnown);
  EXPECT_EQ(prompt.text, "a <kettle-7> beside a <mug-2>, <kettle-7>");
  ASSERT_EQ(prompt.references.size(), 2u);
  EXPECT_EQ(prompt.references[0].name.str(), "kettle-7");
  EXPECT_FALSE(prompt.references[0].version);
  EXPECT_EQ(prompt.references[1].version, 3);
}

TEST(Prompt, LeavesOtherTextAlone) {
  for (const char* text :
       {"a kettle", "2 < 3 and 4 > 3", "<>", "< kettle-7 >", "<kettle-7", "kettle-7>", "", "<<", "><"}) {
    EXPECT_EQ(read_prompt(text, kKnown).text, text);
    EXPECT_TRUE(read_prompt(text, kKnown).references.empty()) << text;
  }
  EXPECT_EQ(read_prompt("<<kettle-7>>", kKnown).references.size(), 1u);
}

TEST(Prompt, NamesNearMisses) {
  EXPECT_ERROR(read_prompt("a <kettle7>", kKnown), Code::not_found, "did you mean kettle-7?");
  EXPECT_ERROR(read_prompt("a <Kettle-7>", kKnown), Code::not_found, "did you mean kettle-7?");
  EXPECT_ERROR(read_prompt("<lora:thing:1>", kKnown), Code::not_found, "no concept is called");
  EXPECT_ERROR(read_prompt("<kettle-7@X>", kKnown), Code::invalid, "version number or an alias");
  EXPECT_EQ(read_prompt("<kettle-7@print>", kKnown).references[0].alias, "print");
  EXPECT_ERROR(read_prompt("<kettle-7@print> <kettle-7@x>", kKnown), Code::invalid, "two versions");
  EXPECT_ERROR(read_prompt("<kettle-7@1> <kettle-7@2>", kKnown), Code::invalid, "two versions");
  EXPECT_EQ(suggestions_for("a <kettle7> and <mug-3>", kKnown), (std::vector<std::string>{"<kettle-7>", "<mug-2>"}));
}

TEST(Prompt, ListsItsWords) {
  EXPECT_EQ(words_of("a <kettle-7@2> on A caf\xc3\xa9's table, a 2nd time"),
            (std::vector<std::string>{"a", "on", "A", "caf\xc3\xa9", "s", "table", "2nd", "time"}));
}

}  // namespace
}  // namespace conceptd::daemon
