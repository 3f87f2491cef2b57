// Goal: what holds, names, compares and moves versions does it for whoever asks next, and says so in the audit.
#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

class Verbs : public DaemonTest {
 protected:
  template <typename Answer, typename Request>
  Answer post(const std::string& target, const Request& request) {
    return api::decode_answer<Answer>(client().post(target, api::encode(request)));
  }
  int live(const std::string& name) { return show(name).summary.live_version.value_or(0); }
  // Three versions of kettle-7; the third is live.
  void learn_three() {
    start();
    add_and_learn("kettle-7");
    learn_again("kettle-7", 2);
    learn_again("kettle-7", 3);
  }
  auto pixels(const std::string& prompt) { return picture::decode(generate(prompt).images[0].png.data); }
};

TEST_F(Verbs, APinnedConceptStaysWhatEveryoneGets) {
  learn_three();
  const auto pinned = post<api::Pinned>("concepts/kettle-7/pin", api::PinConcept{.reason = "the one we print"});
  EXPECT_EQ(pinned.version, 3);
  const auto before = pixels("a <kettle-7>");
  const api::JobInfo job = learn_again("kettle-7", 4);
  EXPECT_EQ(job.state, "done");
  EXPECT_EQ(job.result_version, 4);
  EXPECT_EQ(job.published, false);
  EXPECT_EQ(live("kettle-7"), 3);
  EXPECT_EQ(show("kettle-7").summary.pinned_version, 3);
  EXPECT_EQ(pixels("a <kettle-7>"), before);
  EXPECT_NE(pixels("a <kettle-7@4>"), before) << "it is kept, and can be asked for";
  const auto promoted = post<api::RolledBack>("concepts/kettle-7/promote", api::Promote{.version = "4"});
  EXPECT_EQ(promoted.from, 3);
  EXPECT_TRUE(promoted.pinned);
  EXPECT_EQ(live("kettle-7"), 4);
  EXPECT_FALSE(post<api::Pinned>("concepts/kettle-7/unpin", api::ForReason{}).pinned);
  EXPECT_EQ(learn_again("kettle-7", 5).published, true);
  EXPECT_EQ(refused("concepts/kettle-7/unpin", Json::object()).first, 409);
  EXPECT_EQ(refused("concepts/kettle-7/pin", {{"version", "1"}}).first, 409);
}

TEST_F(Verbs, ARollbackHoldsUnlessAskedNotTo) {
  learn_three();
  EXPECT_TRUE(post<api::RolledBack>("concepts/kettle-7/rollback", api::RollBack{.to = 1}).pinned);
  EXPECT_EQ(learn_again("kettle-7", 4).published, false);
  EXPECT_FALSE(post<api::RolledBack>("concepts/kettle-7/rollback", api::RollBack{.to = 2, .pin = false}).pinned);
  EXPECT_EQ(learn_again("kettle-7", 5).published, true);
  const auto back = post<api::StateRolledBack>("states/1/rollback", api::RollBackState{.reason = "a bad week"});
  EXPECT_EQ(back.like, 1);
  EXPECT_EQ(back.concepts, 1);
  EXPECT_EQ(live("kettle-7"), 1);
  EXPECT_EQ(show("kettle-7").summary.pinned_version, 1);
  EXPECT_EQ(refused("states/99/rollback", Json::object()).first, 404);
  EXPECT_EQ(refused("states/x/rollback", Json::object()).second.field, "id");
}

TEST_F(Verbs, AnAliasWorksInAPrompt) {
  learn_three();
  const auto list = post<api::AliasList>("concepts/kettle-7/alias", api::SetAlias{.alias = "print", .version = "1"});
  ASSERT_EQ(list.aliases.size(), 1u);
  EXPECT_EQ(list.aliases[0].version, 1);
  EXPECT_EQ(pixels("a <kettle-7@print>"), pixels("a <kettle-7@1>"));
  EXPECT_EQ(pixels("a <kettle-7@live>"), pixels("a <kettle-7>"));
  EXPECT_EQ(pixels("a <kettle-7@previous>"), pixels("a <kettle-7@2>"));
  EXPECT_EQ(generate("a <kettle-7@print>").concepts[0].version, 1);
  const auto [status, error] = refused("generate", api::encode(api::GenerateRequest{.prompt = "a <kettle-7@prnt>"}));
  EXPECT_EQ(status, 404);
  EXPECT_EQ(error.field, "prompt");
  EXPECT_THAT(error.message, HasSubstr("it has print"));
  EXPECT_EQ(refused("concepts/kettle-7/alias", {{"alias", "live"}}).second.field, "alias");
  EXPECT_EQ(refused("concepts/kettle-7/alias", {{"alias", "../x"}}).second.field, "alias");
  EXPECT_TRUE(post<api::AliasList>("concepts/kettle-7/unalias", api::SetAlias{.alias = "print"}).aliases.empty());
  EXPECT_EQ(refused("concepts/kettle-7/unalias", {{"alias", "print"}}).first, 404);
  EXPECT_TRUE(api::decode_answer<api::AliasList>(client().get("concepts/kettle-7/aliases")).aliases.empty());
}

TEST_F(Verbs, DifferencesOfVersionsAndStates) {
  learn_three();
  const auto diff = [&](const std::string& from, const std::string& to) {
    return api::decode_answer<api::Difference>(client().get("diff?from=" + from + "&to=" + to));
  };
  std::vector<std::string> fields;
  for (const api::ChangeInfo& change : diff("kettle-7@1", "kettle-7@live").changes) fields.push_back(change.field);
  EXPECT_THAT(fields, testing::IsSupersetOf({"delta", "parent", "seed"}));
  EXPECT_THAT(fields, testing::Not(testing::Contains("method")));
  const auto states = diff("state:1", "state:3");
  ASSERT_EQ(states.changes.size(), 1u);
  EXPECT_EQ(states.changes[0].field, "kettle-7");
  EXPECT_EQ(states.changes[0].to, 3);
  EXPECT_TRUE(diff("state:2", "state:2").changes.empty());
  for (const char* wrong : {"kettle-7&to=state:1", "kettle-7@1&to=mug@1", "state:x&to=state:1", "kettle-7@1"})
    EXPECT_ERROR(client().get(std::string("diff?from=") + wrong), Code::invalid, "");
}

TEST_F(Verbs, WhatIsRemovedIsGoneForEveryoneAndComesBack) {
  learn_three();
  const auto before = pixels("a <kettle-7>");
  EXPECT_EQ(post<api::Moved>("concepts/kettle-7/remove", api::ForReason{.reason = "no longer sold"}).state, 4);
  EXPECT_EQ(refused("generate", api::encode(api::GenerateRequest{.prompt = "a <kettle-7>"})).first, 404);
  EXPECT_EQ(refused("concepts/kettle-7/remove", Json::object()).first, 404);
  const auto back = post<api::Moved>("concepts/kettle-7/undelete", api::ForReason{});
  EXPECT_EQ(back.version, 3);
  EXPECT_EQ(pixels("a <kettle-7>"), before);
  EXPECT_EQ(refused("concepts/kettle-7/undelete", Json::object()).first, 409);
}

TEST_F(Verbs, RequestsAreReadStrictly) {
  learn_three();
  EXPECT_EQ(refused("concepts/kettle-7/pin", {{"force", true}}).second.field, "force");
  EXPECT_EQ(refused("concepts/kettle-7/promote", Json::object()).second.field, "version");
  EXPECT_EQ(refused("concepts/kettle-7/promote", {{"version", "0"}}).second.field, "version");
  EXPECT_EQ(refused("concepts/kettle-7/rollback", {{"pin", "yes"}}).second.field, "pin");
  EXPECT_EQ(refused("concepts/kettle-7/remove", {{"reason", std::string(501, 'x')}}).second.field, "reason");
  EXPECT_EQ(live("kettle-7"), 3);
}

}  // namespace
}  // namespace conceptd::daemon::test
