// Goal: photos from strangers, through the whole daemon: what is no photo is refused by its number, leaves no trace,
// and what teaches little is taken with a warning; rows 13 to 20 of docs/reliability.md.
#include "daemon/photo_checks.h"
#include "tests/daemon/bad_input_fixture.h"

namespace conceptd::daemon::test {
namespace {

using namespace std::string_literals;

class BadPhotos : public BadInputTest {
 protected:
  BadPhotos() {
    start();
    add_and_learn("kettle-7");
  }
  void expect_photo_refused(const std::string& bytes, const std::string& says) {
    api::AddConcept request = request_for("mug-2");
    request.photos[1] = {.name = "innocent.jpg", .data = {bytes}};
    expect_refused("concepts", api::encode(request), 422, "photos[1]", says);
  }
  static std::vector<std::string> good(const std::string& first) { return {first, photo(201), photo(202)}; }
};

TEST_F(BadPhotos, AreRefusedByTheirNumber) {
  expect_photo_refused(huge_png(30'000, 30'000), "photos[1] (innocent.jpg): it is 30000x30000");
  expect_photo_refused(huge_lossless_webp(), "16383x16383");
  expect_photo_refused(jpeg_with_scans(10'000), "the JPEG is damaged");
  expect_photo_refused(cmyk_jpeg(), "CMYK");
  expect_photo_refused(jpeg_with_frame('\xc0', 12), "the JPEG is damaged");
  expect_photo_refused(animated_webp(), "an animation");
  expect_photo_refused("GIF89a\1\0\1\0"s, "it is a GIF");
  expect_photo_refused("<svg onload=alert(1)>", "SVG");
  expect_photo_refused("PK\x03\x04", "a ZIP");
  expect_photo_refused(photo(1, 63), "63x63");
  expect_photo_refused(picture::encode_png(pattern(1, 5000, 40)), "5000x40");
  expect_photo_refused(picture::encode_png(pattern(1, 1, 1)), "1x1");
  expect_photo_refused(photo(1).substr(0, 60), "damaged");
  api::AddConcept twice = request_for("mug-2");
  twice.photos[2].data = twice.photos[0].data;
  expect_refused("concepts", api::encode(twice), 422, "photos[2]", "is the same picture as photos[0]");
}

TEST_F(BadPhotos, BombsInsideGoodOnesAreTaken) {
  EXPECT_TRUE(warnings_for("mug-2", good(with_chunks(photo(1), "zTXt", deflated_zeros(100u << 20)))).empty());
  EXPECT_THAT(warnings_for("mug-3", good(with_chunks(photo(2), "tEXt", "k\0v"s, 50'000))),
              testing::ElementsAre(HasSubstr("mug-2 has these photos too")));
}

TEST_F(BadPhotos, ThoseThatTeachLittleAreTakenWithAWarning) {
  const auto flat = [](int side, std::uint8_t shade) {
    picture::Picture picture{.width = side, .height = side};
    picture.rgb.assign(static_cast<std::size_t>(3 * side * side), shade);
    return picture::encode_png(picture);
  };
  EXPECT_THAT(warnings_for("a", {flat(64, 0), photo(1), photo(2)}),
              testing::ElementsAre(HasSubstr("photos[0] (0.jpg) is of one colour all over")));
  picture::Picture night = pattern(3);
  for (std::uint8_t& value : night.rgb) value = static_cast<std::uint8_t>(value / 16);
  EXPECT_THAT(warnings_for("b", {picture::encode_png(night), photo(4), photo(5)}),
              testing::ElementsAre(HasSubstr("photos[0] (0.jpg) is nearly black")));
  EXPECT_THAT(warnings_for("c", {picture::encode_png(pattern(6, 400, 100)), photo(7), photo(8)}),
              testing::ElementsAre(HasSubstr("is 400x100, and only the 100x100 in its middle")));
  EXPECT_THAT(warnings_for("d", {photo(9), photo(10), jpeg_of(pattern(9, 128, 128))}),
              testing::ElementsAre(HasSubstr("photos[2] (2.jpg) looks the same as photos[0] (0.jpg)")));
  EXPECT_THAT(
      warnings_for("e", {photo(11), with_talkative_exif(jpeg_of(pattern(12))), photo(13)}),
      testing::ElementsAre(HasSubstr("EXIF says where these were taken; that is not kept here, but the files have it: "
                                     "photos[1] (1.jpg)")));
  EXPECT_THAT(warnings_for("f", {photo(14)}), testing::ElementsAre(HasSubstr("three to five photos")));
}

TEST_F(BadPhotos, TheExamplesHaveNothingToWarnOf) {
  for (const char* name : {"kettle-7", "mascot"}) {
    std::vector<std::string> photos;
    const std::filesystem::path folder = std::filesystem::path(CONCEPTD_SOURCE_DIR) / "examples" / name;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) photos.push_back(contents(entry.path()));
    ASSERT_GE(photos.size(), 3u);
    EXPECT_THAT(warnings_for("example-"s + name, photos), testing::IsEmpty());
  }
}

TEST_F(BadPhotos, ManyRequestsAtOnceEachHaveTheirOwnDecoder) {
  std::vector<std::thread> asking;
  std::atomic<int> taken = 0, refusals = 0;
  for (int i = 0; i < 8; ++i)
    asking.emplace_back([&, i] {
      api::AddConcept request = request_for("many-" + std::to_string(i));
      request.dry_run = true;
      if (i % 2) request.photos[0].data.data = "hello";
      const cli::Reply reply = client().exchange("POST", "/api/v1/concepts", api::encode(request).dump(), 60s);
      ++(reply.status == 200 ? taken : refusals);
    });
  for (std::thread& thread : asking) thread.join();
  EXPECT_EQ(taken, 4);
  EXPECT_EQ(refusals, 4);
  EXPECT_TRUE(children().empty()) << "no decoder outlives its request";
}

}  // namespace
}  // namespace conceptd::daemon::test
