// Goal: a photo comes in as what it shows, whatever wraps it, and nothing else comes in at all. Method: pictures are
// written here with the codecs themselves, then bent byte by byte.
#include "core/picture/picture.h"

#include <zlib.h>

#include "tests/support/bent_pictures.h"
#include "tests/support/expect_error.h"

namespace conceptd::picture {
namespace {

using test::jpeg_of;
using test::webp_of;

// Four corners of four colours, so that any turn shows.
Picture corners(int width, int height) {
  Picture picture{.width = width, .height = height};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const bool right = 2 * x >= width, lower = 2 * y >= height;
      const std::uint8_t colours[4][3] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 0}};
      const auto* colour = colours[2 * lower + right];
      picture.rgb.insert(picture.rgb.end(), colour, colour + 3);
    }
  return picture;
}

// A JPEG with an EXIF segment that says only how it is turned.
std::string turned(const std::string& jpeg, char orientation, bool big_endian = false) {
  std::string tiff =
      big_endian
          ? std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19) + orientation + std::string(6, '\0')
          : std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 18) + orientation + std::string(7, '\0');
  const std::string data = std::string("Exif\0\0", 6) + tiff;
  const std::size_t length = data.size() + 2;
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(length >> 8) + static_cast<char>(length & 0xff) + data +
         jpeg.substr(2);
}

// "R", "G", "B" or "Y": what a corner shows, whatever a lossy codec did to it.
char corner(const Picture& picture, bool right, bool lower) {
  const int x = right ? picture.width - 2 : 1, y = lower ? picture.height - 2 : 1;
  const std::uint8_t* at = picture.rgb.data() + 3 * (y * picture.width + x);
  if (at[2] > 128) return 'B';
  return at[0] > 128 ? (at[1] > 128 ? 'Y' : 'R') : 'G';
}

std::string corners_of(const Picture& p) {
  return {corner(p, false, false), corner(p, true, false), corner(p, false, true), corner(p, true, true)};
}

TEST(Picture, IsKnownByItsFirstBytes) {
  const Picture picture = corners(32, 16);
  EXPECT_EQ(sniff(encode_png(picture)), Format::png);
  EXPECT_EQ(sniff(jpeg_of(picture)), Format::jpeg);
  EXPECT_EQ(sniff(webp_of(picture)), Format::webp);
  EXPECT_EQ(sniff("GIF89a"), std::nullopt);
  EXPECT_EQ(sniff(""), std::nullopt);
}

TEST(Picture, ComesBackAsItWentIn) {
  const Picture picture = corners(33, 17);
  EXPECT_EQ(decode(encode_png(picture)), picture);
  EXPECT_EQ(decode(webp_of(picture)), picture);
  EXPECT_EQ(corners_of(decode(jpeg_of(picture))), "RGBY");
  const Info info = inspect(jpeg_of(picture));
  EXPECT_EQ(info.width, 33);
  EXPECT_EQ(info.height, 17);
}

TEST(Picture, IsTurnedUpright) {
  // What each orientation shows of the stored corners RG/BY, by EXIF's own table.
  const std::pair<int, std::string> expected[] = {{1, "RGBY"}, {2, "GRYB"}, {3, "YBGR"}, {4, "BYRG"},
                                                  {5, "RBGY"}, {6, "BRYG"}, {7, "YGBR"}, {8, "GYRB"}};
  const std::string jpeg = jpeg_of(corners(48, 32));
  for (const auto& [orientation, shown] : expected)
    for (const bool big_endian : {false, true}) {
      const Picture picture = decode(turned(jpeg, static_cast<char>(orientation), big_endian));
      EXPECT_EQ(corners_of(picture), shown) << "orientation " << orientation;
      EXPECT_EQ(picture.width, orientation >= 5 ? 32 : 48);
      EXPECT_EQ(inspect(turned(jpeg, static_cast<char>(orientation))).width, picture.width);
    }
  EXPECT_EQ(corners_of(decode(turned(jpeg, 77))), "RGBY") << "nonsense is no turn";
}

TEST(Picture, SaysWhatItIsInstead) {
  EXPECT_ERROR(decode(""), Code::invalid, "an empty file");
  EXPECT_ERROR(decode("GIF89a........"), Code::invalid, "a GIF");
  EXPECT_ERROR(decode("<svg></svg>"), Code::invalid, "SVG");
  EXPECT_ERROR(decode(std::string("\0\0\0\x1c"
                                  "ftypheic",
                                  12)),
               Code::invalid, "a HEIF");
  EXPECT_ERROR(decode("hello"), Code::invalid, "something unknown");
}

TEST(Picture, IsRefusedWhereItIsCutOff) {
  const Picture picture = corners(64, 64);
  const std::string whole[] = {encode_png(picture), jpeg_of(picture), webp_of(picture)};
  for (const std::string& bytes : whole)
    for (const std::size_t cut : {std::size_t{13}, bytes.size() / 2, bytes.size() - 30})
      EXPECT_ERROR(decode(bytes.substr(0, cut)), Code::invalid, "");
}

TEST(Picture, SurvivesEveryByteBent) {
  const std::string whole[] = {encode_png(corners(16, 16), {{"key", "text"}}), turned(jpeg_of(corners(16, 16)), 6),
                               webp_of(corners(16, 16))};
  for (const std::string& bytes : whole)
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      std::string bent = bytes;
      bent[at] = static_cast<char>(bent[at] ^ 0x55);
      try {
        const Picture picture = decode(bent, {.side_max = 256});
        EXPECT_EQ(picture.rgb.size(), 3u * static_cast<unsigned>(picture.width * picture.height));
      } catch (const Error&) {
      }
    }
}

TEST(Picture, LimitsAreJudgedBeforeDecoding) {
  std::string bomb = encode_png(corners(8, 8));
  bomb[16] = 0x00, bomb[17] = 0x00, bomb[18] = 0x75, bomb[19] = 0x30;  // 30,000 wide, by the header alone
  EXPECT_ERROR(inspect(bomb), Code::invalid, "30000x8");
  EXPECT_ERROR(inspect(encode_png(corners(63, 200)), {.side_min = 64}), Code::invalid, "63x200");
  EXPECT_NO_THROW(inspect(encode_png(corners(64, 200)), {.side_min = 64}));
}

TEST(Png, CarriesItsTexts) {
  const PngTexts texts{{"parameters", "a <kettle-7>\nSteps: 20"}, {"conceptd", "{\"prompt\":\"caf\xc3\xa9\"}"}};
  const std::string bytes = encode_png(corners(8, 8), texts);
  EXPECT_EQ(read_png_texts(bytes), texts);
  EXPECT_EQ(decode(bytes), corners(8, 8));
  EXPECT_EQ(bytes, encode_png(corners(8, 8), texts));
}

TEST(Png, DamagedTextsAreSeen) {
  std::string bytes = encode_png(corners(8, 8), {{"key", "text"}});
  bytes[bytes.find("text")] = 'T';
  EXPECT_ERROR(read_png_texts(bytes), Code::corrupt, "damaged");
  EXPECT_ERROR(read_png_texts("hello"), Code::invalid, "not a PNG");
  EXPECT_ERROR(read_png_texts(encode_png(corners(8, 8)).substr(0, 40)), Code::corrupt, "cut off");
}

}  // namespace
}  // namespace conceptd::picture
