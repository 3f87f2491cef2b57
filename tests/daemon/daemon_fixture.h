// A daemon in a folder of its own, with a model and a learner that pretend, spoken to through the real client.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "cli/client.h"
#include "core/picture/picture.h"
#include "daemon/api/limits.h"
#include "daemon/api/wire.h"
#include "daemon/daemon.h"
#include "daemon/fake_model.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::daemon::test {

using namespace conceptd::test;
using namespace std::chrono_literals;
using testing::HasSubstr;

// Another pattern for every number, so that no two look alike.
inline picture::Picture pattern(int number, int width = 64, int height = 64) {
  picture::Picture picture{.width = width, .height = height};
  const Digest areas = Digest::of(std::to_string(number)), more = Digest::of("more " + std::to_string(number));
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const auto area = static_cast<std::size_t>(y * 8 / height * 8 + x * 8 / width);
      const std::string_view of = area < 32 ? areas.raw() : more.raw();
      picture.rgb.insert(picture.rgb.end(), 3, static_cast<std::uint8_t>(of[area % 32]));
    }
  return picture;
}
inline std::string photo(int number, int side = 64) { return picture::encode_png(pattern(number, side, side)); }

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() {
    ::setenv("CONCEPTD_FAKE_DIR", folder_.path().c_str(), 1);
    config_.data_dir = folder_ / "data";
    config_.socket = folder_ / "conceptd.sock";
    config_.stall_s = 60;
  }
  void start() {
    daemon_ = std::make_unique<Daemon>(config_, clock_, parts());
    daemon_->start();
  }
  void stop() { daemon_.reset(); }
  DaemonParts parts() {
    return {.open_model =
                [this](const Config&) {
                  auto model = std::make_unique<FakeModel>();
                  model->before_batch = before_batch_;
                  model->before_step = before_step_;
                  model->draft_with(draft_method_);
                  model_ = model.get();
                  return model;
                },
            .worker_command = {worker_},
            .decode_command = {decoder_},
            .http = http_};
  }

  cli::Client client() const { return cli::Client(config_.socket); }
  static api::AddConcept request_for(const std::string& name, const std::string& method = "fake") {
    api::AddConcept request{.name = name, .class_word = "kettle", .method = method, .seed = 1};
    for (int i = 0; i < 3; ++i) request.photos.push_back({.name = std::to_string(i) + ".png", .data = {photo(50 * i)}});
    return request;
  }
  std::int64_t add(const std::string& name, const std::string& method = "fake") {
    const Json answer = client().post("concepts", api::encode(request_for(name, method)));
    return api::decode_answer<api::Queued>(answer).job.id;
  }
  api::JobInfo job(std::int64_t id) {
    return api::decode_answer<api::JobAnswer>(client().get("jobs/" + std::to_string(id))).job;
  }
  template <typename Is>
  api::JobInfo wait_until(std::int64_t id, Is&& is) {
    for (int i = 0; i < 3000; ++i, std::this_thread::sleep_for(20ms))
      if (api::JobInfo info = job(id); is(info)) return info;
    ADD_FAILURE() << "job " << id << " did not get there";
    return job(id);
  }
  api::JobInfo wait_for(std::int64_t id) {
    return wait_until(id, [](const api::JobInfo& info) { return info.is_over(); });
  }
  void add_and_learn(const std::string& name) { ASSERT_EQ(wait_for(add(name)).state, "done"); }
  api::JobInfo learn_again(const std::string& name, std::int64_t seed) {
    const Json answer = client().post("concepts/" + name + "/learn", api::encode(api::LearnAgain{.seed = seed}));
    return wait_for(api::decode_answer<api::Queued>(answer).job.id);
  }
  api::GenerateResponse generate(const std::string& prompt, std::int64_t seed = 42) {
    return api::decode_answer<api::GenerateResponse>(
        client().post("generate", api::encode(api::GenerateRequest{.prompt = prompt, .seed = seed})));
  }
  api::ConceptDetail show(const std::string& name) {
    return api::decode_answer<api::ConceptDetail>(client().get("concepts/" + name));
  }
  api::Status status() { return api::decode_answer<api::Status>(client().get("status")); }
  // What the daemon refuses, and with which status.
  std::pair<int, api::ErrorBody> refused(const std::string& target, const Json& body) {
    const cli::Reply reply = client().exchange("POST", "/api/v1/" + target, body.dump(), 30s);
    if (reply.status < 400) {
      ADD_FAILURE() << "it was accepted: " << reply.body;
      return {reply.status, {}};
    }
    return {reply.status, api::decode_error(Json::parse(reply.body))};
  }

  TempFolder folder_;
  SystemClock clock_;
  Config config_;
  HttpLimits http_;
  std::string worker_ = CONCEPTD_FAKE_WORKER;
  std::string decoder_ = CONCEPTD_DECODE_PROGRAM;
  std::string draft_method_;  // empty: none
  std::function<void()> before_batch_;
  std::function<void(int)> before_step_;
  FakeModel* model_ = nullptr;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace conceptd::daemon::test
