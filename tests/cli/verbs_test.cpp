// Goal: the commands that hold, move, erase and copy ask for what they must, send what was said, and say how to undo
// it.
#include "tests/cli/commands_fixture.h"

namespace conceptd::cli {
namespace {

class Verbs : public Commands {
 protected:
  template <typename Answer>
  void answers(const std::string& target, const Answer& answer) {
    answers_[target] = {.body = api::encode(answer).dump()};
  }
  Json asked(const std::string& target) { return Json::parse(asked_[target]); }
  Ran run_as_a_person(std::vector<std::string> arguments, const std::string& typed) {
    std::ostringstream out, err;
    std::istringstream in(typed);
    arguments.insert(arguments.begin(), {"--socket", socket()});
    Ran ran;
    ran.status = run_conceptctl(arguments, out, err, true, &in);
    ran.out = out.str(), ran.err = err.str();
    return ran;
  }
};

TEST_F(Verbs, AScriptSaysWhyAPersonNeedNot) {
  answers("POST /api/v1/concepts/kettle-7/rollback",
          api::RolledBack{.name = "kettle-7", .from = 3, .to = 2, .state = 9, .pinned = true});
  const Ran script = run({"rollback", "kettle-7"});
  EXPECT_EQ(script.status, 7);
  EXPECT_THAT(script.err, HasSubstr("--reason TEXT"));
  EXPECT_TRUE(asked_.empty());
  const Ran person = run_as_a_person({"rollback", "kettle-7"}, "");
  EXPECT_EQ(person.out,
            "kettle-7: version 3 -> 2 (pinned), state 9. Undo: conceptctl rollback kettle-7 --to 3 --no-pin\n");
  EXPECT_TRUE(asked("POST /api/v1/concepts/kettle-7/rollback")["pin"].is_null());
  run({"rollback", "kettle-7", "--no-pin", "--reason", "x"});
  EXPECT_EQ(asked("POST /api/v1/concepts/kettle-7/rollback")["pin"], false);
}

TEST_F(Verbs, AStateIsRolledBackWhole) {
  answers("POST /api/v1/states/4/rollback",
          api::StateRolledBack{.from = 8, .like = 4, .state = 9, .concepts = 3, .pinned = true});
  const Ran ran = run({"rollback", "--state", "4", "--reason", "bad night"});
  EXPECT_THAT(ran.out, HasSubstr("State 9 has the content of state 4 (3 concepts, all pinned)"));
  EXPECT_THAT(ran.out, HasSubstr("conceptctl rollback --state 8"));
  EXPECT_EQ(run({"rollback", "--reason", "x"}).status, 7);
  EXPECT_EQ(run({"rollback", "kettle-7", "--state", "4", "--reason", "x"}).status, 7);
  EXPECT_EQ(run({"rollback", "--state", "4", "--to", "1", "--reason", "x"}).status, 7);
}

TEST_F(Verbs, PinAndUnpin) {
  answers("POST /api/v1/concepts/kettle-7/pin", api::Pinned{.name = "kettle-7", .version = 3, .pinned = true});
  answers("POST /api/v1/concepts/kettle-7/unpin", api::Pinned{.name = "kettle-7", .version = 3});
  EXPECT_THAT(run({"pin", "kettle-7@3", "--reason", "print"}).out, HasSubstr("pinned at version 3"));
  EXPECT_EQ(asked("POST /api/v1/concepts/kettle-7/pin"), (Json{{"version", "3"}, {"reason", "print"}}));
  EXPECT_THAT(run({"unpin", "kettle-7"}).out, HasSubstr("no longer pinned"));
  EXPECT_EQ(Json::parse(run({"pin", "kettle-7", "--json"}).out)["pinned"], true);
}

TEST_F(Verbs, PromoteNeedsAVersionAndAReason) {
  answers("POST /api/v1/concepts/kettle-7/promote",
          api::RolledBack{.name = "kettle-7", .from = 3, .to = 4, .state = 9});
  EXPECT_EQ(run({"promote", "kettle-7", "--reason", "x"}).status, 7);
  EXPECT_EQ(run({"promote", "kettle-7@4"}).status, 7);
  EXPECT_TRUE(asked_.empty());
  EXPECT_THAT(run({"promote", "kettle-7@4", "--override-gate", "--reason", "better"}).out, HasSubstr("3 -> 4"));
  EXPECT_EQ(asked("POST /api/v1/concepts/kettle-7/promote"),
            (Json{{"version", "4"}, {"override_gate", true}, {"reason", "better"}}));
}

TEST_F(Verbs, Aliases) {
  const api::AliasList list{.name = "kettle-7", .aliases = {{.alias = "print", .version = 2, .set_by = "alice"}}};
  answers("POST /api/v1/concepts/kettle-7/alias", list);
  answers("POST /api/v1/concepts/kettle-7/unalias", api::AliasList{.name = "kettle-7"});
  answers("GET /api/v1/concepts/kettle-7/aliases", list);
  EXPECT_THAT(run({"alias", "set", "kettle-7@2", "print"}).out, HasSubstr("<kettle-7@print>"));
  EXPECT_EQ(asked("POST /api/v1/concepts/kettle-7/alias"), (Json{{"alias", "print"}, {"version", "2"}}));
  EXPECT_THAT(run({"alias", "rm", "kettle-7", "print"}).out, HasSubstr("has no alias"));
  EXPECT_THAT(run({"alias", "list", "kettle-7"}).out, testing::ContainsRegex("print +2 +"));
  EXPECT_EQ(Json::parse(run({"alias", "list", "kettle-7", "--json"}).out)["aliases"][0]["version"], 2);
  EXPECT_EQ(run({"alias"}).status, kExitUsage);
}

TEST_F(Verbs, DiffIsATable) {
  answers("GET /api/v1/diff",
          api::Difference{.from = "kettle-7@1",
                          .to = "kettle-7@2",
                          .changes = {{.field = "metrics.identity", .from = 0.712345, .to = 0.81},
                                      {.field = "photos", .from = {"a", "b"}, .to = {"b", "c", "d"}},
                                      {.field = "settings.steps", .from = nullptr, .to = 200}}});
  const Ran ran = run({"diff", "kettle-7@1", "kettle-7@2"});
  EXPECT_THAT(ran.out, testing::ContainsRegex("metrics.identity +0.712 +0.81"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("photos +2 photos +3 photos \\(\\+2 -1\\)"));
  EXPECT_THAT(ran.out, testing::ContainsRegex("settings.steps +- +200"));
  answers("GET /api/v1/diff", api::Difference{});
  EXPECT_THAT(run({"diff", "state:1", "state:1"}).out, HasSubstr("do not differ"));
}

TEST_F(Verbs, RemovingIsConfirmedByTheName) {
  answers("POST /api/v1/concepts/kettle-7/remove", api::Moved{.name = "kettle-7", .state = 9});
  EXPECT_THAT(run({"rm", "kettle-7"}).err, HasSubstr("--confirm=kettle-7"));
  EXPECT_EQ(run({"rm", "kettle-7", "--confirm=kettle-8"}).status, 7);
  EXPECT_EQ(run_as_a_person({"rm", "kettle-7"}, "kettle-8\n").status, 7);
  EXPECT_EQ(run_as_a_person({"rm", "kettle-7"}, "").status, 7);
  EXPECT_TRUE(asked_.empty());
  EXPECT_THAT(run({"rm", "kettle-7", "--confirm=kettle-7"}).out, HasSubstr("conceptctl undelete kettle-7"));
  EXPECT_EQ(run_as_a_person({"rm", "kettle-7"}, "kettle-7\n").status, 0);
  answers("POST /api/v1/concepts/kettle-7/undelete", api::Moved{.name = "kettle-7", .state = 10, .version = 3});
  EXPECT_THAT(run({"undelete", "kettle-7"}).out, HasSubstr("back, state 10, at version 3"));
}

TEST_F(Verbs, GcSaysWhatGoes) {
  answers("POST /api/v1/gc", api::Collected{.dry_run = true,
                                            .versions = {{.name = "kettle-7", .version = 1, .size_bytes = 2048}},
                                            .concepts = {"mug"},
                                            .photos = 3,
                                            .bytes = 4096});
  const Ran ran = run({"gc", "-n", "--keep-states", "5", "--older-than", "12h"});
  EXPECT_THAT(ran.out, testing::ContainsRegex("kettle-7@1 +2.0 KB"));
  EXPECT_THAT(ran.out, HasSubstr("photos of mug"));
  EXPECT_THAT(ran.out, HasSubstr("Would erase 1 version, 0 previews, 3 photos, 0 stray files: 4.0 KB."));
  EXPECT_EQ(asked("POST /api/v1/gc"), (Json{{"dry_run", true}, {"keep_states", 5}, {"older_than_s", 43200}}));
  asked_.clear();
  for (const char* wrong : {"soon", "-1d", "3w", "99999999999999999999", "1d2h"})
    EXPECT_EQ(run({"gc", "--older-than", wrong}).status, 7) << wrong;
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Verbs, VerifyAndTheAuditTellByTheirStatus) {
  answers("POST /api/v1/verify", api::Verified{.deep = true, .versions = 2});
  EXPECT_THAT(run({"verify", "--deep"}).out, HasSubstr("every byte hashed: all well"));
  EXPECT_EQ(asked("POST /api/v1/verify")["deep"], true);
  answers("POST /api/v1/verify", api::Verified{.faults = {"photo ab is missing or damaged"}});
  const Ran faulty = run({"verify"});
  EXPECT_EQ(faulty.status, 8);
  EXPECT_THAT(faulty.err, HasSubstr("photo ab"));
  EXPECT_EQ(run({"verify", "--json"}).status, 8);
  const api::AuditEntry row{.id = 4, .actor = "al\x1b[31mice", .action = "pin", .subject = "kettle-7"};
  answers("GET /api/v1/audit", api::AuditList{.rows = {row}, .chain_holds = true});
  const Ran audit = run({"audit", "kettle-7", "--verify-chain"});
  EXPECT_THAT(audit.out, HasSubstr("al?[31mice"));
  EXPECT_THAT(audit.out, HasSubstr("Every link"));
  answers("GET /api/v1/audit", api::AuditList{.chain_holds = false, .fault = "audit row 2 was changed"});
  EXPECT_EQ(run({"audit", "--verify-chain"}).status, 8);
}

TEST_F(Verbs, BackupSaysWhereAndHowToRestore) {
  answers("POST /api/v1/backup", api::BackedUp{.folder = "/var/lib/conceptd/backups/friday", .state = 9});
  const Ran ran = run({"backup", "-o", "friday"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.out, HasSubstr("conceptd restore /var/lib/conceptd/backups/friday --to"));
  EXPECT_EQ(asked("POST /api/v1/backup")["name"], "friday");
  answers("POST /api/v1/backup", api::BackedUp{.folder = "/x", .missing = {"abcd"}});
  EXPECT_EQ(run({"backup"}).status, 8) << "a script must notice";
}

}  // namespace
}  // namespace conceptd::cli
