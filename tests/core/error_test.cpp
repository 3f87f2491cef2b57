#include "core/error.h"

#include <gtest/gtest.h>

#include <set>

namespace conceptd {
namespace {

constexpr Code kAll[] = {Code::invalid,         Code::not_found,   Code::conflict,  Code::busy,
                         Code::corrupt,         Code::unavailable, Code::cancelled, Code::exhausted,
                         Code::unauthenticated, Code::forbidden,   Code::internal};

TEST(Error, CarriesItsCodeAndTheFieldAtFault) {
  const Error error(Code::invalid, "two photos are alike", "photos[2]");
  EXPECT_EQ(error.code(), Code::invalid);
  EXPECT_EQ(error.field(), "photos[2]");
  EXPECT_STREQ(error.what(), "two photos are alike");
}

TEST(Error, EveryCodeHasAWordThatReadsBack) {
  for (const Code code : kAll) EXPECT_EQ(code_from_string(to_string(code)), code) << to_string(code);
  EXPECT_EQ(code_from_string("no such word"), Code::internal);
}

TEST(Error, EveryCodeHasItsOwnExitStatusAndNoneLooksLikeSuccess) {
  std::set<int> seen;
  for (const Code code : kAll) {
    EXPECT_TRUE(seen.insert(exit_status(code)).second) << to_string(code);
    EXPECT_NE(exit_status(code), 0);
    EXPECT_NE(exit_status(code), 2) << "2 is the shell's word for wrong usage";
    EXPECT_FALSE(exit_status(code) == 11 || exit_status(code) == 12) << "conceptctl says with these how a job went";
    EXPECT_GE(http_status(code), 400);
  }
}

TEST(Error, TheTableIsTheOneInTheDocuments) {
  EXPECT_EQ(http_status(Code::not_found), 404);
  EXPECT_EQ(exit_status(Code::not_found), 4);
  EXPECT_EQ(http_status(Code::conflict), 409);
  EXPECT_EQ(exit_status(Code::conflict), 5);
  EXPECT_EQ(http_status(Code::invalid), 422);
  EXPECT_EQ(exit_status(Code::invalid), 7);
  EXPECT_EQ(http_status(Code::unavailable), 503);
  EXPECT_EQ(exit_status(Code::unavailable), 3);
  EXPECT_EQ(http_status(Code::unauthenticated), 401);
  EXPECT_EQ(exit_status(Code::unauthenticated), 13);
  EXPECT_EQ(http_status(Code::forbidden), 403);
  EXPECT_EQ(exit_status(Code::forbidden), 14);
}

}  // namespace
}  // namespace conceptd
