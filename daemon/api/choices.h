// What this release can learn and sample with, for whoever must know it while no base model is open: the check of a
// configuration. The same names as learner::learner_names() and diffusion::sampler_names(), which this floor cannot
// see; whoever adds one there adds it here. A base may do with fewer: GET status lists what the daemon offers.
#pragma once
#include <array>
#include <string_view>

namespace conceptd::api {

inline constexpr std::array<std::string_view, 6> kMethods{"perfusion", "textual_inversion", "infusion",
                                                          "lora",      "custom_diffusion",  "tuning_encoder"};
inline constexpr std::array<std::string_view, 9> kSamplers{
    "ddim",    "ddpm", "euler", "euler_karras", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde", "dpmpp_2m_sde_karras",
    "dpmpp_3m"};
// Where Perfusion's concepts look from: diffusion::KeyLock.
inline constexpr std::array<std::string_view, 3> kKeyLocks{"local", "global", "global_edited"};
inline constexpr std::array<std::string_view, 2> kConceptAttention{"auto", "off"};
inline constexpr std::array<std::string_view, 2> kLearnTimes{"at_once", "window"};
inline constexpr std::array<std::string_view, 3> kGateModes{"block", "warn", "off"};
inline constexpr std::array<std::string_view, 4> kRoles{"viewer", "creator", "operator", "admin"};

}  // namespace conceptd::api
