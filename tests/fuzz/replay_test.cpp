// Goal: every input of the corpora, those that once broke something among them, goes through its door as under the
// fuzzer. A corpus is a folder of files; whatever is put there is replayed.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/fuzz/targets.h"
#include "tests/support/temp_folder.h"

namespace conceptd::fuzz {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpora = fs::path(CONCEPTD_SOURCE_DIR) / "tests/fuzz/corpus";

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, IsTakenOrRefused) {
  std::size_t count = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(kCorpora / GetParam().name)) {
    SCOPED_TRACE(entry.path().filename());
    const std::string bytes = test::contents(entry.path());
    EXPECT_NO_THROW(GetParam().feed(bytes)) << entry.path();
    for (const std::size_t share : {1, 2, 3}) GetParam().feed(bytes.substr(0, bytes.size() * share / 4));
    EXPECT_LE(bytes.size(), 8192u) << "keep it small: fuzzers with -minimize_crash=1 do";
    ++count;
  }
  EXPECT_GE(count, 3u);
}

INSTANTIATE_TEST_SUITE_P(Doors, Corpus, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Corpora, BelongToATarget) {
  for (const fs::directory_entry& entry : fs::directory_iterator(kCorpora)) {
    const std::string name = entry.path().filename();
    const auto known = targets();
    EXPECT_TRUE(std::any_of(known.begin(), known.end(), [&](const Target& target) { return target.name == name; }))
        << name;
  }
}

}  // namespace
}  // namespace conceptd::fuzz
