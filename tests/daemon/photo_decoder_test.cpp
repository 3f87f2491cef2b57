// Goal: whatever a photo does to the process that decodes it, the request gets an error that says so, and nothing else
// changes. Method: the real child process around codecs that crash, hang, grow and pry when a photo asks them to.
#include "daemon/photo_decoder.h"

#include <fcntl.h>
#include <unistd.h>

#include "daemon/confine.h"
#include "daemon/decode_messages.h"
#include "tests/daemon/bad_input_fixture.h"

namespace conceptd::daemon::test {
namespace {

DecoderSettings real() { return {.command = {CONCEPTD_DECODE_PROGRAM}}; }
DecoderSettings fake(std::chrono::milliseconds patience = 30s) {
  return {.command = {CONCEPTD_FAKE_DECODER, "2"}, .photo_timeout = patience};
}

TEST(PhotoDecoder, SaysWhatAPhotoIs) {
  PhotoDecoder decoder(real());
  const picture::PhotoFacts facts = decoder.examine(photo(1));
  EXPECT_EQ(facts.info.format, picture::Format::png);
  EXPECT_EQ(facts.info.width, 64);
  EXPECT_EQ(facts.outline, picture::facts_of(photo(1)).outline);
  EXPECT_ERROR(decoder.examine("GIF89a"), Code::invalid, "it is a GIF");
  EXPECT_ERROR(decoder.examine(""), Code::invalid, "an empty file");
  EXPECT_EQ(decoder.examine(photo(2)).info.height, 64) << "a refused photo costs the next one nothing";
}

TEST(PhotoDecoder, HoldsTheLimits) {
  DecoderSettings settings = real();
  settings.limits = {.side_min = 64, .side_max = 100};
  PhotoDecoder decoder(settings);
  EXPECT_ERROR(decoder.examine(photo(1, 63)), Code::invalid, "63x63");
  EXPECT_ERROR(decoder.examine(photo(1, 101)), Code::invalid, "101x101");
  EXPECT_EQ(decoder.examine(photo(1, 100)).info.width, 100);
}

// The largest that the limits allow, in the format whose decoder needs most.
TEST(PhotoDecoder, HasRoomForTheLargestPhoto) {
  PhotoDecoder decoder(real());
  EXPECT_EQ(decoder.examine(large_progressive_jpeg(8192, 4882)).info.width, 8192);
}

TEST(PhotoDecoder, ACrashIsAnErrorOfThatPhoto) {
  const std::pair<const char*, const char*> cases[] = {{"crash", "killed by signal 11"},
                                                       {"leave", "it ended with status 3"},
                                                       {"garbage", "said nonsense"},
                                                       {"lie", "said nonsense"}};
  for (const auto& [what, says] : cases) {
    PhotoDecoder decoder(fake());
    EXPECT_NO_THROW(decoder.examine(photo(1)));
    EXPECT_ERROR(decoder.examine(photo_that(what)), Code::invalid, says);
    EXPECT_ERROR(decoder.examine(photo(1)), Code::internal, "gone");
  }
}

TEST(PhotoDecoder, TimeAndCpuAreBounded) {
  PhotoDecoder slow(fake(500ms));
  EXPECT_ERROR(slow.examine(photo_that("spin")), Code::invalid, "it took longer than");
  PhotoDecoder busy(fake());
  EXPECT_ERROR(busy.examine(photo_that("spin")), Code::invalid, "killed by signal");
}

TEST(PhotoDecoder, MemoryIsBounded) {
  if (!kConfinesMemory) GTEST_SKIP() << "a sanitizer needs the address space";
  PhotoDecoder decoder(fake());
  EXPECT_ERROR(decoder.examine(photo_that("eat")), Code::invalid, "more memory than a photo may");
  EXPECT_NO_THROW(decoder.examine(photo(1)));
}

TEST(PhotoDecoder, MayDoNothingElse) {
  for (const char* what : {"open", "connect", "fork"}) {
    PhotoDecoder decoder(fake());
    if (std::string_view(what) == "fork" && !confines_system_calls() && ::geteuid() == 0) continue;  // root may
    EXPECT_ERROR(decoder.examine(photo_that(what)), Code::invalid, confines_system_calls() ? "signal 31" : "no");
  }
}

TEST(PhotoDecoder, InheritsNothing) {
  const int open = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC, as a library might
  const int high = ::fcntl(open, F_DUPFD, 200);
  const auto descriptors = [] {
    std::size_t count = 0;
    for (const pid_t pid : children())
      if (std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe").filename() == "conceptd-decode")
        for ([[maybe_unused]] const auto& entry :
             std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
          ++count;
    return count;
  };
  PhotoDecoder decoder(real());
  EXPECT_EQ(descriptors(), 4u) << "stdin, stdout, stderr and the channel";
  ::close(open), ::close(high);
}

TEST(PhotoDecoder, ThatCannotBeUsedSaysSo) {
  EXPECT_ERROR(PhotoDecoder({.command = {"/nowhere/conceptd-decode"}}), Code::unavailable, "/nowhere/conceptd-decode");
  for (int race = 0; race < 100; ++race)  // it ends before it is spoken to, or after
    EXPECT_ERROR(PhotoDecoder({.command = {"/bin/false"}}), Code::unavailable, "it ended with status 1");
  EXPECT_ERROR(PhotoDecoder({.command = {"/bin/sleep", "60"}, .start_timeout = 100ms}), Code::unavailable,
               "killed by signal 9");
}

TEST(PhotoDecoder, IsFoundBesideTheProgramOrInstalled) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "usr/bin");
  std::filesystem::create_directories(folder / "usr/libexec/conceptd");
  std::filesystem::create_directory_symlink(folder / "usr/bin", folder / "bin");
  const std::filesystem::path program = folder / "bin/conceptd", usr = std::filesystem::canonical(folder / "usr");
  plant(folder / "usr/bin/conceptd", "");
  EXPECT_ERROR(find_decode_program(program), Code::unavailable, "install conceptd again");
  plant(folder / "usr/libexec/conceptd/conceptd-decode", "");
  EXPECT_EQ(find_decode_program(program), usr / "libexec/conceptd/conceptd-decode");
  plant(folder / "usr/bin/conceptd-decode", "");
  EXPECT_EQ(find_decode_program(program), usr / "bin/conceptd-decode");
}

TEST(DecodeMessages, NonsenseIsRefused) {
  const picture::Limits limits{.side_min = 8, .side_max = 64};
  const Json good = Json::parse(pack(picture::PhotoFacts{.info = {.width = 64, .height = 8}}));
  const auto with = [&](const char* name, const Json& value) {
    Json bent = good;
    bent[name] = value;
    return bent.dump();
  };
  EXPECT_EQ(std::get<picture::PhotoFacts>(unpack_decode_answer(good.dump(), limits)).info.width, 64);
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{"), std::string("{}"), std::string(5000, ' '),
        with("width", 65), with("height", 7), with("width", "64"), with("format", "GIF"), with("format", 1),
        with("brightness", -1), with("contrast", 1e300), with("outline", -1), with("has_position", 1),
        with("refused", 5)}) {
    SCOPED_TRACE(text);
    EXPECT_ERROR(unpack_decode_answer(text, limits), Code::corrupt, "does not add up");
  }
  EXPECT_EQ(std::get<PhotoRefused>(unpack_decode_answer("{\"refused\":\"a\\u001b[2J\xc3\xa9\"}", limits)).message,
            "a?[2J??");
  EXPECT_ERROR(unpack_limits("{\"side_min\":0}"), Code::corrupt, "does not add up");
}

class DecodingDaemon : public BadInputTest {};

TEST_F(DecodingDaemon, LivesWhenAPhotoCrashesItsDecoder) {
  decoder_ = CONCEPTD_FAKE_DECODER;
  start();
  add_and_learn("kettle-7");
  const std::string before = everything_stored();
  api::AddConcept request = request_for("mug-2");
  request.photos[1].data.data = photo_that("crash");
  const auto [code, error] = refused("concepts", api::encode(request));
  EXPECT_EQ(code, 422);
  EXPECT_EQ(error.field, "photos[1]");
  EXPECT_THAT(error.message, HasSubstr("photos[1] (1.png): decoding it failed hard (it was killed by signal 11"));
  EXPECT_EQ(everything_stored(), before);
  add_and_learn("mug-2");
}

TEST_F(DecodingDaemon, DoesNotStartWithoutItsDecoder) {
  decoder_ = "/nowhere/conceptd-decode";
  EXPECT_ERROR(start(), Code::unavailable, "/nowhere/conceptd-decode");
  stop();
}

}  // namespace
}  // namespace conceptd::daemon::test
