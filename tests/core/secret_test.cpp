#include "core/secret.h"

#include <gtest/gtest.h>

namespace conceptd {
namespace {

TEST(Secret, RandomBytesAreAsManyAsAskedAndNeverTheSame) {
  EXPECT_EQ(random_bytes(32).size(), 32u);
  EXPECT_TRUE(random_bytes(0).empty());
  EXPECT_NE(random_bytes(32), random_bytes(32));
}

TEST(Secret, EqualMeansEveryByte) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("same", "same"));
  EXPECT_FALSE(equal_in_constant_time("same", "sama"));
  EXPECT_FALSE(equal_in_constant_time("same", "Same"));
  EXPECT_FALSE(equal_in_constant_time("same", "same "));
}

}  // namespace
}  // namespace conceptd
