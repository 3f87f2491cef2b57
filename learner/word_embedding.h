// The placeholder <name> in prompts: its row of the token table, and prompts around it as the text encoder reads them.
#pragma once
#include <nlohmann/json.hpp>

#include "diffusion/model_bundle.h"

namespace conceptd::learner {
using torch::Tensor;

// The class word's row of the token table (1, c). Error{invalid} with field "class" unless it is one token.
Tensor class_row(diffusion::ModelBundle& bundle, const std::string& class_word);

struct Prompts {
  Tensor ids;        // (t, n) int64, a template each, the placeholder's id at `position`
  Tensor class_ids;  // the same with the class word in its place
  Tensor position;   // (t) int64
};
Prompts fill_templates(const diffusion::ModelBundle& bundle, const std::vector<std::string>& templates,
                       const std::string& class_word);

// The templates that b rows of step `step` show, so that every template comes equally often: (b) int64.
Tensor template_rows(const Prompts& prompts, int64_t step, int64_t b);
// Text states of the templates `rows` (b) with `word` (1, c) in the placeholder's place: (b, n, c), with word's graph.
Tensor encode_rows(diffusion::ModelBundle& bundle, const Prompts& prompts, const Tensor& rows, const Tensor& word);

// rows of (t, n, c) at position (t): (t, c)
Tensor at_position(const Tensor& states, const Tensor& position);

}  // namespace conceptd::learner
