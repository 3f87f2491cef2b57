// The shape of the embedded text encoder.
#pragma once
#include "diffusion/clip_text.h"

namespace conceptd::pretrain {
diffusion::ClipTextConfig text_config(int64_t vocab_size);  // 3 layers of 192, 6 heads, 32 tokens
}
