// EXPECT_ERROR(statement, code, "part of the message"): it throws an Error of that code whose message says that.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

#define EXPECT_ERROR(statement, expected_code, part)                                  \
  try {                                                                               \
    (void)(statement);                                                                \
    ADD_FAILURE() << "nothing was thrown; expected an error about: " << (part);       \
  } catch (const conceptd::Error& error) {                                            \
    EXPECT_EQ(conceptd::to_string(error.code()), conceptd::to_string(expected_code)); \
    EXPECT_THAT(error.what(), testing::HasSubstr(part));                              \
  }                                                                                   \
  static_assert(true)
