// Goal: the queue is bounded, batches hold what samples alike, and nobody waits for ever.
#include "daemon/generation_service.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <future>

#include "tests/daemon/daemon_fixture.h"

namespace conceptd::daemon::test {
namespace {

// A door that the device thread waits at.
struct Door {
  std::promise<void> opened;
  std::shared_future<void> open = opened.get_future().share();
};

struct Outcome {
  std::promise<Made> promise;
  GenerationTask task(Sampling sampling, int count, std::uint64_t seed = 1) {
    GenerationTask task{.sampling = std::move(sampling)};
    for (int i = 0; i < count; ++i)
      task.orders.push_back({.prompt = "a kettle", .seed = seed + static_cast<std::uint64_t>(i)});
    task.done = [this](Made made) { promise.set_value(std::move(made)); };
    task.failed = [this](const Error& error) { promise.set_exception(std::make_exception_ptr(error)); };
    return task;
  }
};

const Sampling kSmall{.sampler = "ddim", .steps = 4, .guidance = 5, .width = 16, .height = 16};
const Sampling kOther{.sampler = "euler", .steps = 4, .guidance = 5, .width = 16, .height = 16};

TEST(Generation, WhatSamplesAlikeSharesABatch) {
  FakeModel model;
  Door door;
  model.before_batch = [&] { door.open.wait(); };
  GenerationService service(model, {.queue_max = 8, .batch_max = 4});
  Outcome first, second, third, fourth;
  service.submit(first.task(kOther, 1));
  while (service.load().running == 0) std::this_thread::sleep_for(1ms);
  service.submit(second.task(kSmall, 3, 10));
  service.submit(third.task(kOther, 1));
  service.submit(fourth.task(kSmall, 2, 20));
  door.opened.set_value();
  EXPECT_EQ(first.promise.get_future().get().pictures.size(), 1u);
  const Made made = second.promise.get_future().get();
  EXPECT_EQ(made.pictures.size(), 3u);
  EXPECT_EQ(third.promise.get_future().get().pictures.size(), 1u);
  const Made last = fourth.promise.get_future().get();
  ASSERT_EQ(last.pictures.size(), 2u);
  EXPECT_NE(last.pictures[0], last.pictures[1]);
  EXPECT_EQ(model.batches, 4) << "kOther; kSmall 3 + 1; kOther; the last kSmall";
  EXPECT_EQ(service.load().pictures, 7);
}

TEST(Generation, PicturesDoNotDependOnTheBatch) {
  FakeModel model;
  std::vector<picture::Picture> alone;
  for (const int batch : {1, 3, 8}) {
    GenerationService service(model, {.queue_max = 8, .batch_max = batch});
    Outcome outcome;
    service.submit(outcome.task(kSmall, 5));
    const auto pictures = outcome.promise.get_future().get().pictures;
    if (alone.empty()) alone = pictures;
    EXPECT_EQ(pictures, alone);
  }
}

TEST(Generation, AFullQueueSaysSo) {
  FakeModel model;
  Door door;
  model.before_batch = [&] { door.open.wait(); };
  GenerationService service(model, {.queue_max = 2, .batch_max = 1});
  Outcome running, waiting[2], refused;
  service.submit(running.task(kSmall, 1));
  while (service.load().running == 0) std::this_thread::sleep_for(1ms);
  for (Outcome& outcome : waiting) service.submit(outcome.task(kSmall, 1));
  EXPECT_ERROR(service.submit(refused.task(kSmall, 1)), Code::busy, "queue is full");
  door.opened.set_value();
  for (Outcome& outcome : waiting) outcome.promise.get_future().get();
}

TEST(Generation, WhoHasGoneTakesNobodysPlace) {
  FakeModel model;
  Door door;
  model.before_batch = [&] { door.open.wait(); };
  GenerationService service(model, {.queue_max = 1, .batch_max = 1});
  Outcome running, gone, next;
  service.submit(running.task(kSmall, 1));
  while (service.load().running == 0) std::this_thread::sleep_for(1ms);
  GenerationTask left = gone.task(kSmall, 1);
  left.abandoned = [] { return true; };
  service.submit(std::move(left));
  service.submit(next.task(kSmall, 1));
  EXPECT_ERROR(gone.promise.get_future().get(), Code::cancelled, "nobody waits");
  door.opened.set_value();
  EXPECT_EQ(next.promise.get_future().get().pictures.size(), 1u);
}

TEST(Generation, StoppingAnswersWhoWaits) {
  FakeModel model;
  Door door;
  model.before_batch = [&] { door.open.wait(); };
  GenerationService service(model, {.queue_max = 8, .batch_max = 1});
  Outcome running, waiting;
  service.submit(running.task(kSmall, 1));
  while (service.load().running == 0) std::this_thread::sleep_for(1ms);
  service.submit(waiting.task(kSmall, 1));
  std::thread opens([&] {
    std::this_thread::sleep_for(50ms);
    door.opened.set_value();
  });
  service.stop();
  opens.join();
  EXPECT_EQ(running.promise.get_future().get().pictures.size(), 1u);
  EXPECT_ERROR(waiting.promise.get_future().get(), Code::unavailable, "stopping");
  EXPECT_ERROR(service.submit(Outcome().task(kSmall, 1)), Code::unavailable, "stopping");
}

TEST(Generation, StoppingDoesNotWaitForEver) {
  FakeModel model;
  model.before_step = [](int) { std::this_thread::sleep_for(5ms); };
  GenerationService service(model, {.queue_max = 8, .batch_max = 1, .grace = 20ms});
  Outcome running;
  Sampling endless = kSmall;
  endless.steps = 1'000'000;
  GenerationTask two = running.task(endless, 2);  // the second still waits when the first is given up
  int failures = 0;
  two.failed = [&, failed = std::move(two.failed)](const Error& error) { failures++ == 0 ? failed(error) : void(); };
  service.submit(std::move(two));
  while (model.steps == 0) std::this_thread::sleep_for(1ms);
  service.stop();
  EXPECT_ERROR(running.promise.get_future().get(), Code::unavailable, "stopping");
  EXPECT_EQ(failures, 1);
}

TEST(Generation, WhatNobodyWaitsForIsLeftUndone) {
  FakeModel model;
  std::atomic<bool> gone = false;
  model.before_step = [&](int step) { gone = step == 2; };
  GenerationService service(model, {.queue_max = 8, .batch_max = 2});
  Outcome leaving, staying, shared;
  GenerationTask left = leaving.task(kSmall, 2);
  left.abandoned = [&] { return gone.load(); };
  service.submit(std::move(left));
  EXPECT_ERROR(leaving.promise.get_future().get(), Code::cancelled, "nobody waits");
  EXPECT_EQ(model.steps, 2);
  service.submit(staying.task(kSmall, 1));
  EXPECT_EQ(staying.promise.get_future().get().pictures.size(), 1u);

  Door door;  // one that leaves its queue is not begun, and one in company costs its company nothing
  model.before_batch = [&] { door.open.wait(); };
  Outcome first, queued, behind;
  const int batches = model.batches;
  service.submit(first.task(kSmall, 1));
  while (model.batches == batches) std::this_thread::sleep_for(1ms);
  GenerationTask never = queued.task(kSmall, 1);
  never.abandoned = [] { return true; };
  service.submit(std::move(never));
  service.submit(behind.task(kSmall, 1));
  door.opened.set_value();
  EXPECT_ERROR(queued.promise.get_future().get(), Code::cancelled, "nobody waits");
  EXPECT_EQ(behind.promise.get_future().get().pictures.size(), 1u);
  EXPECT_EQ(model.batches, batches + 2);
}

TEST(Generation, AFailureReachesItsRequestAlone) {
  FakeModel model;
  bool fail = true;
  model.before_batch = [&] {
    if (std::exchange(fail, false)) throw std::runtime_error("no memory");
  };
  GenerationService service(model, {.queue_max = 8, .batch_max = 1});
  Outcome failing, fine;
  service.submit(failing.task(kSmall, 2));
  EXPECT_ERROR(failing.promise.get_future().get(), Code::internal, "no memory");
  service.submit(fine.task(kSmall, 1));
  EXPECT_EQ(fine.promise.get_future().get().pictures.size(), 1u);
}

class GenerateRoute : public DaemonTest {
 protected:
  // A client that asks and is gone before the answer.
  struct HangingUp {
    HangingUp(const std::string& path, const std::string& target, const Json& body) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strcpy(address.sun_path, path.c_str());
      EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      const std::string text = body.dump(), request = "POST /api/v1/" + target +
                                                      " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                                      "Content-Length: " +
                                                      std::to_string(text.size()) + "\r\n\r\n" + text;
      EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    }
    HangingUp(const HangingUp&) = delete;
    ~HangingUp() { ::close(fd); }
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  };
};

TEST_F(GenerateRoute, AFullQueueIs429) {
  Door door;
  before_batch_ = [&] { door.open.wait(); };
  config_.queue_max = 1;
  start();
  std::vector<std::thread> asking;
  const auto ask = [&] { asking.emplace_back([this] { EXPECT_EQ(generate("a kettle").images.size(), 1u); }); };
  ask();
  while (status().queue.running == 0) std::this_thread::sleep_for(5ms);
  ask();
  while (status().queue.waiting == 0) std::this_thread::sleep_for(5ms);
  const auto [code, error] = refused("generate", {{"prompt", "a kettle"}});
  EXPECT_EQ(code, 429);
  EXPECT_EQ(error.code, "busy");
  door.opened.set_value();
  for (std::thread& thread : asking) thread.join();
  EXPECT_EQ(status().queue.pictures, 2);
}

TEST_F(GenerateRoute, HangingUpEndsTheWork) {
  std::atomic<int> step = 0;
  before_step_ = [&](int now) { step = now, std::this_thread::sleep_for(2ms); };
  start();
  {
    const HangingUp caller(config_.socket, "generate", {{"prompt", "a kettle"}, {"steps", 200}, {"count", 16}});
    while (step < 3) std::this_thread::sleep_for(1ms);
  }
  while (status().queue.running > 0) std::this_thread::sleep_for(5ms);
  EXPECT_LT(step, 190);
  EXPECT_EQ(status().queue.pictures, 0);
  EXPECT_EQ(generate("a kettle").images.size(), 1u);
}

TEST_F(GenerateRoute, ARequestIsBoundedInWhatItCosts) {
  start();
  const auto [code, error] = refused("generate", {{"prompt", "a"}, {"width", 2048}, {"height", 2048}});
  EXPECT_EQ(code, 422);
  EXPECT_EQ(error.field, "width");
  EXPECT_THAT(error.message, HasSubstr("4096"));
  EXPECT_EQ(status().queue.pictures, 0);
}

TEST_F(GenerateRoute, SaysWhatItIgnoresAndRefusesTheRest) {
  start();
  EXPECT_THAT(generate("a floccinaucinihilipilification on the beach").warnings[0], HasSubstr("floccinau"));
  EXPECT_THAT(generate("a kettle on the beach " + std::string(200, '.')).warnings[0], HasSubstr("longer than"));
  EXPECT_EQ(refused("generate", {{"prompt", "a"}, {"sampler", "magic"}}).second.field, "sampler");
  EXPECT_EQ(refused("generate", {{"prompt", "a"}, {"steps", 0}}).second.field, "steps");
  EXPECT_EQ(refused("generate", {{"prompt", "a"}, {"negative_prompt", "<x>"}}).second.field, "negative_prompt");
  EXPECT_EQ(refused("generate", {{"promt", "a"}}).second.field, "prompt");
  const auto several = api::decode_answer<api::GenerateResponse>(
      client().post("generate", {{"prompt", "a kettle"}, {"seed", 5}, {"count", 3}, {"width", 32}}));
  ASSERT_EQ(several.images.size(), 3u);
  EXPECT_EQ(several.images[2].seed, 7);
  EXPECT_EQ(picture::inspect(several.images[0].png.data).width, 32);
  const std::int64_t chosen = generate("a kettle").images[0].seed;
  EXPECT_EQ(chosen, 42);
}

// Outside the model, where no batch is there that an exception could be told to.
TEST(Generation, WhatThrowsBetweenTwoBatchesCostsOneRequest) {
  FakeModel model;
  Door door;
  model.before_batch = [&] { door.open.wait(); };
  GenerationService service(model, {.queue_max = 8, .batch_max = 1});
  Outcome running, failing, after;
  service.submit(running.task(kSmall, 1));
  while (service.load().running == 0) std::this_thread::sleep_for(1ms);
  GenerationTask task = failing.task(kSmall, 1);
  task.abandoned = []() -> bool { throw std::bad_alloc(); };
  service.submit(std::move(task));
  service.submit(after.task(kSmall, 1));
  door.opened.set_value();
  EXPECT_EQ(running.promise.get_future().get().pictures.size(), 1u);
  EXPECT_ERROR(failing.promise.get_future().get(), Code::unavailable, "making pictures: ");
  EXPECT_EQ(after.promise.get_future().get().pictures.size(), 1u);
}

}  // namespace
}  // namespace conceptd::daemon::test
