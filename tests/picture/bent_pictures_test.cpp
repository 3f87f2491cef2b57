// Goal: a picture that is right in form and wrong in measure is refused by what is wrong with it, or shown as it looks,
// in bounded time; rows 13 to 19 of docs/reliability.md.
#include "tests/support/bent_pictures.h"

#include <algorithm>
#include <chrono>

#include "core/picture/metadata.h"
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

TEST(Metadata, GoesAndThePictureStays) {
  const Picture shown = plain(64, 64, 90);
  const std::string jpeg = jpeg_of(shown), png = encode_png(shown), webp = webp_of(shown);
  const std::string talkative = with_talkative_exif(jpeg) + "what a phone hangs behind it";
  const std::string kept = without_metadata(talkative, Format::jpeg);
  EXPECT_EQ(kept.find("GPS"), kept.npos);
  EXPECT_LT(kept.size(), jpeg.size() + 64) << "of EXIF the orientation at most";
  EXPECT_FALSE(facts_of(kept).has_position);
  EXPECT_EQ(decode(kept), decode(talkative));
  const std::string progressive = jpeg_of(shown, true);
  EXPECT_EQ(decode(without_metadata(progressive, Format::jpeg)), decode(progressive)) << "segments between scans stay";
  EXPECT_EQ(without_metadata(png, Format::png), png) << "byte for byte, where there is none";
  EXPECT_EQ(without_metadata(with_chunks(png, "tEXt", "Author\0Alice"s, 3) + "more", Format::png), png);
  EXPECT_EQ(without_metadata(webp, Format::webp), webp);
  EXPECT_EQ(without_metadata(webp + "XMP \x04\0\0\0abcd"s, Format::webp), webp);
  for (const auto& bent : {png_of_16_bits(64), png_of_grey_and_alpha(64), png_with_a_palette(64)})
    EXPECT_EQ(decode(without_metadata(bent, Format::png)), decode(bent));
}

TEST(Metadata, HowAPictureIsTurnedIsNone) {
  Picture halves = plain(64, 32, 0);
  std::fill(halves.rgb.begin() + 3 * 64 * 16, halves.rgb.end(), std::uint8_t{200});
  const std::string tiff = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"s;
  const std::string plain_jpeg = jpeg_of(halves);
  const std::string jpeg = plain_jpeg.substr(0, 2) + "\xff\xe1\0\x22"s + "Exif\0\0"s + tiff + plain_jpeg.substr(2);
  const std::string png = with_chunks(encode_png(halves), "eXIf", tiff);
  const std::string webp = webp_of(halves) + "EXIF\x1a\0\0\0"s + tiff;
  for (const auto& [bytes, format] : {std::pair{jpeg, Format::jpeg}, {png, Format::png}, {webp, Format::webp}}) {
    const Picture turned = decode(bytes);
    ASSERT_EQ(turned.width, 32) << to_string(format);
    const std::string kept = without_metadata(bytes, format);
    EXPECT_EQ(decode(kept), turned) << to_string(format);
    EXPECT_EQ(without_metadata(kept, format), kept) << to_string(format);
  }
}

TEST(Metadata, OfWhatDoesNotAddUpIsRefused) {
  const std::string jpeg = jpeg_of(plain(64, 64, 90)), png = encode_png(plain(8, 8, 1));
  EXPECT_ERROR(without_metadata(jpeg.substr(0, jpeg.size() - 2), Format::jpeg), Code::invalid, "do not add up");
  EXPECT_ERROR(without_metadata(jpeg.substr(0, 10), Format::jpeg), Code::invalid, "do not add up");
  EXPECT_ERROR(without_metadata(png.substr(0, png.size() - 20), Format::png), Code::invalid, "do not add up");
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
