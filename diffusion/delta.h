// A delta: one concept as pure data, and the one safetensors document that stores it. docs/format-delta.md is the
// document's description; every name below stands in it.
//
// Legend: c width of the text encoding, k rows of the placeholder, out width that a site yields. A site is a checkpoint
// prefix ("….attn2.to_k"). Tensors by method (all F32 or all F16):
//   perfusion           w (1, c), i* (c), o_K.<site> (out) for every ….attn2.to_k, o_V.<site> (out) for every
//                       ….attn2.to_v
//   textual_inversion   w (k, c)
//   infusion            r_V.<site> (out) for every ….attn2.to_v; in its parity mode also r_K.<site> (out) for every
//                       ….attn2.to_k, and then no map is borrowed
//   infusion, compact   r_V, s_V: the same in six bits a value
//   lora                w (k, c), down.<site> (r, in) and up.<site> (out, r) for any attention projections of the
//                       denoiser
//   tuning_encoder      w (1, c), down.<site> (r, in) and up.<site> (out, r) as lora's, and in the metadata the hard
//   path:
//                       its word and alpha
//   custom_diffusion    w (k, c), D.<site> (out, in) for every ….attn2.to_k and ….attn2.to_v
// Perfusion's k = C⁻¹ i* / (i*ᵀ C⁻¹ i*) is not stored: C belongs to the base (token_covariance.h), its digest to the
// delta.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "core/digest.h"
#include "core/json.h"
#include "diffusion/edits/edits.h"
#include "diffusion/safetensors.h"

namespace conceptd::diffusion {

class TokenCovariance;
struct ModelBundle;

inline constexpr const char* kWordTensor = "w";              // rows of the token table for the placeholder
inline constexpr const char* kInputTensor = "i*";            // Perfusion's target input
inline constexpr const char* kKeyPrefix = "o_K.";            // + site: Perfusion's target output of a key layer
inline constexpr const char* kValuePrefix = "o_V.";          // + site: of a value layer
inline constexpr const char* kValueResidualPrefix = "r_V.";  // + site: Infusion's residual of a value layer
inline constexpr const char* kKeyResidualPrefix = "r_K.";    // + site: of a key layer; in the parity mode only
inline constexpr const char* kDownPrefix = "down.";          // + site: a low-rank adapter
inline constexpr const char* kUpPrefix = "up.";              // + site: its other half

inline constexpr const char* kDifferencePrefix = "D.";  // + site: Custom Diffusion's W' - W

inline constexpr const char* kPackedTensor = "r_V";  // all r_V.<site> in six bits a value
inline constexpr const char* kScalesTensor = "s_V";  // one a site
inline constexpr const char* kValueSiteSuffix = ".attn2.to_v";

inline constexpr std::uint64_t kDeltaBytesMax = 64u << 20;

struct Delta {
  std::string method = {};              // one of delta_methods()
  std::string class_word = {};          // "kettle"
  std::string placeholder = {};         // "<kettle-7>", as written in prompts
  Digest base_fingerprint = {};         // ModelBundle::fingerprint of the base it was learnt on
  Digest text_encoder_digest = {};      // parameter_digest() of that base's text encoder; all zero: not stated
  Digest covariance_digest = {};        // TokenCovariance::digest(); all zero where the method needs none
  double bias = .7, temperature = .15;  // the gate that a request gets unless it asks for another: Perfusion's β, τ
  std::string hard_word = {};           // tuning_encoder: what the hard path reads in the placeholder's place
  double alpha = .5;                    // tuning_encoder: the soft path's share
  Json settings = Json::object();       // what it was learnt with, for people and for learning it again
  StringMap notes = {};                 // further metadata by full name: "ss_steps", "conceptd.eval.identity"
  TensorMap tensors = {};               // by the names above
  bool compact = false;                 // Infusion without r_K: stored as r_V, s_V (packed_residuals.h)
};

// What a delta must fit: a base as far as edits can see it.
struct DeltaBase {
  Digest fingerprint = {}, text_encoder_digest = {};
  int64_t text_width = 0;                           // c
  std::map<std::string, int64_t> key_sites = {};    // ….attn2.to_k -> out
  std::map<std::string, int64_t> value_sites = {};  // ….attn2.to_v -> out
  struct Widths {
    int64_t out = 0, in = 0;
  };
  std::map<std::string, Widths> projections = {};  // ….to_q, to_k, to_v, to_out.0 of every attention
  const TokenCovariance* covariance = nullptr;     // null: the base has none; then no Perfusion delta can be used
  static DeltaBase of(const ModelBundle& bundle, const TokenCovariance* covariance);
};

// Per request. What is not said is the delta's own.
struct GateChoice {
  std::optional<double> bias = {}, temperature = {};
};

const std::vector<std::string>& delta_methods();

// The same delta and dtype (F32 or F16; a compact one has its own) always give the same bytes. Error{invalid} names a
// tensor that is not finite, or not in this dtype, or a field that a document cannot hold.
std::string delta_bytes(const Delta& delta, torch::ScalarType dtype = torch::kFloat);

// Hostile input assumed: Error{corrupt} names what does not add up; an unknown method, or a format newer than ours, is
// Error{invalid}. Tensors come back in fp32. `what` names the document in messages.
Delta parse_delta(std::string bytes, const std::string& what);

// Does it belong to this base? Error{conflict} says what differs and what to do; Error{corrupt} names a tensor that is
// missing, of another shape, or for a site that the base does not have.
void check_delta(const Delta& delta, const DeltaBase& base);

// The typed edits, for prepare_prompt() and what runs them; checks first.
EditSet delta_edits(const Delta& delta, const DeltaBase& base, const GateChoice& gate = {});

}  // namespace conceptd::diffusion
