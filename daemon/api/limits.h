// What a request may ask for, whoever sends it. The daemon refuses more; the client knows before it asks.
#pragma once
#include <cstddef>
#include <cstdint>

namespace conceptd::api {

inline constexpr std::size_t kPromptBytesMax = 2000;
inline constexpr int kStepsMax = 200;  // of sampling
inline constexpr int kLearnStepsMax = 10'000;
inline constexpr double kDeadlineSecondsMax = 366. * 86'400;  // of a job
inline constexpr int kSettingsMax = 32;                       // of a method, in one request
inline constexpr int kCountMax = 16;                          // pictures a request
inline constexpr int kEvaluatedSeedsMax = 16, kEvaluatedPromptsMax = 32;
inline constexpr int kEvaluatedPicturesMax = 128;  // of one way of asking: prompts x seeds
inline constexpr int kSideMin = 16;                // pixels of a picture asked for
inline constexpr int kSideMax = 2048;
// Pictures x steps x area, in steps of one picture of the base's own size: what one request may keep the model busy
// with. 16 pictures of 200 steps, or one of 50 steps and eight times the side.
inline constexpr int kPictureStepsMax = 3200;
inline constexpr double kGuidanceMax = 30;
inline constexpr std::int64_t kSeedMax = (std::int64_t{1} << 53) - 1;  // every JSON reader has these numbers exactly
inline constexpr std::size_t kPhotosMax = 30;
inline constexpr std::size_t kPhotoBytesMax = 16u << 20;
inline constexpr std::size_t kAddBytesMax = 96u << 20;  // the body of POST /concepts
// All photos of a request: base64 makes four bytes of three, and a megabyte is left for the rest of the body.
inline constexpr std::size_t kPhotosBytesMax = (kAddBytesMax - (1u << 20)) / 4 * 3;
inline constexpr std::size_t kBodyBytesMax = 1u << 20;  // any other body
inline constexpr std::size_t kReasonBytesMax = 500;
inline constexpr double kPauseSecondsMax = 366. * 86'400;
inline constexpr std::int64_t kTokenLifetimeDefault_s = 90 * 86'400;
inline constexpr std::int64_t kTokenLifetimeMax_s = 3650ll * 86'400;
inline constexpr int kKeepStatesMax = 1'000'000;  // of gc
inline constexpr std::int64_t kAgeMax_s = 3650ll * 86'400;

}  // namespace conceptd::api
