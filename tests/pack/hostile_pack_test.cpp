// Goal: row 31 of the catalogue of bad input. Whatever is wrong with a pack, it is refused with a sentence that says
// what, and nothing of it is handed on; also when the one who signs it is the one who bent it.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/pack/pack_fixture.h"

namespace conceptd::pack::test {
namespace {

const PrivateKey kKey = PrivateKey::make();

void expect_refused(const std::string& pack, const std::string& says, Code code = Code::invalid,
                    const std::string& field = "pack") {
  try {
    read_pack(pack, kKey.public_key());
    ADD_FAILURE() << "it was taken; expected: " << says;
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.code()), to_string(code)) << error.what();
    EXPECT_EQ(error.field(), field) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(says));
  }
}

// A header as another program might write it, its sum right.
std::string header(const std::string& name, char type, const std::string& size = "00000000000",
                   const std::string& link = {}) {
  TarWriter tar;
  tar.add("x", "");
  std::string block = tar.finish().substr(0, 512);
  const auto put = [&](std::size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  block[0] = '\0', put(0, name), put(124, size), put(157, link), put(148, "        ");
  block[156] = type;
  unsigned sum = 0;
  for (const char byte : block) sum += static_cast<unsigned char>(byte);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  put(148, digits), block[154] = '\0', block[155] = ' ';
  return block;
}

std::string good() { return sign_pack(write_pack({version()}), kKey); }
std::string without_end(const std::string& pack) { return pack.substr(0, pack.size() - 1024); }
std::string with_entry(const std::string& block) { return without_end(good()) + block + std::string(1024, '\0'); }

TEST(HostilePack, GoodOnesAreTaken) { EXPECT_EQ(read_pack(good(), kKey.public_key()).versions.size(), 1u); }

TEST(HostilePack, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name :
       {"../x", "blobs/../../x", "/etc/passwd", "blobs/sha256/../../../../etc/passwd", "./index.json", "blobs\\sha256",
        "C:\\x", "\x1b[2J", "photos/x", "index.json ", "blobs/sha256/abcd"})
    expect_refused(with_entry(header(name, '0')), "which packs do not have");
  expect_refused(with_entry(header("index.json", '0')), "which packs do not have");
  expect_refused(with_entry(header("", '0')), "no name");
  expect_refused(with_entry(header(std::string(100, 'a'), '0')), "no name, or one that is too long");
  std::string hidden = header("index.json", '0');
  hidden.replace(11, 4, "evil");
  expect_refused(with_entry(hidden), "is not as packs have it");
}

TEST(HostilePack, AnythingButPlainFilesIsRefused) {
  for (const auto& [type, what] : std::vector<std::pair<char, std::string>>{{'1', "a hard link"},
                                                                            {'2', "a symbolic link"},
                                                                            {'3', "a device"},
                                                                            {'4', "a device"},
                                                                            {'5', "a folder"},
                                                                            {'6', "a FIFO"},
                                                                            {'7', "no plain file"},
                                                                            {'x', "no plain file"},
                                                                            {'g', "no plain file"},
                                                                            {'L', "no plain file"},
                                                                            {'S', "no plain file"},
                                                                            {'\0', "no plain file"}})
    expect_refused(with_entry(header("blobs/sha256/x", type, "00000000000", "/etc/passwd")), what);
  expect_refused(with_entry(header("blobs/sha256/x", '0', "00000000000", "/etc/passwd")), "is not as packs have it");
}

TEST(HostilePack, AMillionEntriesEndAtTheFirstThatIsTooMany) {
  std::string pack = without_end(good());
  for (int i = 0; i < 1000; ++i) {
    TarWriter one;
    const std::string bytes = "blob " + std::to_string(i);
    one.add(Bent::blob(bytes), bytes);
    pack += without_end(one.finish());
  }
  expect_refused(pack + std::string(1024, '\0'), "at most 192 blobs", Code::exhausted);
  std::string empty;
  while (empty.size() < 60u << 20) empty += header("blobs/sha256/x", '0');
  const auto began = std::chrono::steady_clock::now();
  expect_refused(without_end(good()) + empty, "which packs do not have");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

TEST(HostilePack, SizesAreNotBelieved) {
  expect_refused(with_entry(header(Bent::blob("x"), '0', "77777777777")), "would have 8589934591 bytes");
  expect_refused(with_entry(header(Bent::blob("x"), '0', "00000020000")), "was it copied whole?");
  expect_refused(with_entry(header(Bent::blob("x"), '0', "0000000000x")), "is no number");
  expect_refused(with_entry(header(Bent::blob("x"), '0', "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01")), "no number");
  expect_refused(std::string(kPackBytesMax + 1, '\0'), "at most", Code::exhausted);
  Bent bomb = Bent::of({version()});
  bomb.file("index.json") = R"({"a":")" + std::string(kDocumentBytesMax, 'x') + "\"}";
  expect_refused(bomb.signed_tar(kKey), "larger than", Code::exhausted);
  Bent nested = Bent::of({version()});
  nested.file("index.json") = std::string(100'000, '[') + std::string(100'000, ']');
  expect_refused(nested.signed_tar(kKey), "nested deeper");
}

// One delta that a million versions name takes no more memory than its bytes are allowed to.
TEST(HostilePack, OneBlobIsNotManyTimesTheLimit) {
  std::vector<PackedVersion> many;
  for (int i = 0; i < 3; ++i) many.push_back(version("k" + std::to_string(i), std::string(30u << 20, 'd')));
  expect_refused(sign_pack(write_pack({many[0], many[1]}), kKey) + "x", "behind its end");
  EXPECT_ERROR(sign_pack(write_pack(many), kKey), Code::exhausted, "too large together");
}

TEST(HostilePack, WrongDigestsAndMissingBlobsAreRefused) {
  Bent changed = Bent::of({version()});
  changed.file(Bent::blob("delta: one")) = "delta: two";
  expect_refused(changed.signed_tar(kKey), "is damaged");
  Bent missing = Bent::of({version()});
  std::erase_if(missing.files, [](const auto& file) { return file.first == Bent::blob("delta: one"); });
  expect_refused(missing.signed_tar(kKey), "is missing");
  Bent more = Bent::of({version()});
  more.files.emplace_back(Bent::blob("stowaway"), "stowaway");
  expect_refused(more.signed_tar(kKey), "nothing refers to the blob");
  Bent twice = Bent::of({version()});
  twice.files.emplace_back(Bent::blob("delta: one"), "delta: one");
  expect_refused(twice.signed_tar(kKey), "is there twice");
  expect_refused(Bent::of({version()}).replace("\"size\":10}", "\"size\":11}").signed_tar(kKey), "another size");
  for (const char* needed : {"oci-layout", "index.json"}) {
    Bent less = Bent::of({version()});
    const std::string index = less.file("index.json");
    std::erase_if(less.files, [&](const auto& file) { return file.first == needed; });
    expect_refused(less.unsigned_tar(), needed[0] == 'o' ? "oci-layout is not where" : "not signed", Code::invalid,
                   needed[0] == 'o' ? "pack" : "trust");
    EXPECT_ERROR(inspect_pack(less.unsigned_tar()), Code::invalid, std::string(needed) + " is not where it must be");
  }
}

TEST(HostilePack, UnknownMediaTypesAndFutureVersionsAreRefused) {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"vnd.conceptd.delta.v1.safetensors", "vnd.conceptd.delta.v9.safetensors"},
           {"vnd.conceptd.delta.v1.safetensors", "octet-stream"},
           {"vnd.conceptd.version.config.v1+json", "vnd.oci.empty.v1+json"},
           {"vnd.oci.image.index.v1+json", "vnd.oci.image.index.v2+json"},
           {"\"artifactType\":\"application/vnd.conceptd.version.v1\"", "\"artifactType\":\"x\""},
           {"\"io.conceptd.pack.format\":\"1\"", "\"io.conceptd.pack.format\":\"2\""},
           {"\"schemaVersion\":2", "\"schemaVersion\":3"},
           {"\"class\":", "\"exec\":\"/bin/sh\",\"class\":"}}) {
    SCOPED_TRACE(to);
    expect_refused(Bent::of({version()}).replace(from, to).signed_tar(kKey), "was it made by a newer conceptd?");
  }
  Bent layout = Bent::of({version()});
  layout.file("oci-layout") = R"({"imageLayoutVersion":"2.0.0"})";
  expect_refused(layout.signed_tar(kKey), "oci-layout is not of version 1.0.0");
  Bent algorithm = Bent::of({version()});
  std::string pack = algorithm.signed_tar(kKey);
  const std::size_t at = pack.find("ed25519");
  expect_refused(pack.replace(at, 7, "ed25518"), "'algorithm' of signature.json");
}

TEST(HostilePack, FieldsOfTheWrongKindAreRefused) {
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"version\":3", "\"version\":-3"},
                                                        {"\"version\":3", "\"version\":3.5"},
                                                        {"\"version\":3", "\"version\":9e99"},
                                                        {"\"version\":3", "\"version\":99999999999"},
                                                        {"\"settings\":{\"rate\":0.005}", "\"settings\":[]"},
                                                        {"\"verdict\":\"accepted\"", "\"verdict\":\"splendid\""},
                                                        {"\"origin\":null", "\"origin\":7"},
                                                        {"\"origin\":null", "\"origin\":{\"a\":{}}"},
                                                        {"\"name\":\"kettle-7\"", "\"name\":\"a\\u001b[2J\""},
                                                        {"\"name\":\"kettle-7\"", "\"name\":null"},
                                                        {"\"class\":\"kettle\",", ""},
                                                        {"\"class\":\"kettle\"", "\"class\":\"a\",\"class\":\"b\""},
                                                        {"\"photos\":[\"sha256:", "\"photos\":[\"sha512:"},
                                                        {"\"name\":\"kettle-7\"", "\"name\":\"\xff\""}}) {
    SCOPED_TRACE(to);
    expect_refused(Bent::of({version()}).replace(from, to).signed_tar(kKey), "the pack is refused: ");
  }
  PackedVersion wordy = version();
  wordy.verdict_reason = std::string(501, 'w');
  expect_refused(Bent::of({wordy}).signed_tar(kKey), "is too long");
  wordy = version();
  wordy.photos.assign(kPhotosMax + 1, Digest::of("photo"));
  expect_refused(Bent::of({wordy}).signed_tar(kKey), "more than 100", Code::exhausted);
}

TEST(HostilePack, ForgedSignaturesAndOtherKeysAreRefused) {
  const PrivateKey other = PrivateKey::make();
  expect_refused(sign_pack(write_pack({version()}), other), "not by the one to be trusted", Code::invalid, "trust");
  expect_refused(write_pack({version()}), "not signed", Code::invalid, "trust");

  // Says that it is signed by the trusted key, and is by another.
  const auto forged = [&](const std::function<void(Signature&)>& bend) {
    Bent pack = Bent::of({version()});
    const Digest index = Digest::of(pack.file("index.json"));
    Signature signature{.index = index, .key = kKey.public_key(), .bytes = kKey.sign(signed_text(index))};
    bend(signature);
    pack.files.insert(pack.files.begin() + 1, {"signature.json", write_signature(signature)});
    return pack.unsigned_tar();
  };
  EXPECT_EQ(read_pack(forged([](Signature&) {}), kKey.public_key()).versions.size(), 1u);
  const Digest index = Digest::of(Bent::of({version()}).file("index.json"));
  for (const auto& bend : std::vector<std::function<void(Signature&)>>{
           [&](Signature& s) { s.bytes = other.sign(signed_text(index)); },
           [&](Signature& s) { s.bytes = std::string(64, '\0'); },
           [&](Signature& s) { s.bytes = kKey.sign(index.tagged()); },
           [&](Signature& s) { s.bytes[63] = static_cast<char>(s.bytes[63] ^ 1); },
           [&](Signature& s) { s.index = Digest::of("another"); },
           [&](Signature& s) { s.index = Digest::of("another"), s.bytes = kKey.sign(signed_text(s.index)); }})
    expect_refused(forged(bend), "signature does not hold");

  // A good signature over other contents.
  std::string moved = good();
  const Bent another = Bent::of({version("mug-2")});
  const std::string from = Bent::of({version()}).file("index.json");
  moved.replace(moved.find(from), from.size(), another.files[1].second);
  expect_refused(moved, "signature does not hold");
  EXPECT_ERROR(inspect_pack(moved), Code::invalid, "signature does not hold");
}

TEST(HostilePack, CutAnywhereItIsRefused) {
  const std::string whole = good();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    expect_refused(whole.substr(0, size), "", Code::invalid, "pack");
    if (HasFailure()) return;
  }
}

TEST(HostilePack, AChangedByteAnywhereIsRefused) {
  const std::string whole = good();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bent = whole;
    bent[at] = static_cast<char>(bent[at] ^ 0x20);
    EXPECT_THROW(read_pack(bent, kKey.public_key()), Error) << "at " << at;
    if (HasFailure()) return;
  }
}

TEST(HostilePack, NothingIsHiddenBetweenOrBehindFiles) {
  std::string padded = good();
  padded[512 + kLayout.size()] = 'x';
  expect_refused(padded, "hidden behind 'oci-layout'");
  expect_refused(good() + std::string(512, '\0'), "behind its end");
  expect_refused(good() + good(), "behind its end");
  expect_refused(std::string(1024, '\0'), "oci-layout is not where it must be");
  std::string early = without_end(good());
  early.insert(1024, 512, '\0');
  expect_refused(early, "a block of zeros stands in the middle");
}

}  // namespace
}  // namespace conceptd::pack::test
