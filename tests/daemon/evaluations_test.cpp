// Goal: an evaluation is asked for, followed and forgotten as its header says, and changes nothing. Method: the real
// daemon and worker process, measures that are pretended.
#include "daemon/evaluations.h"

#include <fstream>

#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

class Evaluating : public DaemonTest {
 protected:
  void plant(const std::string& file) { std::ofstream(folder_ / file) << "here"; }
  api::EvaluationInfo ask(const std::string& name, const Json& body = Json::object()) {
    return of(client().post("concepts/" + name + "/evaluate", body));
  }
  static api::EvaluationInfo of(const Json& answer) {
    return api::decode_answer<api::EvaluationAnswer>(answer).evaluation;
  }
  api::EvaluationInfo over(const std::string& id) {
    for (int i = 0; i < 1500; ++i, std::this_thread::sleep_for(20ms))
      if (const auto info = of(client().get("evaluations/" + id)); info.is_over()) return info;
    ADD_FAILURE() << "it does not end";
    return {};
  }
};

TEST_F(Evaluating, SaysWhatTheWorkerMeasured) {
  start();
  add_and_learn("kettle-7");
  const auto rows = status().state.id;
  const auto asked = ask("kettle-7", {{"seeds", 2}, {"prompts", {"a {} at night"}}, {"words", "a red kettle"}});
  EXPECT_EQ(asked.version, 1);
  EXPECT_EQ(asked.class_word, "kettle");
  const auto done = over(asked.id);
  ASSERT_EQ(done.state, "done") << done.error;
  ASSERT_TRUE(done.measures);
  EXPECT_EQ(done.measures->prompts, std::vector<std::string>{"a {} at night"});
  ASSERT_EQ(done.measures->ways.size(), 2u);
  EXPECT_EQ(done.measures->ways[0].likeness, .5);
  EXPECT_EQ(done.measures->ways[1].way, "words");
  EXPECT_EQ(done.measures->ways[1].diversity, std::nullopt);
  EXPECT_EQ(client().get_bytes("evaluations/" + done.id + "/sheet.png").substr(1, 3), "PNG");
  EXPECT_EQ(status().state.id, rows);
}

TEST_F(Evaluating, TakesTheVersionThatIsMeant) {
  start();
  add_and_learn("kettle-7");
  learn_again("kettle-7", 2);
  EXPECT_EQ(ask("kettle-7").version, 2) << "what is live";
  EXPECT_EQ(ask("kettle-7", {{"version", "1"}}).version, 1);
  EXPECT_EQ(ask("kettle-7", {{"version", "previous"}}).version, 1);
  ASSERT_EQ(wait_for(add("poor", "other")).state, "done");
  EXPECT_EQ(ask("poor").version, 1) << "refused by the gate, and the newest";
}

TEST_F(Evaluating, WhatCannotBeMeasuredIsRefusedWithItsField) {
  start();
  add_and_learn("kettle-7");
  const auto field = [&](const std::string& name, const Json& body) {
    const auto [status, error] = refused("concepts/" + name + "/evaluate", body);
    return std::to_string(status) + " " + error.field;
  };
  const Json nothing = Json::object();
  EXPECT_EQ(field("kettle-8", nothing), "404 name");
  EXPECT_EQ(refused("concepts/kettle-8/evaluate", nothing).second.suggestions, std::vector<std::string>{"kettle-7"});
  EXPECT_EQ(field("kettle-7", {{"version", "9"}}), "404 version");
  EXPECT_EQ(field("kettle-7", {{"seeds", 0}}), "422 seeds");
  EXPECT_EQ(field("kettle-7", {{"seeds", 17}}), "422 seeds");
  EXPECT_EQ(field("kettle-7", {{"prompts", Json::array()}}), "422 prompts");
  EXPECT_EQ(field("kettle-7", {{"prompts", {"a {}", "a kettle"}}}), "422 prompts[1]");
  EXPECT_EQ(field("kettle-7", {{"prompts", {"a {} and a {}"}}}), "422 prompts[0]");
  EXPECT_EQ(field("kettle-7", {{"prompts", {"a {} and a <mug>"}}}), "422 prompts[0]");
  EXPECT_EQ(field("kettle-7", {{"prompts", {"a {}" + std::string(2000, 'x')}}}), "422 prompts[0]");
  EXPECT_EQ(field("kettle-7", {{"prompts", std::vector<std::string>(33, "a {}")}}), "422 prompts");
  EXPECT_EQ(field("kettle-7", {{"words", "a <kettle-7>"}}), "422 words");
  EXPECT_EQ(field("kettle-7", {{"prompts", std::vector<std::string>(32, "a {}")}, {"seeds", 5}}), "422 seeds");
  EXPECT_EQ(field("kettle-7", {{"steps", 5}}), "422 steps");
  add("slow", "other");
  EXPECT_EQ(field("slow", nothing), "409 name") << "it is not learnt yet";
  EXPECT_EQ(client().exchange("GET", "/api/v1/evaluations/00", "", 30s).status, 404);
}

TEST_F(Evaluating, AWorkerThatDiesFailsTheEvaluationAlone) {
  start();
  add_and_learn("kettle-7");
  plant("die-kettle-7");
  const auto failed = over(ask("kettle-7").id);
  EXPECT_EQ(failed.state, "failed");
  EXPECT_THAT(failed.error, testing::HasSubstr("killed"));
  EXPECT_EQ(client().exchange("GET", "/api/v1/evaluations/" + failed.id + "/sheet.png", "", 30s).status, 409);
  EXPECT_EQ(over(ask("kettle-7").id).state, "done") << "the next is none the worse for it";
}

TEST_F(Evaluating, WaitInTurnAndCanBeCancelled) {
  start();
  add_and_learn("kettle-7");
  plant("slow-kettle-7");
  const auto running = ask("kettle-7");
  std::vector<std::string> ids;
  for (std::size_t k = 1; k < Evaluations::kWaitingMax; ++k) ids.push_back(ask("kettle-7").id);
  EXPECT_EQ(refused("concepts/kettle-7/evaluate", Json::object()).first, 429);
  for (const auto& id : ids)
    EXPECT_EQ(of(client().post("evaluations/" + id + "/cancel", Json::object())).state, "cancelled");
  client().post("evaluations/" + running.id + "/cancel", Json::object());
  EXPECT_EQ(over(running.id).state, "cancelled");
  EXPECT_EQ(of(client().post("evaluations/" + running.id + "/cancel", Json::object())).state, "cancelled");
  ask("kettle-7");
  stop();  // in the middle of one
  start();
  EXPECT_EQ(client().exchange("GET", "/api/v1/evaluations/" + running.id, "", 30s).status, 404) << "forgotten";
}

}  // namespace
}  // namespace conceptd::daemon::test
