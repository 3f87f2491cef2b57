// A small pack, and the ways to bend one.
#pragma once
#include <functional>
#include <vector>

#include "core/pack/pack.h"
#include "core/pack/pack_documents.h"
#include "core/pack/tar.h"
#include "tests/support/expect_error.h"

namespace conceptd::pack::test {

inline PackedVersion version(const std::string& name = "kettle-7", const std::string& delta = "delta: one") {
  return {.name = name,
          .number = 3,
          .class_word = "kettle",
          .method = "perfusion",
          .base_fingerprint = "base-1",
          .seed = 0xfedcba9876543210u,
          .settings = {{"rate", 0.005}},
          .metrics = {{"identity", 0.81}},
          .verdict = "accepted",
          .verdict_reason = "all measures hold",
          .photos = {Digest::of("photo 1"), Digest::of("photo 2")},
          .learned_at = "2026-11-21T01:14:00.000Z",
          .exported_at = "2026-11-22T08:00:00.000Z",
          .release = "0.1.0",
          .delta = delta};
}

// The files of a pack, to be changed and put together again, signed as they are then.
struct Bent {
  std::vector<std::pair<std::string, std::string>> files;

  static Bent of(const std::vector<PackedVersion>& versions) {
    const std::string pack = write_pack(versions);
    Bent bent;
    TarReader reader(pack);
    while (const auto entry = reader.next()) bent.files.emplace_back(entry->name, entry->bytes);
    return bent;
  }
  std::string& file(const std::string& name) {
    for (auto& [known, bytes] : files)
      if (known == name) return bytes;
    throw std::runtime_error("no such file: " + name);
  }
  static std::string blob(const std::string& bytes) { return "blobs/sha256/" + Digest::of(bytes).hex(); }
  // Every document that holds `from` holds `to` instead, and whatever names it by digest follows.
  Bent& replace(const std::string& from, const std::string& to) {
    for (bool changed = true; changed;) {
      changed = false;
      for (auto& [name, bytes] : files) {
        const std::size_t at = bytes.find(from);
        if (at == std::string::npos) continue;
        bytes.replace(at, from.size(), to);
        changed = true;
      }
      if (to.find(from) != std::string::npos) break;
    }
    rename();
    return *this;
  }
  std::string unsigned_tar() const {
    TarWriter tar;
    for (const auto& [name, bytes] : files) tar.add(name, bytes);
    return tar.finish();
  }
  std::string signed_tar(const PrivateKey& key) {
    const Digest index = Digest::of(file("index.json"));
    const Signature signature{.index = index, .key = key.public_key(), .bytes = key.sign(signed_text(index))};
    Bent whole = *this;
    whole.files.insert(whole.files.begin() + 1, {"signature.json", write_signature(signature)});
    return whole.unsigned_tar();
  }

 private:
  // Blobs are named anew, and the documents that named them, sizes included, until nothing changes.
  void rename() {
    for (int round = 0; round < 4; ++round)
      for (std::size_t i = 0; i < files.size(); ++i) {
        const std::string old = files[i].first;
        if (!old.starts_with("blobs/") || old == blob(files[i].second)) continue;
        files[i].first = blob(files[i].second);
        const std::string was = "sha256:" + old.substr(13), is = "sha256:" + files[i].first.substr(13);
        for (auto& [name, bytes] : files)
          if (const std::size_t at = bytes.find(was); at != std::string::npos) {
            bytes.replace(at, was.size(), is);
            const std::size_t size_at = bytes.find("\"size\":", at) + 7, end = bytes.find('}', size_at);
            bytes.replace(size_at, end - size_at, std::to_string(files[i].second.size()));
          }
      }
  }
};

}  // namespace conceptd::pack::test
