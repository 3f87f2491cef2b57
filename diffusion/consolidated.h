// Several concepts in one state: what a night's consolidation makes of single deltas (learner/l2dm), as pure data and
// as the one safetensors document that stores it. docs/format-delta.md describes it. It is a cache: the deltas that it
// was made from, which it names by digest, remain the truth.
//
// Legend: c width of the text encoding, k rows of a placeholder, out width that a site yields, r rank. Tensors, all F32
// or all F16; a site is a ….attn2.to_k or ….attn2.to_v of the base, and all of them are there:
//   w.<kettle-7>           (k, c)    rows of the token table, as the concept's own delta has them; missing where the
//                                    placeholder is read as its class word
//   M.<site>               (out, c)  the closed form
//   down.<site>, up.<site> (r, c), (out, r)  the distilled rest, of all sites or of none
// A layer yields W e + M e + up (down e), at every token of a prompt that names one of the concepts.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/digest.h"
#include "core/json.h"
#include "diffusion/delta.h"

namespace conceptd::diffusion {

inline constexpr const char* kConsolidatedMethod = "consolidated";
inline constexpr const char* kMergedPrefix = "M.";  // + site
inline constexpr std::size_t kMembersMax = 1024;

struct Consolidated {
  struct Member {
    Digest delta = {};  // of the document it came from
    std::string class_word = {};
    Tensor rows = {};  // (k, c); undefined: the placeholder is read as class_word
  };
  struct Factors {
    Tensor down = {}, up = {};
  };
  std::map<std::string, Member> members = {};  // placeholder -> what it was made from: the ancestry
  Digest base_fingerprint = {}, text_encoder_digest = {}, covariance_digest = {};
  Json settings = Json::object();                // all that it was made with, the seed too
  std::map<std::string, Tensor> merged = {};     // site -> M
  std::map<std::string, Factors> residual = {};  // site -> the rest; empty: the closed form alone
  StringMap notes = {};                          // further metadata by full name
};

// Names what a consolidation is a function of: base, members and settings. Its order is nobody's: members are sorted.
Digest consolidation_key(const Consolidated& made);

// The same content and dtype (F32 or F16) always give the same bytes. Error{invalid} names what a document cannot hold.
std::string consolidated_bytes(const Consolidated& made, torch::ScalarType dtype = torch::kFloat);

// Does this document say that it is one? Error as parse_delta() if it is no safetensors file.
bool is_consolidated(const std::string& bytes, const std::string& what);

// Hostile input assumed, errors as parse_delta() has them; a document of one concept is Error{invalid}. fp32.
Consolidated parse_consolidated(std::string bytes, const std::string& what);

// Does it belong to this base? As check_delta().
void check_consolidated(const Consolidated& made, const DeltaBase& base);

// For a prompt that names these placeholders; none: what the layers do, for states that are encoded already. Checks
// first. Error{invalid} names one that is no member. Tensors are shared with `made`.
EditSet consolidated_edits(const Consolidated& made, const DeltaBase& base,
                           const std::vector<std::string>& placeholders);

}  // namespace conceptd::diffusion
