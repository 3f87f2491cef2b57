#include "core/error.h"
#include "daemon/api/generate.h"
#include "daemon/api/wire.h"

namespace conceptd::api {
namespace {

std::string number(double value) { return Json(value).dump(); }

}  // namespace

std::string a1111_parameters(const Provenance& p) {
  std::string text = p.prompt;
  if (!p.negative_prompt.empty()) text += "\nNegative prompt: " + p.negative_prompt;
  text += "\nSteps: " + std::to_string(p.steps) + ", Sampler: " + p.sampler + ", CFG scale: " + number(p.guidance) +
          ", Seed: " + std::to_string(p.seed) + ", Size: " + std::to_string(p.width) + "x" + std::to_string(p.height) +
          ", Model hash: " + p.base_fingerprint.substr(0, 10) + ", Model: " + p.base;
  for (const UsedConcept& used : p.concepts)
    text += ", Concept " + used.name + ": version " + std::to_string(used.version);
  return text + ", State: " + std::to_string(p.state) + ", Version: conceptd " + p.release;
}

std::vector<std::pair<std::string, std::string>> png_texts(const Provenance& provenance) {
  return {{kParametersKey, a1111_parameters(provenance)}, {kProvenanceKey, encode(provenance).dump()}};
}

Provenance provenance_from(const std::vector<std::pair<std::string, std::string>>& texts) {
  for (const auto& [key, text] : texts)
    if (key == kProvenanceKey) return decode_answer<Provenance>(parse_json(text, "the picture's 'conceptd' text"));
  throw Error(Code::not_found, "the picture does not say how it was made: it has no 'conceptd' text");
}

}  // namespace conceptd::api
