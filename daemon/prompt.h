// Concepts in prompts: <name> stands for the live version, <name@3> and <name@alias> for that one.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "registry/concept_name.h"

namespace conceptd::daemon {

struct Prompt {
  std::string text{};                                    // as the model reads it: <name@3> has become <name>
  std::vector<registry::ConceptReference> references{};  // each concept once, in order
};

// What stands between < and > without a space is meant as a concept: Error{not_found} with near misses among `known` if
// it is none, Error{invalid} if one concept is asked for in two versions. Other < and > are text.
Prompt read_prompt(std::string_view prompt, const std::vector<std::string>& known);

// What to offer beside that error: "<kettle-7>".
std::vector<std::string> suggestions_for(std::string_view prompt, const std::vector<std::string>& known);

bool mentions_concepts(std::string_view text);

// The words of a prompt, concepts and punctuation left out, each once.
std::vector<std::string> words_of(std::string_view prompt);

}  // namespace conceptd::daemon
