// The only include of libtorch. clang 14 needs ivalue.h first: in C++20 it sees an incomplete c10::IValue otherwise.
#pragma once
#include <ATen/core/ivalue.h>
#include <torch/torch.h>

namespace conceptd::diffusion {
using torch::Tensor;
}
