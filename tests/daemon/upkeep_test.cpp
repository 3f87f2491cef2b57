// Goal: gc, verify, audit, backup and restore as an operator asks for them.
#include <sstream>

#include "daemon/restore_command.h"
#include "tests/daemon/daemon_fixture.h"
#include "tests/support/database_holder.h"

namespace conceptd::daemon::test {
namespace {

namespace fs = std::filesystem;

class Upkeep : public DaemonTest {
 protected:
  template <typename Answer, typename Request>
  Answer post(const std::string& target, const Request& request) {
    return api::decode_answer<Answer>(client().post(target, api::encode(request)));
  }
  void learn_four() {
    start();
    add_and_learn("kettle-7");
    for (int seed = 2; seed <= 4; ++seed) learn_again("kettle-7", seed);
  }
};

TEST_F(Upkeep, GcErasesWhatNothingReachesAndPicturesOfItAreRefused) {
  learn_four();
  const api::CollectGarbage now{.keep_states = 1, .older_than_s = 0};
  api::CollectGarbage only_look = now;
  only_look.dry_run = true;
  EXPECT_EQ(post<api::Collected>("gc", api::CollectGarbage{}).versions.size(), 0u) << "nothing is that old";
  EXPECT_EQ(post<api::Collected>("gc", only_look).versions.size(), 2u);
  const auto done = post<api::Collected>("gc", now);
  ASSERT_EQ(done.versions.size(), 2u);
  EXPECT_EQ(done.versions[1].version, 2);
  EXPECT_GT(done.bytes, 0);
  EXPECT_EQ(done.keep_states, 1);
  const auto [status, error] = refused("generate", api::encode(api::GenerateRequest{.prompt = "a <kettle-7@1>"}));
  EXPECT_EQ(status, 404);
  EXPECT_THAT(error.message, HasSubstr("erased by gc"));
  EXPECT_NO_THROW(generate("a <kettle-7>"));
  const auto history = api::decode_answer<api::History>(client().get("concepts/kettle-7/history"));
  ASSERT_EQ(history.versions.size(), 4u);
  EXPECT_TRUE(history.versions[3].erased_at);
  EXPECT_FALSE(history.versions[0].erased_at);
  EXPECT_EQ(refused("gc", {{"keep_states", 0}}).second.field, "keep_states");
  EXPECT_EQ(refused("gc", {{"older_than_s", -1}}).second.field, "older_than_s");
}

TEST_F(Upkeep, VerifySaysThatAllIsWellOrWhatIsNot) {
  learn_four();
  const auto well = post<api::Verified>("verify", api::Verify{.deep = true});
  EXPECT_TRUE(well.faults.empty());
  EXPECT_TRUE(well.deep);
  EXPECT_EQ(well.versions, 4);
  const Digest digest = Digest::parse(show("kettle-7").photos[0].digest);
  const fs::path file = config_.data_dir / "photos" / digest.hex().substr(0, 2) / digest.hex();
  std::string bytes = contents(file);
  bytes[bytes.size() / 2] ^= 1;
  plant(file, bytes);
  EXPECT_TRUE(post<api::Verified>("verify", api::Verify{}).faults.empty()) << "its size is right";
  const auto rotten = post<api::Verified>("verify", api::Verify{.deep = true});
  ASSERT_EQ(rotten.faults.size(), 1u);
  EXPECT_THAT(rotten.faults[0], HasSubstr(digest.hex()));
}

TEST_F(Upkeep, TheAuditSaysWhoDidWhat) {
  learn_four();
  const auto all = api::decode_answer<api::AuditList>(client().get("audit?verify_chain=true"));
  EXPECT_EQ(all.chain_holds, true);
  EXPECT_EQ(all.rows[0].action, "publish");
  EXPECT_EQ(all.rows.back().action, "create");
  const auto some = api::decode_answer<api::AuditList>(client().get("audit?subject=kettle-7&limit=2"));
  EXPECT_EQ(some.rows.size(), 2u);
  EXPECT_FALSE(some.chain_holds);
  EXPECT_ERROR(client().get("audit?since=yesterday"), Code::invalid, "not 'since'");
}

TEST_F(Upkeep, ABackupIsRestoredIntoAFolderThatADaemonThenServes) {
  learn_four();
  const auto before = picture::decode(generate("a <kettle-7>").images[0].png.data);
  const auto done = post<api::BackedUp>("backup", api::BackUp{.name = "friday"});
  EXPECT_EQ(done.state, 4);
  EXPECT_EQ(done.photos, 3);
  EXPECT_EQ(fs::path(done.folder), config_.data_dir / "backups/friday");
  EXPECT_TRUE(fs::exists(post<api::BackedUp>("backup", api::BackUp{}).folder)) << "named by the time";
  std::ostringstream said;
  EXPECT_ERROR(restore(done.folder, config_.data_dir, clock_, false, said), Code::busy, "another conceptd");
  restore(done.folder, folder_ / "again", clock_, false, said);
  EXPECT_THAT(said.str(), HasSubstr("Restored state 4 with 4 versions and 3 photos"));
  EXPECT_THAT(said.str(), HasSubstr("conceptd --data-dir"));
  std::ostringstream json;
  restore(done.folder, folder_ / "third", clock_, true, json);
  EXPECT_EQ(Json::parse(json.str())["versions"], 4);
  stop();
  config_.data_dir = folder_ / "again";
  start();
  EXPECT_EQ(picture::decode(generate("a <kettle-7>").images[0].png.data), before);
  EXPECT_EQ(status().state.id, 4);
}

TEST_F(Upkeep, ABackupIsANameAndNeverAPath) {
  learn_four();
  for (const char* name : {"../friday", "/tmp/friday", "a/b", "Friday", "x.tmp", "-rf", "..", ""}) {
    const auto [status, error] = refused("backup", {{"name", name}});
    EXPECT_EQ(status, 422) << name;
    EXPECT_EQ(error.field, "name") << name;
  }
  post<api::BackedUp>("backup", api::BackUp{.name = "friday"});
  EXPECT_EQ(refused("backup", {{"name", "friday"}}).first, 409);
}

// A shell, say, in which somebody has begun to write and gone home: longer than SQLite waits.
TEST_F(Upkeep, Row34AnotherProgramThatHoldsTheDatabaseCostsNothingButTime) {
  DatabaseHolder holder(config_.data_dir / "registry.db");
  start();
  add_and_learn("kettle-7");
  const std::int64_t running = add("steady", "other");
  wait_until(running, [](const api::JobInfo& info) { return info.progress.step > 2; });
  holder.hold();
  const auto [status_code, error] = refused("concepts", api::encode(request_for("mug-2")));
  EXPECT_EQ(status_code, 429);
  EXPECT_EQ(error.code, "busy");
  EXPECT_THAT(error.message, HasSubstr("another program is writing to it"));
  EXPECT_EQ(generate("a <kettle-7>").images.size(), 1u) << "pictures are made";
  EXPECT_EQ(status().counts.concepts, 2) << "what is known can be read, and nothing was added";
  EXPECT_EQ(client().exchange("GET", "/healthz", {}, 5s).status, 200);
  holder.let_go();
  const api::JobInfo done = wait_for(running);
  EXPECT_EQ(done.state, "done") << done.error_message;
  EXPECT_EQ(done.attempts, 1) << "what it learnt was stored when it could be";
  add_and_learn("mug-2");
  EXPECT_THAT(post<api::Verified>("verify", api::Verify{.deep = true}).faults, testing::IsEmpty());
}

}  // namespace
}  // namespace conceptd::daemon::test
