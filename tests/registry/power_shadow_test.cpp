// Goal: the shadow that stands for a disk loses what a disk would, and nothing else: what must be lost is lost.
#include "tests/registry/power_shadow.h"

#include <set>

#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

namespace fs = std::filesystem;

TEST(PowerShadow, KeepsWhatWasSyncedAndNothingElse) {
  const TempFolder folder(fast_disk());
  PowerShadow shadow(folder.path());
  const fs::path inner = folder / "inner";
  fs::create_directory(inner);
  for (const char* name : {"whole", "no-name", "no-bytes", "later"}) plant(inner / name, "bytes");
  shadow.synced(inner / "whole");
  shadow.synced(inner / "no-bytes");
  shadow.synced(inner / "later");
  fs::remove(inner / "no-name");
  shadow.synced(inner);
  plant(inner / "no-name", "bytes");
  shadow.synced(inner / "no-name");
  plant(inner / "no-bytes", "other bytes");
  fs::rename(inner / "later", inner / "moved");
  shadow.synced(folder.path());
  fs::create_directory(folder / "unsynced");
  shadow.lose_power({});
  EXPECT_EQ(contents(inner / "whole"), "bytes");
  EXPECT_FALSE(fs::exists(inner / "no-name")) << "it was synced, its folder was not";
  EXPECT_EQ(contents(inner / "no-bytes"), "bytes") << "as when it was synced";
  EXPECT_EQ(contents(inner / "later"), "bytes") << "a move whose folder was not synced";
  EXPECT_FALSE(fs::exists(inner / "moved"));
  EXPECT_FALSE(fs::exists(folder / "unsynced"));
}

TEST(PowerShadow, APartOfTheWritesOfAWatchedFileStays) {
  std::set<std::string> kept;
  for (unsigned seed = 1; seed < 40; ++seed) {
    const TempFolder folder(fast_disk());
    PowerShadow shadow(folder.path());
    plant(folder / "f", "");
    const PowerShadow::Key file = shadow.watch(folder / "f");
    shadow.wrote(file, 0, std::string(512, 'a') + std::string(512, 'b'));
    shadow.synced(file);
    shadow.synced(folder.path());
    shadow.wrote(file, 0, std::string(512, 'c') + std::string(512, 'd'));
    shadow.lose_power(seed);
    const std::string left = contents(folder / "f");
    ASSERT_EQ(left.size(), 1024u);
    kept.insert({left[0], left[1023]});
  }
  EXPECT_EQ(kept, (std::set<std::string>{"ab", "cb", "ad", "cd"})) << "each sector is old or new";
}

}  // namespace
}  // namespace conceptd::registry::test
