// Goal: a message arrives whole or is seen to be damaged, wherever the other process died.
#include "daemon/frames.h"

#include <sys/socket.h>

#include <algorithm>
#include <thread>

#include "daemon/worker_messages.h"
#include "tests/support/expect_error.h"

namespace conceptd::daemon {
namespace {

using namespace std::chrono_literals;

TEST(Frames, ArriveAsSent) {
  ChannelPair pair = make_channels();
  const std::string large(3 << 20, 'x');
  std::thread sends([&] {
    pair.theirs.send("one");
    pair.theirs.send("");
    pair.theirs.send(large);
  });
  std::string got;
  for (const std::string& expected : {std::string("one"), std::string(), large}) {
    ASSERT_EQ(pair.ours.receive(got, 5s), Received::message);
    EXPECT_EQ(got, expected);
  }
  sends.join();
  EXPECT_EQ(pair.ours.receive(got, 10ms), Received::timeout);
}

TEST(Frames, CutAnywhereAreSeen) {
  std::string frame;
  {
    ChannelPair pair = make_channels();
    pair.theirs.send("payload");
    frame.resize(64);
    frame.resize(static_cast<std::size_t>(::recv(pair.ours.fd(), frame.data(), frame.size(), 0)));
  }
  for (std::size_t cut = 0; cut <= frame.size(); ++cut) {
    ChannelPair pair = make_channels();
    ::send(pair.theirs.fd(), frame.data(), cut, 0);
    ::shutdown(pair.theirs.fd(), SHUT_WR);
    std::string got;
    if (cut == 0) {
      EXPECT_EQ(pair.ours.receive(got, 1s), Received::closed);
    } else if (cut == frame.size()) {
      EXPECT_EQ(pair.ours.receive(got, 1s), Received::message);
    } else {
      EXPECT_ERROR(pair.ours.receive(got, 1s), Code::corrupt, "middle of a frame");
    }
  }
  for (std::size_t at = 0; at < frame.size(); ++at) {
    ChannelPair pair = make_channels();
    std::string bent = frame;
    bent[at] = static_cast<char>(bent[at] ^ 0x80);
    ::send(pair.theirs.fd(), bent.data(), bent.size(), 0);
    ::shutdown(pair.theirs.fd(), SHUT_WR);
    std::string got;
    EXPECT_ERROR(pair.ours.receive(got, 1s), Code::corrupt, "");
  }
}

TEST(Frames, TheOtherSideGoneIsAnError) {
  ChannelPair pair = make_channels();
  { const FrameChannel gone = std::move(pair.theirs); }
  EXPECT_ERROR(pair.ours.send("hello"), Code::unavailable, "speaking");
}

TEST(WorkerMessages, ComeBackAsTheyWere) {
  const LearnOrder order{.job = 7,
                         .name = "kettle-7",
                         .class_word = "kettle",
                         .method = "perfusion",
                         .settings = "{}",
                         .seed = ~0ull,
                         .photos = {"one", std::string("t\0o", 3)},
                         .base_folder = "/base",
                         .base_fingerprint = "ab",
                         .dtype = "bf16",
                         .threads = 2,
                         .published = "what is live"};
  const auto back = std::get<LearnOrder>(unpack_to_worker(pack(ToWorker(order))));
  EXPECT_EQ(back.photos, order.photos);
  EXPECT_EQ(back.seed, order.seed);
  EXPECT_EQ(back.threads, 2);
  EXPECT_EQ(back.published, "what is live");
  EXPECT_EQ(std::get<Control>(unpack_to_worker(pack(ToWorker(Control::cancel)))), Control::cancel);
  const auto result = std::get<WorkerResult>(unpack_from_worker(
      pack(FromWorker(WorkerResult{.delta = "d", .accepted = false, .verdict_reason = "too little"}))));
  EXPECT_FALSE(result.accepted);
  EXPECT_EQ(result.verdict_reason, "too little");
  const auto failure =
      std::get<WorkerFailure>(unpack_from_worker(pack(FromWorker(WorkerFailure{"invalid", "no", "steps"}))));
  EXPECT_EQ(failure.field, "steps");
}

TEST(WorkerMessages, DamagedOnesAreRefused) {
  const std::string whole = pack(FromWorker(WorkerResult{"delta", "{}", "{}"}));
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_ERROR(unpack_from_worker(whole.substr(0, cut)), Code::corrupt, "does not add up");
  EXPECT_ERROR(unpack_from_worker(std::string(40, '\xff')), Code::corrupt, "does not add up");
}

TEST(WorkerMessages, FlagsAreNoughtOrOne) {
  const std::string yes = pack(FromWorker(WorkerResult{.accepted = true}));
  const std::string no = pack(FromWorker(WorkerResult{.accepted = false}));
  ASSERT_EQ(yes.size(), no.size());
  std::string bent = yes;
  bent[static_cast<std::size_t>(std::mismatch(yes.begin(), yes.end(), no.begin()).first - yes.begin())] = '\x10';
  EXPECT_ERROR(unpack_from_worker(bent), Code::corrupt, "a flag is 16");
}

TEST(WorkerMessages, ClaimsAreNotBelievedBeforeTheBytesAreThere) {
  const std::string whole = pack(ToWorker(LearnOrder{.name = "kettle-7", .photos = {"one"}}));
  for (std::size_t at = 0; at + 8 <= whole.size(); ++at) {
    std::string bent = whole;
    bent.replace(at, 8, std::string(7, '\0') + '\x10');  // 2^60, little-endian
    try {
      unpack_to_worker(bent);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::corrupt) << at;
    }
  }
  EXPECT_ERROR(unpack_to_worker(pack(ToWorker(LearnOrder{.photos = std::vector<std::string>(100'001)}))), Code::corrupt,
               "lists 100001 items");
}

TEST(Frames, MayBeBoundedBelowTheDefault) {
  ChannelPair pair = make_channels(100);
  std::string got;
  pair.theirs.send(std::string(100, 'x'));
  EXPECT_EQ(pair.ours.receive(got, 1s), Received::message);
  pair.theirs.send(std::string(101, 'x'));
  EXPECT_ERROR(pair.ours.receive(got, 1s), Code::corrupt, "too large");
}

}  // namespace
}  // namespace conceptd::daemon
