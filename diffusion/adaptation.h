// The seam: the frozen model asks three questions, an Adaptation answers them.
//
//   What does this layer yield?                                  linear()
//   Who attends to whom?                                         route()
//   How often does attention run, over what, and how is it mixed? attend(), attend_jointly()
//
// The stock answers are the frozen model's own. Nothing is ever merged into, wrapped around or swapped inside a model:
// models pass `adapt` down and never look at it. A site is the checkpoint prefix of a layer
// ("mid_block.attentions.0.transformer_blocks.0.attn2.to_k").
//
// Legend for this room: b batch, l image tokens, n text tokens, h heads, d head width, c context width, i = h*d, s
// latent side.
#pragma once
#include <string>
#include <vector>

#include "diffusion/torch.h"

namespace conceptd::diffusion {

struct Site {
  std::string path;  // filled once, by name_sites()
};

struct AttendPart {      // these queries see these keys and no others
  Tensor queries, keys;  // int64 row numbers; keys undefined: all
};

struct Attend {  // everything softmax will see
  Tensor query;  // (b, h, l, d)  after projection
  Tensor key;    // (b, h, n, d)
  Tensor value;  // (b, h, n, d)
  Tensor bias;   // broadcasts to (b, h, l, n); undefined: none
  // Not empty: a mask that costs what it leaves open, the same for all rows of the batch. Every query is in one part.
  std::vector<AttendPart> parts = {};
};

// What joint attention reads and yields. In a single-stream block `text` is undefined and `image` is all tokens, those
// of the text first; so is the order of what softmax sees in either kind.
struct JointTokens {
  Tensor image;  // (b, l, width)
  Tensor text;   // (b, n, width)
};

struct AdaptedLinearImpl;
struct AttentionImpl;
struct FluxAttentionImpl;
struct Rotary;

// What one batch changes about the frozen model. It belongs to one batch and one thread, and may keep state over blocks
// and steps.
class Adaptation {
 public:
  virtual ~Adaptation() = default;
  virtual Tensor linear(AdaptedLinearImpl& base, const Tensor& x);  // (…, in) -> (…, out)
  virtual void route(const Site&, Attend&) {}
  virtual Tensor attend(AttentionImpl& attention, const Tensor& x,
                        const Tensor& context);  // (b, l, query width) -> the same
  virtual JointTokens attend_jointly(FluxAttentionImpl& attention, const JointTokens& x, const Rotary& rotary);
};

// A linear layer that an Adaptation may answer for. Weights are (out, in), or (out, in, 1, 1) where the checkpoint
// stores a 1x1 convolution.
struct AdaptedLinearImpl : torch::nn::Module {
  enum class Layout { Linear, Pointwise };
  AdaptedLinearImpl(int64_t in, int64_t out, bool with_bias = true, Layout layout = Layout::Linear);
  Tensor forward(const Tensor& x, Adaptation& adapt) { return adapt.linear(*this, x); }
  Tensor plain(const Tensor& x) const;  // the frozen answer
  Tensor matrix() const;                // (out, in), a view of weight
  Tensor weight, bias;
  Site site;
};
TORCH_MODULE(AdaptedLinear);

// Fills every Site below `model` with its checkpoint prefix. Call once, after construction.
void name_sites(torch::nn::Module& model);

}  // namespace conceptd::diffusion
