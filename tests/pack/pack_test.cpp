// Goal: what goes into a pack comes out of it for whoever trusts its key, and a pack has one form.
#include "tests/pack/pack_fixture.h"

#include <gtest/gtest.h>

namespace conceptd::pack::test {
namespace {

void expect_same(const PackedVersion& one, const PackedVersion& other) {
  EXPECT_EQ(write_config(one), write_config(other));
  EXPECT_EQ(one.delta, other.delta);
}

TEST(Pack, ComesOutAsItWentIn) {
  const PrivateKey key = PrivateKey::make();
  PackedVersion second = version("mug-2", std::string(3000, 'd'));
  second.origin = {{"name", "mug"}, {"version", 9}};
  second.seed = 0;
  const std::string pack = sign_pack(write_pack({version(), second}), key);
  const OpenedPack opened = read_pack(pack, key.public_key());
  ASSERT_EQ(opened.versions.size(), 2u);
  expect_same(opened.versions[0], version());
  expect_same(opened.versions[1], second);
  EXPECT_EQ(opened.versions[0].seed, 0xfedcba9876543210u);
  EXPECT_EQ(opened.signer, key.public_key());
  EXPECT_EQ(inspect_pack(pack).index, opened.index);
}

TEST(Pack, HasOneForm) {
  const PrivateKey key = PrivateKey::make();
  EXPECT_EQ(write_pack({version()}), write_pack({version()}));
  EXPECT_EQ(sign_pack(write_pack({version()}), key), sign_pack(write_pack({version()}), key));
  EXPECT_EQ(Bent::of({version()}).signed_tar(key), sign_pack(write_pack({version()}), key)) << "the tests' own way";
}

TEST(Pack, IsSignedAnewByAnotherKey) {
  const PrivateKey one = PrivateKey::make(), other = PrivateKey::make();
  const std::string pack = sign_pack(sign_pack(write_pack({version()}), one), other);
  EXPECT_EQ(read_pack(pack, other.public_key()).versions.size(), 1u);
  EXPECT_ERROR(read_pack(pack, one.public_key()), Code::invalid, "not by the one to be trusted");
}

TEST(Pack, KeepsOneDeltaOfTwoVersionsOnce) {
  const std::string delta(100'000, 'd');
  const std::string pack = write_pack({version("a", delta), version("b", delta)});
  EXPECT_LT(pack.size(), 120'000u);
  EXPECT_EQ(inspect_pack(pack).versions[1].delta, delta);
}

TEST(Pack, HasABoundedNumberOfVersions) {
  std::vector<PackedVersion> many;
  for (std::size_t i = 0; i < kVersionsMax; ++i) many.push_back(version("k" + std::to_string(i), std::to_string(i)));
  EXPECT_EQ(inspect_pack(write_pack(many)).versions.size(), kVersionsMax);
  many.push_back(version("one-more"));
  EXPECT_ERROR(write_pack(many), Code::exhausted, "at most 64 versions");
  EXPECT_ERROR(write_pack({version("k", std::string(kPackBytesMax, 'd'))}), Code::exhausted, "export fewer");
}

// `tar` and `sha256sum` of any system read what we write; there is nothing of our own in the container.
TEST(Pack, IsAPlainTar) {
  const std::string pack = write_pack({version()});
  EXPECT_EQ(pack.size() % 512, 0u);
  EXPECT_EQ(pack.substr(0, 10), "oci-layout");
  EXPECT_EQ(pack.substr(257, 5), "ustar");
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i)
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(pack[i]);
  EXPECT_EQ(std::stoul(pack.substr(148, 6), nullptr, 8), sum);
}

TEST(PackKeys, AreFilesThatOpensslReads) {
  const PrivateKey key = PrivateKey::make();
  EXPECT_TRUE(key.pem().starts_with("-----BEGIN PRIVATE KEY-----\n"));
  EXPECT_TRUE(key.public_key().pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
  const PrivateKey again = PrivateKey::from_pem(key.pem(), "a.key", "key");
  EXPECT_EQ(again.public_key(), key.public_key());
  EXPECT_EQ(PublicKey::from_pem(key.public_key().pem(), "a.pub", "trust"), key.public_key());
  EXPECT_EQ(PublicKey::parse(key.public_key().hex(), "trust"), key.public_key());
  EXPECT_NE(PrivateKey::make().public_key(), key.public_key());
}

// RFC 8032, section 7.1, test 2.
TEST(PackKeys, SignAsEd25519Does) {
  const PrivateKey key = PrivateKey::from_pem(
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
      "-----END PRIVATE KEY-----\n",
      "a.key", "key");
  const PublicKey known = PublicKey::parse("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "trust");
  const std::string signature = *from_hex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_EQ(key.public_key(), known);
  EXPECT_EQ(key.sign("r"), signature);
  EXPECT_TRUE(known.verifies("r", signature));
  EXPECT_FALSE(known.verifies("s", signature));
  EXPECT_FALSE(known.verifies("r", signature.substr(1)));
  EXPECT_FALSE(known.verifies("r", ""));
}

TEST(PackKeys, ThatAreNoneAreRefusedByTheirFile) {
  const PrivateKey key = PrivateKey::make();
  for (const std::string& bad : {std::string(), std::string("no key"), key.pem().substr(0, 60), key.pem()})
    EXPECT_ERROR(PublicKey::from_pem(bad, "site.pub", "trust"), Code::invalid, "site.pub holds no Ed25519 public key");
  for (const std::string& bad : {std::string(), std::string("no key"), key.public_key().pem()})
    EXPECT_ERROR(PrivateKey::from_pem(bad, "site.key", "key"), Code::invalid, "site.key holds no Ed25519 private key");
  for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(64, 'g'), std::string(64, 'A')})
    EXPECT_ERROR(PublicKey::parse(bad, "trust"), Code::invalid, "64 hex digits");
}

}  // namespace
}  // namespace conceptd::pack::test
