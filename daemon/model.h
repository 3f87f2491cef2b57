// The base model as the rest of the daemon sees it: no tensor, no libtorch. One implementation runs the real network
// (torch_model.h); fake_model.h beside it is for tests of everything else.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/picture/picture.h"
#include "daemon/route.h"

namespace conceptd::daemon {

struct ModelFacts {
  std::string name{};    // the folder's last part: "tiny-64"
  std::string folder{};  // where the worker finds it too
  std::string fingerprint{};
  int side = 0;  // of the pictures it was trained for, in pixels
  int default_steps = 30;
  double default_guidance = 7.5;
  std::string default_sampler{};
  std::vector<std::string> samplers{};
  std::vector<std::string> methods{};  // of learning; the first is the default
  std::string draft_method{};          // which of them learns in seconds; empty: none
  std::string dtype{};
  int threads = 0;
  int cpus = 0;              // that this process may use
  std::string blas{};        // the library that is really bound
  std::string capability{};  // of ATen
  std::vector<std::string> warnings{};
};

// A delta that has been checked against the base and is ready to be used.
class LoadedDelta {
 public:
  virtual ~LoadedDelta() = default;
  // Of a consolidated delta: what it was made from. Empty: a delta of one concept.
  Manifest members{};
};
using DeltaHandle = std::shared_ptr<const LoadedDelta>;

// In place of what each delta says of its own gate; Perfusion's only.
struct GateDial {
  std::optional<double> bias{}, temperature{};
  auto operator<=>(const GateDial&) const = default;
};

// One picture.
struct PictureOrder {
  std::string prompt{};  // each concept as <name>, whatever its version
  std::string negative_prompt{};
  std::vector<DeltaHandle> deltas{};  // a concept each
  DeltaHandle consolidated{};         // not null: draws them all in their place; it holds every one of them
  std::uint64_t seed = 0;
  GateDial gate{};
  std::string key_lock = "local";  // of api::kKeyLocks
  bool attention = false;          // guided, so that none of its two or more concepts is left out (diffusion/guidance)
};

// What pictures of one batch have in common.
struct Sampling {
  std::string sampler{};
  int steps = 0;
  double guidance = 0;
  int width = 0;
  int height = 0;
  auto operator<=>(const Sampling&) const = default;
};

// What generate() ends with when its pictures are not wanted any more.
inline Error nobody_waits() { return Error(Code::cancelled, "nobody waits for these pictures"); }

class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelFacts& facts() const = 0;
  // Is it one word that the tokenizer has as a whole? Callable from any thread, as all but generate().
  virtual bool is_single_token(std::string_view word) const = 0;
  // What the text encoder will not read, because the prompt is too long; empty: nothing. Error{invalid} with field
  // "prompt" if a concept is named in that part only.
  virtual std::string dropped_text(std::string_view prompt) const = 0;
  // Error{conflict} if it belongs to another base, Error{corrupt} if it does not add up.
  virtual DeltaHandle load(std::string delta_bytes, const std::string& what) const = 0;
  // One picture for each order. Only on the device thread. Asks `wanted` before every step and throws
  // nobody_waits() when it says no.
  virtual std::vector<picture::Picture> generate(const Sampling& sampling, std::span<const PictureOrder> orders,
                                                 const std::function<bool()>& wanted) = 0;
};

}  // namespace conceptd::daemon
