#include "diffusion/weights.h"

#include <algorithm>
#include <sstream>

#include "core/error.h"

namespace conceptd::diffusion {
namespace {

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string text;
  for (std::size_t k = 0; k < std::min(names.size(), kShown); ++k) text += (k ? ", " : "") + names[k];
  return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
}

std::string shown(at::IntArrayRef shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

std::string renamed(std::string name, const LoadOptions& options) {
  for (const auto& [from, to] : options.renames) {
    for (const std::string last : {".weight", ".bias"}) {
      if (name.ends_with("." + from + last)) return name.substr(0, name.size() - from.size() - last.size()) + to + last;
    }
  }
  return name;
}

Tensor converted(const SafetensorsFile& file, const std::string& name, const Tensor& like, torch::ScalarType dtype) {
  const auto& entry = file.entry(name);
  const auto refuse = [&](const std::string& why) {
    return Error(Code::corrupt, file.what() + ": tensor '" + name + "' " + why);
  };
  if (like.sizes() != at::IntArrayRef(entry.shape)) {
    throw refuse("has shape " + shown(entry.shape) + " where the configuration asks for " + shown(like.sizes()));
  }
  if (entry.dtype != torch::kFloat && entry.dtype != torch::kHalf && entry.dtype != torch::kBFloat16) {
    throw refuse("is not F16, BF16 or F32");
  }
  auto value = file.view(name).to(dtype);
  return value.dim() == 4 ? value.contiguous(at::MemoryFormat::ChannelsLast) : value;
}

void add_tensor(Sha256& sha, const std::string& name, torch::ScalarType dtype, at::IntArrayRef shape,
                std::string_view bytes) {
  sha.update(name + '\0' + torch::toString(dtype) + '\0' + shown(shape) + '\0').update(bytes);
}

}  // namespace

void load_weights(torch::nn::Module& module, const SafetensorsFile& file, const LoadOptions& options) {
  torch::NoGradGuard guard;
  std::map<std::string, std::string> sources;  // by parameter
  for (const auto& name : file.names()) {
    if (!name.ends_with("position_ids")) sources.emplace(renamed(name, options), name);
  }
  std::vector<std::string> missing, unexpected;
  auto parameters = module.named_parameters();
  for (const auto& item : parameters) {
    if (!sources.contains(item.key())) missing.push_back(item.key());
  }
  for (const auto& [name, source] : sources) {
    if (!parameters.contains(name)) unexpected.push_back(source);
  }
  if (!missing.empty() || !unexpected.empty()) {
    throw Error(Code::corrupt, file.what() + ":" + (missing.empty() ? "" : " lacks " + listed(missing)) +
                                   (missing.empty() || unexpected.empty() ? "" : ";") +
                                   (unexpected.empty() ? "" : " has unknown keys " + listed(unexpected)));
  }
  for (auto& item : parameters) {
    item.value().set_data(converted(file, sources.at(item.key()), item.value(), options.dtype));
    item.value().set_requires_grad(false);
  }
  module.eval();
}

Digest tensor_digest(const SafetensorsFile& file) {
  Sha256 sha;
  for (const auto& name : file.names()) {
    const auto& entry = file.entry(name);
    add_tensor(sha, name, entry.dtype, entry.shape, entry.bytes);
  }
  return sha.finish();
}

Digest parameter_digest(const torch::nn::Module& module) {
  Sha256 sha;
  std::map<std::string, Tensor> ordered;
  for (const auto& item : module.named_parameters()) ordered.emplace(item.key(), item.value().detach().cpu());
  for (const auto& [name, tensor] : ordered) {
    const auto plain = tensor.contiguous();
    add_tensor(sha, name, plain.scalar_type(), plain.sizes(),
               {static_cast<const char*>(plain.data_ptr()), plain.nbytes()});
  }
  return sha.finish();
}

}  // namespace conceptd::diffusion
