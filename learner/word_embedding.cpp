#include "learner/word_embedding.h"
#include "learner/template.h"

namespace conceptd::learner {
using diffusion::Placeholder;

Tensor class_row(diffusion::ModelBundle& bundle, const std::string& class_word) {
  if (!bundle.tokenizer.is_single_token(class_word)) {
    throw Error(Code::invalid,
                "the base model does not know '" + class_word + "' as one word; choose a broader class word", "class");
  }
  const auto id = bundle.tokenizer.token_ids(class_word).at(0);
  return bundle.text_encoder->text_model->embeddings->token_embedding->weight[id]
      .detach()
      .to(torch::kFloat)
      .clone()
      .unsqueeze(0);
}

Prompts fill_templates(const diffusion::ModelBundle& bundle, const std::vector<std::string>& templates,
                       const std::string& class_word) {
  const std::string sign = "<*>";
  const auto fresh = bundle.first_placeholder_id(), word = bundle.tokenizer.token_ids(class_word).at(0);
  const std::vector<Placeholder> mine{{sign, {fresh}}}, plain{{sign, {word}}};
  std::vector<diffusion::Encoding> ids, class_ids;
  std::vector<int64_t> position;
  for (auto text : templates) {
    text = filled(text, sign);
    ids.push_back(bundle.tokenizer.encode(text, mine));
    class_ids.push_back(bundle.tokenizer.encode(text, plain));
    const auto& row = ids.back().ids;
    position.push_back(std::find(row.begin(), row.end(), fresh) - row.begin());
  }
  return {diffusion::ids_tensor(ids), diffusion::ids_tensor(class_ids), torch::tensor(position)};
}

Tensor template_rows(const Prompts& prompts, int64_t step, int64_t b) {
  return torch::remainder(torch::arange(b) + step * b, prompts.ids.size(0));
}

Tensor encode_rows(diffusion::ModelBundle& bundle, const Prompts& prompts, const Tensor& rows, const Tensor& word) {
  diffusion::Adaptation base;
  const diffusion::ClipTextOptions options{.placeholder_rows = word};
  if (rows.size(0) <= prompts.ids.size(0)) {
    return bundle.text_encoder(prompts.ids.index_select(0, rows), base, options).last_hidden_state;
  }
  return bundle.text_encoder(prompts.ids, base, options).last_hidden_state.index_select(0, rows);
}

Tensor at_position(const Tensor& states, const Tensor& position) {
  const auto index = position.view({-1, 1, 1}).expand({-1, 1, states.size(2)});
  return states.gather(1, index).squeeze(1);
}

}  // namespace conceptd::learner
