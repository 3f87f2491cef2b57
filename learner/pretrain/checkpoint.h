// What a stage of training leaves behind: a resume file (values, moments, average) and the weights that a base folder
// holds.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "diffusion/safetensors.h"
#include "learner/pretrain/adam.h"
#include "learner/pretrain/flat_parameters.h"

namespace conceptd::pretrain {

// Where a run keeps its work. Everything is written beside its place and renamed, so that a killed run loses minutes
// and never a file.
struct RunFolder {
  std::filesystem::path root;                                  // for example .training
  std::filesystem::path stage(const std::string& name) const;  // made when absent
};

void write_json(const std::filesystem::path& path, const nlohmann::json& value);  // its folder is made when absent

void save_resume(const std::filesystem::path& folder, const Adam& adam, const nlohmann::json& progress);
// Fills `adam` and returns the progress that was saved, or nothing when there is none or it is of another size.
std::optional<nlohmann::json> load_resume(const std::filesystem::path& folder, Adam& adam);

// Weights in fp16 beside their config.json, in the diffusers layout. `values` is laid out as `flat` says.
void save_component(const std::filesystem::path& folder, const std::string& file, const FlatParameters& flat,
                    const Tensor& values, const nlohmann::json& config);
// Copies weights into a module, `from` says whose. Error{corrupt} names a key that is missing or too much.
void copy_weights(diffusion::TensorMap weights, const std::string& from, torch::nn::Module& module);
void load_component(const std::filesystem::path& file, torch::nn::Module& module);  // all of a file

}  // namespace conceptd::pretrain
