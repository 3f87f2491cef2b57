// Goal: a picture that is right in form and wrong in measure is refused by what is wrong with it, or shown as it looks,
// in bounded time; rows 13 to 19 of docs/reliability.md.
#include "tests/support/bent_pictures.h"

#include <chrono>

#include "core/picture/photo_facts.h"
#include "tests/support/expect_error.h"

namespace conceptd::picture {
namespace {

using namespace conceptd::test;
using namespace std::string_literals;

Picture plain(int width, int height, std::uint8_t shade) {
  return {
      .width = width,
      .height = height,
      .rgb = std::vector<std::uint8_t>(3 * static_cast<std::size_t>(width) * static_cast<std::size_t>(height), shade)};
}

std::array<int, 3> pixel(const Picture& picture, int x, int y) {
  const auto at = 3 * static_cast<std::size_t>(y * picture.width + x);
  return {picture.rgb.at(at), picture.rgb.at(at + 1), picture.rgb.at(at + 2)};
}

// Seconds that it took.
double seconds_to(const std::function<void()>& run) {
  const auto begin = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

constexpr double kBounded = 20;  // on a machine that is busy with other things

TEST(BentPictures, BombsAreRefusedByTheirHeaders) {
  EXPECT_ERROR(decode(huge_png(30'000, 30'000)), Code::invalid, "30000x30000");
  EXPECT_ERROR(decode(huge_png(8192, 8192)), Code::invalid, "40 million");
  EXPECT_ERROR(decode(huge_png(0, 64)), Code::invalid, "0x64");
  EXPECT_ERROR(decode(huge_png(-1, 64)), Code::invalid, "makes no sense");
  EXPECT_ERROR(decode(huge_lossless_webp()), Code::invalid, "16383x16383");
}

TEST(BentPictures, ChunksOfAPngAreBounded) {
  const std::string png = encode_png(plain(64, 64, 90));
  const std::string bomb = deflated_zeros(100u << 20);
  EXPECT_LT(bomb.size(), 200'000u);
  const auto taken = [&](const std::string& bytes) { return decode(bytes) == plain(64, 64, 90); };
  EXPECT_LT(seconds_to([&] { EXPECT_TRUE(taken(with_chunks(png, "zTXt", bomb))); }), kBounded);
  EXPECT_LT(seconds_to([&] { EXPECT_TRUE(taken(with_chunks(png, "iCCP", bomb))); }), kBounded);
  EXPECT_LT(seconds_to([&] { EXPECT_TRUE(taken(with_chunks(png, "tEXt", "k\0v"s, 50'000))); }), kBounded);
  EXPECT_LT(seconds_to([&] { EXPECT_TRUE(taken(with_chunks(png, "abCd", "", 50'000))); }), kBounded);
}

TEST(BentPictures, AChunkIsNotBelievedBeyondTheFile) {
  std::string bytes = with_chunks(encode_png(plain(64, 64, 90)), "eXIf", std::string(64, 'x'));
  bytes[33] = '\x52';  // of 1.3 GB, by its own word
  EXPECT_ERROR(decode(bytes), Code::invalid, "ends inside a chunk");
}

TEST(BentPictures, AnAnimatedPngIsItsFirstPicture) {
  std::string apng = with_chunks(encode_png(plain(64, 64, 90)), "acTL", "\0\0\x27\x10\0\0\0\0"s);
  for (int i = 0; i < 100; ++i) apng = with_chunks(apng, "fcTL", std::string(26, '\0'));
  EXPECT_EQ(decode(apng), plain(64, 64, 90));
}

TEST(BentPictures, JpegsOfOtherKindsAreRefused) {
  EXPECT_NO_THROW(decode(jpeg_with_scans(1)));
  EXPECT_LT(seconds_to([] { EXPECT_ERROR(decode(jpeg_with_scans(10'000)), Code::invalid, "damaged"); }), kBounded);
  EXPECT_ERROR(decode(cmyk_jpeg()), Code::invalid, "CMYK, for print");
  EXPECT_ERROR(decode(jpeg_with_frame('\xc0', 12)), Code::invalid, "damaged");
  EXPECT_ERROR(decode(jpeg_with_frame('\xc3', 8)), Code::invalid, "damaged");
  const std::string whole = jpeg_of(plain(64, 64, 90));
  for (std::size_t cut = 3; cut < whole.size(); cut += 7) EXPECT_ERROR(decode(whole.substr(0, cut)), Code::invalid, "");
}

TEST(BentPictures, AnAnimatedWebpIsRefused) { EXPECT_ERROR(decode(animated_webp()), Code::invalid, "an animation"); }

TEST(BentPictures, OtherFilesAreNamedWhateverTheyAreCalled) {
  const std::pair<std::string, const char*> cases[] = {{"GIF89a"s, "a GIF"},
                                                       {"BM\x36"s, "a BMP"},
                                                       {"II*\0\x08"s, "a TIFF"},
                                                       {"MM\0*\0"s, "a TIFF"},
                                                       {"\0\0\0\x1c"s + "ftypavif", "an AVIF"},
                                                       {"\0\0\0\x1c"s + "ftypheic", "a HEIF"},
                                                       {"\0\0\0\x1c"s + "ftypmif1", "a HEIF"},
                                                       {"\0\0\0\x1c"s + "ftypisom", "a video"},
                                                       {"8BPS\0\x01"s, "a PSD"},
                                                       {"%PDF-1.7"s, "a PDF"},
                                                       {"<svg/>"s, "SVG"},
                                                       {"\n <?xml version"s, "SVG"},
                                                       {"PK\x03\x04"s, "a ZIP"},
                                                       {"\x80\x04\x95"s, "a pickle"},
                                                       {"RIFF\0\0\0\0WAVE"s, "something unknown"}};
  for (const auto& [bytes, name] : cases) EXPECT_ERROR(decode(bytes), Code::invalid, name);
}

TEST(BentPictures, EveryKindOfPngLooksAsItShould) {
  EXPECT_EQ(pixel(decode(png_of_16_bits(64)), 0, 0), (std::array{255, 255, 255}));
  EXPECT_NEAR(pixel(decode(png_of_16_bits(64)), 63, 0)[1], 127, 3) << "linear 0.21 is mid-grey in sRGB";
  EXPECT_EQ(pixel(decode(png_of_grey_and_alpha(64)), 0, 0), (std::array{0, 0, 0}));
  EXPECT_EQ(pixel(decode(png_of_grey_and_alpha(64)), 63, 0), (std::array{255, 255, 255})) << "on white";
  EXPECT_EQ(pixel(decode(png_with_a_palette(64)), 0, 0), (std::array{255, 0, 0}));
  EXPECT_EQ(pixel(decode(png_with_a_palette(64)), 63, 0), (std::array{255, 255, 255}));
}

TEST(BentPictures, MetadataIsSeenAndGoesNoFurther) {
  const std::string talkative = with_talkative_exif(jpeg_of(plain(64, 64, 90)));
  EXPECT_EQ(decode(talkative), decode(jpeg_of(plain(64, 64, 90))));
  EXPECT_TRUE(facts_of(talkative).has_position);
  EXPECT_FALSE(facts_of(jpeg_of(plain(64, 64, 90))).has_position);
}

TEST(BentPictures, SidesAreJudged) {
  const Limits limits{.side_min = 64};
  EXPECT_ERROR(facts_of(encode_png(plain(1, 1, 0)), limits), Code::invalid, "1x1");
  EXPECT_ERROR(facts_of(encode_png(plain(5000, 40, 0)), limits), Code::invalid, "5000x40");
  EXPECT_EQ(facts_of(encode_png(plain(1, 1, 7))).brightness, 7) << "where the limits allow it";
}

TEST(PhotoFacts, TellWhatAPhotoShows) {
  EXPECT_EQ(facts_of(encode_png(plain(64, 64, 0))).brightness, 0);
  EXPECT_EQ(facts_of(encode_png(plain(64, 64, 0))).contrast, 0);
  Picture halves = plain(64, 64, 0);
  for (std::size_t i = halves.rgb.size() / 2; i < halves.rgb.size(); ++i) halves.rgb[i] = 200;
  EXPECT_NEAR(facts_of(encode_png(halves)).brightness, 100, .01);
  EXPECT_NEAR(facts_of(encode_png(halves)).contrast, 100, .01);
}

TEST(PhotoFacts, TheOutlineOutlivesSizeFormatAndExposure) {
  const auto blobs = [](int side, int seed, int brighter) {
    Picture picture{.width = side, .height = side};
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        const int area = (x * 9 / side * 37 + y * 8 / side * 101) * (2 * seed + 1) % 151;
        picture.rgb.insert(picture.rgb.end(), 3, static_cast<std::uint8_t>(area + brighter));
      }
    return picture;
  };
  const std::uint64_t outline = facts_of(encode_png(blobs(72, 1, 0))).outline;
  EXPECT_LE(difference(outline, facts_of(encode_png(blobs(144, 1, 0))).outline), 2);
  EXPECT_LE(difference(outline, facts_of(encode_png(blobs(72, 1, 60))).outline), 2);
  EXPECT_LE(difference(outline, facts_of(jpeg_of(blobs(144, 1, 20))).outline), 4);
  EXPECT_GT(difference(outline, facts_of(encode_png(blobs(72, 4, 0))).outline), 10);
}

}  // namespace
}  // namespace conceptd::picture
