#include "core/net/address.h"

#include "tests/support/expect_error.h"

namespace conceptd::net {
namespace {

TEST(Address, AHostAndAPortAreReadInBothFamilies) {
  EXPECT_EQ(parse_host_port("127.0.0.1:7860", "x").host, "127.0.0.1");
  EXPECT_EQ(parse_host_port("127.0.0.1:7860", "x").port, 7860);
  EXPECT_EQ(parse_host_port("[::1]:1", "x").host, "::1");
  EXPECT_EQ(to_string(parse_host_port("[::1]:1", "x")), "[::1]:1");
  EXPECT_EQ(to_string(parse_host_port("pictures.example.com:443", "x")), "pictures.example.com:443");
}

TEST(Address, WhatIsNoneIsRefusedByItsField) {
  for (const char* text : {"", ":", "7860", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
                           "::1:7860", "[::1]", "[127.0.0.1]:1", "a b:1", "a/b:1", ":7860"}) {
    EXPECT_ERROR(parse_host_port(text, "tcp.listen"), Code::invalid, "is not HOST:PORT");
  }
  try {
    parse_host_port("", "tcp.listen");
  } catch (const Error& error) {
    EXPECT_EQ(error.field(), "tcp.listen");
  }
}

TEST(Address, AUrlIsASchemeAHostAndPerhapsAPort) {
  EXPECT_TRUE(parse_url("https://pictures.example.com").tls);
  EXPECT_EQ(parse_url("https://pictures.example.com").at.port, 443);
  EXPECT_EQ(parse_url("http://[::1]").at.port, 80);
  EXPECT_EQ(parse_url("http://[::1]:7860/").at.host, "::1");
  EXPECT_FALSE(parse_url("http://127.0.0.1:7860").tls);
  for (const char* text : {"pictures.example.com", "ftp://a", "https://", "https://a/b", "https://a?token=1",
                           "https://me:secret@a", "https://a:b", "https:///"}) {
    EXPECT_ERROR(parse_url(text), Code::invalid, "'");
  }
}

TEST(Address, LoopbackIsKnownHoweverItIsWritten) {
  for (const char* host : {"127.0.0.1", "127.8.8.8", "::1", "localhost"}) EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host : {"0.0.0.0", "::", "192.0.2.7", "example.com", "127.example.com"})
    EXPECT_FALSE(is_loopback(host)) << host;
  EXPECT_TRUE(is_unspecified("0.0.0.0"));
  EXPECT_TRUE(is_unspecified("::"));
  EXPECT_FALSE(is_unspecified("127.0.0.1"));
}

}  // namespace
}  // namespace conceptd::net
