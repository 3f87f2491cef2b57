#include "core/digest.h"

#include <unordered_set>
#include <vector>

#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd {
namespace {

// FIPS 180-4 examples.
constexpr std::string_view kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kMillionA = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Digest, IsSha256) {
  EXPECT_EQ(Digest::of("").hex(), kEmpty);
  EXPECT_EQ(Digest::of("abc").hex(), kAbc);
  EXPECT_EQ(Digest::of(std::string(1'000'000, 'a')).hex(), kMillionA);
}

TEST(Digest, InPiecesEqualsAtOnce) {
  const std::string bytes(5000, 'x');
  for (const std::size_t cut : {0u, 1u, 63u, 64u, 65u, 4999u, 5000u})
    EXPECT_EQ(Sha256().update(bytes.substr(0, cut)).update(bytes.substr(cut)).finish(), Digest::of(bytes)) << cut;
}

TEST(Digest, OfAFileIsThatOfItsBytesWhateverTheSize) {
  const test::TempFolder folder;
  for (const std::size_t size : {0u, 1u, (1u << 20) - 1, 1u << 20, (1u << 20) + 1, 3'000'000u}) {
    const std::string bytes(size, 'q');
    test::plant(folder / "file", bytes);
    EXPECT_EQ(Digest::of_file(folder / "file"), Digest::of(bytes)) << size;
  }
  EXPECT_ERROR(Digest::of_file(folder / "none"), Code::unavailable, "none");
}

TEST(Digest, ReadsBackFromEveryFormItIsWrittenIn) {
  const Digest digest = Digest::of("photo");
  EXPECT_EQ(Digest::parse(digest.hex()), digest);
  EXPECT_EQ(Digest::parse(digest.tagged()), digest);
  EXPECT_EQ(Digest::from_raw(digest.raw()), digest);
  EXPECT_EQ(digest.short_hex(), digest.hex().substr(0, 12));
}

TEST(Digest, RefusesWhatIsNotOne) {
  const std::string good(kAbc);
  for (const std::string& bad :
       std::vector<std::string>{"", good.substr(1), good + "0", "sha256:", "md5:" + good, "G" + good.substr(1),
                                "B" + good.substr(1), "../" + good.substr(3)})
    EXPECT_ERROR(Digest::parse(bad), Code::invalid, "not a SHA-256 digest");
  EXPECT_ERROR(Digest::from_raw("short"), Code::corrupt, "5 bytes");
}

TEST(Digest, IsAKey) {
  std::unordered_set<Digest> set{Digest::of("a"), Digest::of("b"), Digest::of("a")};
  EXPECT_EQ(set.size(), 2u);
  EXPECT_NE(Digest::of("a"), Digest());
  EXPECT_LT(Digest(), Digest::of("a"));
}

TEST(Hex, RoundsTripEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(from_hex(to_hex(all)), all);
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("0G"), std::nullopt);
}

}  // namespace
}  // namespace conceptd
