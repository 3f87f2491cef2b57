// Goal: with --json, whatever goes wrong, exactly one JSON document comes out and the status says what; and bytes that
// are no text end neither the program nor the document.
#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

class JsonErrors : public Commands {
 protected:
  // The document that came out, which must be the only thing.
  Json error_of(const std::vector<std::string>& arguments, int status) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.status, status) << ran.out;
    EXPECT_EQ(ran.err, "");
    const Json document = Json::parse(ran.out, nullptr, false);
    EXPECT_TRUE(document.is_object() && document.contains("error")) << ran.out;
    return document.value("error", Json::object());
  }
};

TEST_F(JsonErrors, UsageIsOneOfThem) {
  EXPECT_THAT(error_of({"--json", "add"}, kExitUsage)["message"], HasSubstr("required"));
  EXPECT_EQ(error_of({"--json", "add"}, kExitUsage)["suggestions"][0], "conceptctl add --help says what it takes");
  EXPECT_THAT(error_of({"--json", "list", "--colour"}, kExitUsage)["message"], HasSubstr("--colour"));
  EXPECT_THAT(error_of({"--json", "lisst"}, kExitUsage)["message"], HasSubstr("did you mean list?"));
  EXPECT_THAT(error_of({"lisst", "--json"}, kExitUsage)["message"], HasSubstr("did you mean list?"));
  EXPECT_THAT(error_of({"generate", "a", "--steps", "many", "--json"}, kExitUsage)["message"], HasSubstr("--steps"));
  EXPECT_THAT(error_of({"--json"}, kExitUsage)["message"], HasSubstr("a command is missing"));
  EXPECT_EQ(Json::parse(run({"--version", "--json"}).out)["client"], "0.1.0");
}

TEST_F(JsonErrors, WithoutItUsageIsALineAndWhatToDo) {
  const Ran ran = run({"add"});
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, testing::StartsWith("conceptctl: "));
  EXPECT_THAT(ran.err, HasSubstr("conceptctl add --help says what it takes"));
  EXPECT_EQ(run({"add", "--", "--json"}).out, "") << "what stands after -- is no option";
}

TEST_F(JsonErrors, AnArgumentThatIsNotUtf8IsNamed) {
  const Json error = error_of({"--json", "add", "x", "\xff.jpg", "--class", "kettle"}, 7);
  EXPECT_THAT(error["message"], HasSubstr("'?.jpg', is not UTF-8"));
  EXPECT_EQ(error["field"], "argument 6") << "after --socket and its path";
  EXPECT_THAT(run({"generate", "caf\xe9"}).err, HasSubstr("'caf?', is not UTF-8"));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(JsonErrors, ABodyThatIsNotUtf8IsRefusedByItsField) {
  const Json body{{"photos", {{{"name", "a"}}, {{"name", "\xff"}}}}};
  EXPECT_ERROR(Client(socket()).post("concepts", body), Code::invalid, "'photos[1].name' is not UTF-8");
}

}  // namespace
}  // namespace conceptd::cli
