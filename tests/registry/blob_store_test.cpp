#include "registry/blob_store.h"

#include "core/file_io.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::registry {
namespace {

namespace fs = std::filesystem;

class Blobs : public testing::Test {
 protected:
  void TearDown() override { set_durable_step_hook({}); }
  conceptd::test::TempFolder folder_;
  BlobStore store_{folder_ / "photos"};
};

TEST_F(Blobs, AreNamedByTheirBytes) {
  const Digest digest = store_.put("a picture");
  EXPECT_EQ(digest, Digest::of("a picture"));
  EXPECT_EQ(store_.path_of(digest), folder_ / "photos" / digest.hex().substr(0, 2) / digest.hex());
  EXPECT_EQ(store_.open(digest, 100), "a picture");
  EXPECT_TRUE(store_.verify(digest));
}

TEST_F(Blobs, TheSameBytesAreWrittenOnce) {
  const Digest digest = store_.put("a picture");
  int renames = 0;
  set_durable_step_hook([&](const DurableStep& step) { renames += step.kind == "rename"; });
  EXPECT_EQ(store_.put("a picture"), digest);
  EXPECT_EQ(renames, 0);
}

TEST_F(Blobs, DamageIsSeenAndMendedByTheNextPut) {
  const Digest digest = store_.put("a picture");
  conceptd::test::plant(store_.path_of(digest), "a pictura");
  EXPECT_FALSE(store_.verify(digest));
  EXPECT_ERROR(store_.open(digest, 100), Code::corrupt, "damaged");
  store_.put("a picture");
  EXPECT_EQ(store_.open(digest, 100), "a picture");
}

TEST_F(Blobs, ASymbolicLinkIsNotABlob) {
  const Digest digest = Digest::of("elsewhere");
  conceptd::test::plant(folder_ / "elsewhere", "elsewhere");
  fs::create_directories(store_.path_of(digest).parent_path());
  fs::create_symlink(folder_ / "elsewhere", store_.path_of(digest));
  EXPECT_FALSE(store_.verify(digest));
}

TEST_F(Blobs, WhatIsNotThereAndWhatIsTooLargeAreSaid) {
  EXPECT_ERROR(store_.open(Digest::of("never"), 100), Code::not_found, Digest::of("never").hex());
  EXPECT_ERROR(store_.open(store_.put("ten bytes!"), 9), Code::exhausted, "9 bytes");
}

TEST_F(Blobs, UnfinishedFilesAreSweptAndNothingElse) {
  const Digest digest = store_.put("a picture");
  conceptd::test::plant(store_.path_of(digest).string() + ".1-0.tmp", "a pic");
  EXPECT_EQ(store_.sweep_unfinished(), 1);
  EXPECT_EQ(store_.sweep_unfinished(), 0);
  EXPECT_TRUE(store_.verify(digest));
}

}  // namespace
}  // namespace conceptd::registry
