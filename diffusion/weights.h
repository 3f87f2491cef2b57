// A checkpoint into a module, and the proof that the module still holds it.
#pragma once
#include <utility>
#include <vector>

#include "core/digest.h"
#include "diffusion/safetensors.h"

namespace conceptd::diffusion {

struct LoadOptions {
  torch::ScalarType dtype = torch::kFloat;  // of the module's parameters afterwards; the file has F16, BF16 or F32
  // Older spellings: a key that ends with .first.weight or .first.bias is read as .second.weight, .second.bias.
  std::vector<std::pair<std::string, std::string>> renames = {};
};

// Every parameter gets the file's tensor of its name, and the module is frozen (eval, no gradients). Names must match
// exactly, but for position_ids; shapes too. Error{corrupt} names the file and the keys. Parameters that need no
// conversion are views of the mapped file, shared by all processes; convolutions are laid out channels last.
void load_weights(torch::nn::Module& module, const SafetensorsFile& file, const LoadOptions& options = {});

// SHA-256 over names, dtypes, shapes and bytes, in the order of names: the same however a file is laid out.
Digest tensor_digest(const SafetensorsFile& file);
// The same over what the module's parameters hold now. Before and after learning it must not differ.
Digest parameter_digest(const torch::nn::Module& module);

}  // namespace conceptd::diffusion
