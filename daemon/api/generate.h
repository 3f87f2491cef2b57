// Pictures: the request, the answer, and what every picture carries inside it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/concepts.h"

namespace conceptd::api {

// POST generate. What is not given is the base model's own default.
struct GenerateRequest {
  std::string prompt{};
  std::optional<std::string> negative_prompt{};
  std::optional<std::int64_t> seed{};  // of the first picture; the others count on from it
  std::optional<int> steps{};
  std::optional<double> guidance{};
  std::optional<int> count{};
  std::optional<std::string> sampler{};
  std::optional<int> width{};
  std::optional<int> height{};
  // Of Perfusion's gates, in place of each delta's own: less bias and more temperature, more of the thing and less of
  // the rest of the prompt. Other methods have no gate.
  std::optional<double> gate_bias{};
  std::optional<double> gate_temperature{};
  std::optional<std::string> key_lock{};  // of kKeyLocks; not given: local
  // Guidance by attention where the prompt names two or more concepts: "auto" or "off".
  std::optional<std::string> concept_attention{};
  // May a night's consolidated delta draw two or more concepts that it holds? Not given: yes. false: the sum of their
  // own deltas does.
  std::optional<bool> consolidated{};
};

struct UsedConcept {
  std::string name{};
  int version = 0;
  std::string digest{};  // of its delta
  std::string method{};
};

struct GeneratedImage {
  std::int64_t seed = 0;
  Bytes png{};
};

struct GenerateResponse {
  std::vector<GeneratedImage> images{};
  std::string prompt{};
  std::int64_t state = 0;
  std::vector<UsedConcept> concepts{};
  std::optional<std::string>
      consolidated{};  // the digest of the night's delta that drew them in their own deltas' place
  std::string base{};
  std::string base_fingerprint{};
  std::string sampler{};
  int steps = 0;
  double guidance = 0;
  int width = 0;
  int height = 0;
  std::vector<std::string> warnings{};
  double seconds = 0;   // of computing
  double queued_s = 0;  // before that
};

// All that it takes to make the same picture again.
struct Provenance {
  std::string release{};
  std::string prompt{};
  std::string negative_prompt{};
  std::int64_t seed = 0;
  std::string sampler{};
  int steps = 0;
  double guidance = 0;
  int width = 0;
  int height = 0;
  std::int64_t state = 0;
  std::vector<UsedConcept> concepts{};
  std::string base{};
  std::string base_fingerprint{};
  std::optional<double> gate_bias{};
  std::optional<double> gate_temperature{};
  std::optional<std::string> key_lock{};
  std::optional<std::string> concept_attention{};  // "auto" where it guided this picture
  std::optional<std::string> consolidated{};       // as GenerateResponse
};

inline constexpr const char* kProvenanceKey = "conceptd";    // JSON of Provenance
inline constexpr const char* kParametersKey = "parameters";  // the same in the form that A1111's tools read

// The texts of a PNG, in this order: parameters, conceptd.
std::vector<std::pair<std::string, std::string>> png_texts(const Provenance& provenance);
// From those texts; Error{not_found} if there is none of ours.
Provenance provenance_from(const std::vector<std::pair<std::string, std::string>>& texts);
std::string a1111_parameters(const Provenance& provenance);

}  // namespace conceptd::api
