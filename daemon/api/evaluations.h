// How good a version is: what is asked, and what was measured. An evaluation lives in the daemon's memory: a restart
// forgets it, and only the last few are kept.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace conceptd::api {

// POST concepts/{name}/evaluate
struct EvaluateConcept {
  std::optional<std::string> version{};  // a number, an alias, "live" or "previous"; none: live, else newest
  std::optional<std::vector<std::string>> prompts{};  // each has one {}; none: those of the base's gate
  std::optional<int> seeds{};                         // of each prompt; 4
  std::optional<std::string> words{};                 // the thing described, as one more way to ask for it
};

// Means over all pictures of one way; what cannot be said is not there.
struct EvaluatedWay {
  std::string way{};                      // concept, class word, class word, other seeds, words
  std::optional<double> likeness{};       // cosine to the photos
  double fit = 0;                         // cosine to the prompt with the class word in it
  std::optional<double> diversity{};      // of the seeds of one prompt
  std::optional<double> copy_distance{};  // to the nearest photo
  double wasserstein = 0;                 // to the class word's pictures of the same seeds
};

struct EvaluationMeasures {
  std::vector<std::string> prompts{};
  std::vector<EvaluatedWay> ways{};
  double unnamed_divergence = 0;  // latent Fisher divergence: what the bypass keeps from prompts that do not name it
  double seconds = 0;
};

struct EvaluationInfo {
  std::string id{};
  std::string name{};
  int version = 0;
  std::string class_word{};
  int seeds = 0;
  std::string words{};  // empty: none
  std::string actor{};
  std::string state{};  // waiting, running, done, failed, cancelled
  double done = 0;      // 0..1
  double eta_s = -1;    // below 0: not known
  std::string error{};
  std::optional<EvaluationMeasures> measures{};

  bool is_over() const { return state != "waiting" && state != "running"; }
};

struct EvaluationAnswer {
  EvaluationInfo evaluation{};
};

}  // namespace conceptd::api
