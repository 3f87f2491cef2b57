// The real Model: a frozen base in libtorch.
#pragma once
#include <memory>

#include "daemon/config.h"
#include "daemon/model.h"

namespace conceptd::daemon {

// Sets the process up for computing (threads, instruction set) and loads the base that the configuration names. Call it
// before anything else touches a tensor.
std::unique_ptr<Model> open_torch_model(const Config& config);

}  // namespace conceptd::daemon
