#include "diffusion/textual_inversion.h"

#include "core/error.h"

namespace conceptd::diffusion {

std::vector<TextualInversion> read_textual_inversions(const SafetensorsFile& file, int64_t width) {
  constexpr int64_t kRowsMax = 75;  // more do not fit a prompt
  std::vector<TextualInversion> all;
  for (const auto& name : file.names()) {
    const auto& entry = file.entry(name);
    const auto& shape = entry.shape;
    const bool floating = torch::isFloatingType(entry.dtype);
    const bool fits = floating && (shape.size() == 1 || (shape.size() == 2 && shape[0] >= 1 && shape[0] <= kRowsMax));
    if (!fits || shape.back() != width) {
      throw Error(Code::corrupt, file.what() + ": tensor '" + name + "' is not an embedding of width " +
                                     std::to_string(width) + " in at most " + std::to_string(kRowsMax) + " rows");
    }
    all.push_back({name == "emb_params" ? "" : name, file.tensor(name).to(torch::kFloat).view({-1, width})});
  }
  if (all.empty()) throw Error(Code::corrupt, file.what() + ": holds no embedding");
  return all;
}

}  // namespace conceptd::diffusion
