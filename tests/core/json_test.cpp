#include "core/json.h"

#include "core/log.h"
#include "tests/support/expect_error.h"

namespace conceptd {
namespace {

TEST(ParseJson, TakesWhatIsGood) {
  EXPECT_EQ(parse_json(R"({"a":[1,2,{"b":null}]})", "the request")["a"][2]["b"], nullptr);
  EXPECT_EQ(parse_json(R"([{"a":1},{"a":2}])", "it").size(), 2u) << "the same name in two objects is fine";
}

TEST(ParseJson, SaysWhatItWasAndWhy) {
  EXPECT_ERROR(parse_json("{", "the request body"), Code::invalid, "the request body");
  EXPECT_ERROR(parse_json("{} x", "it"), Code::invalid, "not valid JSON");
  EXPECT_ERROR(parse_json("\"\xff\"", "it"), Code::invalid, "not valid JSON");
}

TEST(ParseJson, RefusesADuplicateName) {
  EXPECT_ERROR(parse_json(R"({"a":1,"b":{"a":2},"a":3})", "it"), Code::invalid, "'a' appears twice");
}

TEST(ParseJson, RefusesANestingBombAtTheLimit) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(32), "it", 32));
  EXPECT_ERROR(parse_json(nested(33), "it", 32), Code::invalid, "deeper than 32");
  EXPECT_ERROR(parse_json(std::string(1'000'000, '['), "it"), Code::invalid, "deeper than 32");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_ERROR(parse_json(objects, "it"), Code::invalid, "deeper than 32");
}

TEST(Log, RefusesALevelThatIsNotOne) { EXPECT_ERROR(set_up_logging({.level = "loud"}), Code::invalid, "loud"); }

TEST(Log, AJsonLineStaysOneLineWhateverTheMessage) {
  testing::internal::CaptureStderr();
  set_up_logging({.level = "info", .json = true, .process = "test"});
  spdlog::info("a \"quoted\"\nline \xff");
  const std::string line = testing::internal::GetCapturedStderr();
  set_up_logging({});
  ASSERT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  const Json parsed = parse_json(line, "the line");
  EXPECT_EQ(parsed["level"], "info");
  EXPECT_EQ(parsed["process"], "test");
  EXPECT_THAT(parsed["message"].get<std::string>(), testing::HasSubstr("\"quoted\"\nline"));
}

}  // namespace
}  // namespace conceptd
