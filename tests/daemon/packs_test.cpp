// Goal: a concept that one daemon learnt is drawn by another that no network reaches, by nothing but conceptctl and a
// file; and row 31 of the catalogue of bad input, at the door: what is wrong with a pack is refused and leaves no
// trace.
#include "core/pack/pack.h"

#include <sys/stat.h>

#include <sstream>

#include "cli/command.h"
#include "daemon/api/packs.h"
#include "tests/daemon/bad_input_fixture.h"

namespace conceptd::daemon::test {
namespace {

struct Ran {
  int status = 0;
  std::string out, err;
};

class Packs : public BadInputTest {
 protected:
  // Two daemons: the fixture's own, where things are learnt, and the other site.
  void start_there() {
    Config config = config_;
    config.data_dir = folder_ / "there";
    config.socket = folder_ / "there.sock";
    there_ = std::make_unique<Daemon>(config, clock_, parts());
    there_->start();
  }
  Ran run(std::vector<std::string> arguments, bool there = false) {
    std::ostringstream out, err;
    arguments.insert(arguments.begin(), {"--socket", folder_ / (there ? "there.sock" : "conceptd.sock")});
    Ran ran;
    ran.status = cli::run_conceptctl(arguments, out, err);
    ran.out = out.str(), ran.err = err.str();
    return ran;
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void make_keys(const std::string& folder) { ASSERT_EQ(run({"pack", "keygen", "--out", path(folder)}).status, 0); }
  pack::PackedVersion version() const {
    return {.name = "kettle-7",
            .number = 3,
            .class_word = "kettle",
            .method = "fake",
            .base_fingerprint = Digest::of("fake base").hex(),
            .seed = 1,
            .verdict = "accepted",
            .verdict_reason = "all measures hold",
            .learned_at = "2026-11-21T01:14:00.000Z",
            .exported_at = "2026-11-22T08:00:00.000Z",
            .release = "0.1.0",
            .delta = "delta: from elsewhere"};
  }
  Json importing(const std::vector<pack::PackedVersion>& versions) const {
    return api::encode(
        api::ImportPack{.pack = {pack::sign_pack(pack::write_pack(versions), key_)}, .trust = key_.public_key().hex()});
  }

  const pack::PrivateKey key_ = pack::PrivateKey::make();
  std::unique_ptr<Daemon> there_;
};

TEST_F(Packs, CarryAConceptToASiteThatNoNetworkReaches) {
  start();
  add_and_learn("kettle-7");
  learn_again("kettle-7", 2);
  make_keys("keys");
  const std::string file = path("kettle.conceptpack"), key = path("keys/pack.key"), trust = path("keys/pack.pub");
  const Ran exported = run({"export", "kettle-7", "-o", file, "--key", key});
  ASSERT_EQ(exported.status, 0) << exported.err;
  EXPECT_THAT(exported.out, HasSubstr("kettle-7@2"));
  const std::string before = generate("a <kettle-7>").images.at(0).png.data;

  start_there();
  const Ran imported = run({"import", file, "--trust", trust}, true);
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr("kettle-7@1: staged, kettle-7@2 there"));
  EXPECT_THAT(run({"list"}, true).out, HasSubstr("staged"));
  const auto draw = [&](const std::string& prompt) {
    return api::decode_answer<api::GenerateResponse>(
        cli::Client(folder_ / "there.sock")
            .post("generate", api::encode(api::GenerateRequest{.prompt = prompt, .seed = 42})));
  };
  EXPECT_EQ(draw("a <kettle-7@1>").concepts.at(0).version, 1) << "it can be tried before anybody is served by it";
  const Ran early = run({"generate", "a <kettle-7>", "-o", path("x.png")}, true);
  EXPECT_EQ(early.status, 5);
  EXPECT_THAT(early.err, HasSubstr("conceptctl promote kettle-7@1"));
  ASSERT_EQ(run({"promote", "kettle-7@1", "--reason", "it looks right"}, true).status, 0);
  EXPECT_EQ(picture::decode(draw("a <kettle-7>").images.at(0).png.data).rgb, picture::decode(before).rgb)
      << "the same delta, the same picture";

  EXPECT_EQ(run({"learn", "kettle-7"}, true).status, 5) << "there are no photos there";
  EXPECT_THAT(run({"audit", "kettle-7", "--json"}, true).out,
              AllOf(HasSubstr("\"origin\""), HasSubstr("\"signer\""), HasSubstr("\"import\"")));
  EXPECT_EQ(run({"verify", "--deep"}, true).status, 0);
  EXPECT_EQ(run({"import", file, "--trust", trust}, true).status, 5) << "a second time there is nothing to import";
  EXPECT_EQ(run({"import", file, "--trust", trust, "--as", "their-kettle"}, true).status, 0);
  EXPECT_EQ(run({"import", file, "--trust", trust}).status, 5) << "here it was learnt from photos of its own";
}

TEST_F(Packs, AreLookedIntoWithoutADaemon) {
  start();
  add_and_learn("kettle-7");
  make_keys("keys");
  const std::string file = path("k.conceptpack");
  ASSERT_EQ(run({"export", "kettle-7", "--version", "1", "-o", file, "--key", path("keys/pack.key")}).status, 0);
  stop();
  const Ran looked = run({"pack", "inspect", file});
  EXPECT_EQ(looked.status, 0) << looked.err;
  EXPECT_THAT(looked.out, AllOf(HasSubstr("kettle-7@1"), HasSubstr("signer "), HasSubstr("accepted")));
  const Json json = Json::parse(run({"pack", "inspect", file, "--json"}).out);
  EXPECT_EQ(json["versions"][0]["name"], "kettle-7");
  EXPECT_EQ(json["versions"][0]["class"], "kettle");
  plant(file, contents(file).substr(0, 2000));
  EXPECT_EQ(run({"pack", "inspect", file}).status, 7);
}

TEST_F(Packs, KeysAreMadeOnceAndKeptPrivate) {
  make_keys("keys");
  struct stat info {};
  ASSERT_EQ(::stat(path("keys/pack.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const std::string secret = contents(path("keys/pack.key"));
  const Ran again = run({"pack", "keygen", "--out", path("keys")});
  EXPECT_EQ(again.status, 7);
  EXPECT_THAT(again.err, HasSubstr("is there already"));
  EXPECT_EQ(contents(path("keys/pack.key")), secret);
  EXPECT_THAT(run({"pack", "keygen", "--out", path("other"), "--json"}).out,
              AllOf(HasSubstr("\"signer\""), testing::Not(HasSubstr("PRIVATE"))));

  start();
  add_and_learn("kettle-7");
  const auto export_with = [&](const std::string& key) {
    return run({"export", "kettle-7", "-o", path("k.conceptpack"), "--key", path(key)});
  };
  EXPECT_THAT(export_with("keys/pack.pub").err, HasSubstr("may be read by others"));
  ::chmod(path("keys/pack.pub").c_str(), 0600);
  EXPECT_THAT(export_with("keys/pack.pub").err, HasSubstr("holds no Ed25519 private key"));
  EXPECT_EQ(export_with("nothing").status, 4);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "k.conceptpack"));
  EXPECT_EQ(run({"export", "kettle-7", "kettle-7@1", "-o", path("k"), "--key", path("keys/pack.key")}).status, 7);
  EXPECT_EQ(run({"export", "ketle-7", "-o", path("k"), "--key", path("keys/pack.key")}).status, 4);
  EXPECT_EQ(run({"import", path("keys/pack.key"), "--trust", path("keys/pack.key")}).status, 7)
      << "a private key is no trust";
}

TEST_F(Packs, Row31WhatIsWrongWithAPackIsRefusedAndLeavesNoTrace) {
  start();
  add_and_learn("mine");
  const Json good = importing({version()});
  const auto with = [&](const auto& change) {
    pack::PackedVersion other = version();
    change(other);
    return importing({other});
  };
  Json body = good;
  body["pack"] = api::encode(api::ExportedPack{.pack = {pack::write_pack({version()})}})["pack"];
  expect_refused("import", body, 422, "trust", "not signed");
  body = good;
  body["trust"] = pack::PrivateKey::make().public_key().hex();
  expect_refused("import", body, 422, "trust", "not by the one to be trusted");
  body["trust"] = "me";
  expect_refused("import", body, 422, "trust", "64 hex digits");
  std::string cut = pack::sign_pack(pack::write_pack({version()}), key_);
  cut.pop_back();
  body = api::encode(api::ImportPack{.pack = {cut}, .trust = key_.public_key().hex()});
  expect_refused("import", body, 422, "pack", "was it copied whole?");
  cut[600] = static_cast<char>(cut[600] ^ 1);
  body = api::encode(api::ImportPack{.pack = {cut + '\0'}, .trust = key_.public_key().hex()});
  expect_refused("import", body, 422, "pack");

  expect_refused("import", with([](auto& v) { v.base_fingerprint = Digest::of("another base").hex(); }), 409, "pack",
                 "a delta fits its own base only");
  expect_refused("import", with([](auto& v) { v.delta = "no delta at all"; }), 422, "pack", "is not a delta");
  expect_refused("import", with([](auto& v) { v.name = "../../etc/passwd"; }), 422, "pack");
  expect_refused("import", with([](auto& v) { v.name = "mine"; }), 409, "name", "photos of its own");
  expect_refused("import", with([](auto& v) { v.class_word = ""; }), 422, "class");
  expect_refused("import", importing({version(), version()}), 409, "name", "the very same bytes");
  pack::PackedVersion mug = version();
  mug.name = "mug-2", mug.delta = "delta: of a mug";
  body = importing({version(), mug});
  body["as"] = "their-things";
  expect_refused("import", body, 422, "as", "one name is for one of them");
  body = good;
  body["as"] = "Not A Name";
  expect_refused("import", body, 422, "as");
  body = good;
  body["path"] = "/etc/passwd";
  expect_refused("import", body, 422, "path", "has no field");
  expect_refused("export", {{"concepts", Json::array()}}, 422, "concepts");
  expect_refused("export", {{"concepts", {"mine", "mine@1"}}}, 422, "concepts", "named twice");
  expect_refused("export", {{"concepts", {"nobody"}}}, 404, "name");
  expect_refused("export", {{"concepts", {"../x"}}}, 422, "concepts");
  client().post("import", good);
  EXPECT_EQ(show("kettle-7").summary.newest_version, 1);
}

TEST_F(Packs, AWarningSaysWhatElseIsCalledSoAndWhatWasRejected) {
  start();
  add_and_learn("kettle-7");
  pack::PackedVersion other = version();
  other.name = "kettle_7", other.verdict = "rejected", other.verdict_reason = "identity 0.2";
  const auto done = api::decode_answer<api::ImportedPack>(client().post("import", importing({other})));
  ASSERT_EQ(done.warnings.size(), 2u);
  EXPECT_THAT(done.warnings[0], HasSubstr("easily taken for 'kettle-7'"));
  EXPECT_THAT(done.warnings[1], HasSubstr("identity 0.2"));
  EXPECT_THAT(run({"promote", "kettle_7@1", "--reason", "now"}).err, HasSubstr("identity 0.2")) << "it came along";
}

}  // namespace
}  // namespace conceptd::daemon::test
