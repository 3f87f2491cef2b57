#include "daemon/photo_checks.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>

#include "core/picture/metadata.h"

namespace conceptd::daemon {
namespace {

using picture::PhotoFacts;

constexpr double kFlat = 4, kDark = 16, kBright = 245;  // of 255
constexpr double kAspectMax = 3;
constexpr int kSameBits = 2;  // of 64

std::string field_of(std::size_t i) { return "photos[" + std::to_string(i) + "]"; }

bool is_flat(const PhotoFacts& facts) { return facts.contrast < kFlat; }

std::string folded(const std::string& name) {
  static const std::map<char, char> kAlike{{'0', 'o'}, {'1', 'l'}, {'i', 'l'}, {'5', 's'}, {'_', '-'}, {'.', '-'}};
  std::string fold;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool rn = name[i] == 'r' && i + 1 < name.size() && name[i + 1] == 'n';
    const auto alike = kAlike.find(name[i]);
    fold += rn ? 'm' : alike == kAlike.end() ? name[i] : alike->second;
    if (rn) ++i;
  }
  return fold;
}

// Of photos that another concept has too.
std::vector<std::string> warnings_about_others(const Services& services, const std::vector<registry::NewPhoto>& photos,
                                               const std::vector<std::string>& who) {
  std::map<Digest, std::string> known;
  for (const registry::ConceptRecord& record : services.registry.list())
    for (const registry::Photo& photo : record.photos) known.emplace(photo.digest, record.name);
  std::map<std::string, std::string> shared;  // by the other concept
  for (std::size_t i = 0; i < photos.size(); ++i)
    if (const auto found = known.find(Digest::of(photos[i].bytes)); found != known.end()) {
      std::string& list = shared[found->second];
      list += (list.empty() ? "" : ", ") + who[i];
    }
  std::vector<std::string> warnings;
  for (const auto& [name, list] : shared)
    warnings.push_back(name + " has these photos too, and two names for one thing learn it twice: " + list);
  return warnings;
}

}  // namespace

CheckedPhotos check_photos(const Services& services, std::vector<api::PhotoUpload>& uploads) {
  const int photos_max = services.config.photos_max;
  if (uploads.empty()) throw Error(Code::invalid, "a concept is learnt from photos, and there is none", "photos");
  if (static_cast<int>(uploads.size()) > photos_max)
    throw Error(
        Code::invalid,
        std::to_string(uploads.size()) + " photos are too many; at most " + std::to_string(photos_max) + " are taken",
        "photos");
  CheckedPhotos checked;
  std::vector<PhotoFacts> facts;
  std::vector<std::string> who;
  PhotoDecoder decoder(services.decoder);
  for (std::size_t i = 0; i < uploads.size(); ++i) {
    who.push_back(field_of(i) + " (" + uploads[i].name + ")");
    try {
      std::string& bytes = uploads[i].data.data;
      facts.push_back(decoder.examine(bytes));
      bytes = picture::without_metadata(bytes, facts.back().info.format);
    } catch (const Error& error) {
      throw Error(error.code(), who[i] + ": " + error.what(), field_of(i));
    }
    checked.photos.push_back({.bytes = std::move(uploads[i].data.data),
                              .media_type = std::string(media_type(facts[i].info.format)),
                              .original_name = uploads[i].name,
                              .caption = uploads[i].caption.value_or(""),
                              .width = facts[i].info.width,
                              .height = facts[i].info.height});
  }
  checked.warnings = warnings_about(facts, who);
  for (std::string& warning : warnings_about_others(services, checked.photos, who))
    checked.warnings.push_back(std::move(warning));
  return checked;
}

std::vector<std::string> warnings_about(const std::vector<PhotoFacts>& facts, const std::vector<std::string>& who) {
  std::vector<std::string> warnings;
  std::string placed;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const PhotoFacts& photo = facts[i];
    if (photo.has_position) placed += (placed.empty() ? "" : ", ") + who[i];
    const auto [shorter, longer] = std::minmax(photo.info.width, photo.info.height);
    if (longer > kAspectMax * shorter)
      warnings.push_back(fmt::format("{} is {}x{}, and only the {}x{} in its middle are learnt from", who[i],
                                     photo.info.width, photo.info.height, shorter, shorter));
    if (is_flat(photo)) {
      warnings.push_back(who[i] + " is of one colour all over, and nothing can be learnt from it");
      continue;
    }
    if (photo.brightness < kDark) warnings.push_back(who[i] + " is nearly black");
    if (photo.brightness > kBright) warnings.push_back(who[i] + " is nearly white");
    const auto same =
        std::find_if(facts.begin(), facts.begin() + static_cast<std::ptrdiff_t>(i), [&](const auto& other) {
          return !is_flat(other) && picture::difference(other.outline, photo.outline) <= kSameBits;
        });
    if (same != facts.begin() + static_cast<std::ptrdiff_t>(i))
      warnings.push_back(who[i] + " looks the same as " + who[static_cast<std::size_t>(same - facts.begin())] +
                         "; another view or another background teaches more");
  }
  if (!placed.empty())
    warnings.push_back("EXIF says where these were taken; that is not kept here, but the files have it: " + placed);
  return warnings;
}

std::string look_alike(const std::string& name, const std::vector<std::string>& known) {
  const std::string fold = folded(name);
  for (const std::string& other : known)
    if (other != name && folded(other) == fold) return other;
  return {};
}

}  // namespace conceptd::daemon
