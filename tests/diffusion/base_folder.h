// A base folder to break: the goldens' small model with a vocabulary of a few words (CLIP's own is not in this
// repository).
#pragma once
#include <gtest/gtest.h>

#include "diffusion/model_bundle.h"
#include "diffusion/safetensors.h"
#include "tests/diffusion/golden_models.h"
#include "tests/support/temp_folder.h"

namespace conceptd::diffusion {

class BaseFolder : public testing::Test {
 protected:
  BaseFolder() {
    std::filesystem::copy(test::golden("tiny-sd"), folder.path(), std::filesystem::copy_options::recursive);
    std::filesystem::remove_all(folder / "tokenizer");
    std::filesystem::create_directory(folder / "tokenizer");
    test::plant(folder / "tokenizer/vocab.json", R"({"a</w>":0,"<|startoftext|>":1,"<|endoftext|>":2})");
    test::plant(folder / "tokenizer/merges.txt", "#version: 0.2\n");
  }
  ModelBundle open(torch::ScalarType compute = torch::kFloat) const {
    return ModelBundle::open(folder.path(), {.compute = compute});
  }
  void change_json(const std::string& name, const std::string& key, const Json& value) const {
    auto json = parse_json(test::contents(folder / name), name);
    json[key] = value;
    test::plant(folder / name, json.dump());
  }
  template <class Change>
  void change_weights(const std::string& name, Change change) const {
    auto tensors = load_safetensors(folder / name);
    change(tensors);
    save_safetensors(folder / name, tensors, {{"written", "again"}});
  }
  test::TempFolder folder;
};

}  // namespace conceptd::diffusion
