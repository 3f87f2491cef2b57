// A Model for tests of everything but the model: it knows a few words, takes any delta that begins with "delta:", and
// paints pictures of one colour that depends on the prompt, the deltas and the seed.
#pragma once
#include <atomic>
#include <functional>
#include <set>
#include <sstream>

#include "core/digest.h"
#include "core/error.h"
#include "daemon/model.h"

namespace conceptd::daemon {

struct FakeDelta final : LoadedDelta {
  std::string bytes{};
};

class FakeModel final : public Model {
 public:
  static constexpr std::string_view kAll = "delta:of all:";  // what it takes for a consolidated delta
  FakeModel() {
    facts_ = {.name = "fake",
              .folder = "/nowhere",
              .fingerprint = Digest::of("fake base").hex(),
              .side = 64,
              .default_steps = 4,
              .default_guidance = 5,
              .default_sampler = "ddim",
              .samplers = {"ddim", "euler"},
              .methods = {"fake", "other"},
              .dtype = "fp32",
              .threads = 1,
              .cpus = 1,
              .blas = "none",
              .capability = "none"};
  }

  const ModelFacts& facts() const override { return facts_; }
  void draft_with(const std::string& method) { facts_.draft_method = method; }
  bool is_single_token(std::string_view word) const override {
    static const std::set<std::string_view> kKnown{"a", "on", "the", "beach", "kettle", "mug", "and", "at", "night"};
    return kKnown.contains(word);
  }
  std::string dropped_text(std::string_view prompt) const override {
    return prompt.size() > 200 ? std::string(prompt.substr(200)) : std::string();
  }
  DeltaHandle load(std::string bytes, const std::string& what) const override {
    if (!bytes.starts_with("delta:")) throw Error(Code::corrupt, what + " is not a delta");
    auto delta = std::make_shared<FakeDelta>();
    delta->bytes = std::move(bytes);
    if (delta->bytes.starts_with(kAll)) {  // "delta:of all:a,b|delta:a:1:3|delta:b:1:3"
      const auto end = delta->bytes.find('|');
      std::istringstream names(delta->bytes.substr(kAll.size(), end - kAll.size())),
          parts(delta->bytes.substr(end + 1));
      for (std::string name, part; std::getline(names, name, ',') && std::getline(parts, part, '|');)
        delta->members.emplace(name, Digest::of(part));
    }
    return delta;
  }
  std::vector<picture::Picture> generate(const Sampling& sampling, std::span<const PictureOrder> orders,
                                         const std::function<bool()>& wanted) override {
    ++batches;
    if (before_batch) before_batch();
    for (int step = 0; step < sampling.steps; ++step) {
      if (before_step) before_step(step);
      if (!wanted()) throw nobody_waits();
      ++steps;
    }
    std::vector<picture::Picture> pictures;
    for (const PictureOrder& order : orders) {
      std::string everything = order.prompt + "|" + order.negative_prompt + "|" + std::to_string(order.seed);
      if (order.attention) everything += "|guided";
      if (order.consolidated) everything += "|" + static_cast<const FakeDelta&>(*order.consolidated).bytes;
      for (const DeltaHandle& delta : order.deltas) everything += "|" + static_cast<const FakeDelta&>(*delta).bytes;
      const Digest colour = Digest::of(everything);
      picture::Picture picture{.width = sampling.width, .height = sampling.height};
      for (int i = 0; i < 3 * sampling.width * sampling.height; ++i)
        picture.rgb.push_back(static_cast<std::uint8_t>(colour.raw()[static_cast<std::size_t>(i % 3)]));
      pictures.push_back(std::move(picture));
    }
    return pictures;
  }

  std::function<void()> before_batch;  // on the device thread; set before the first request
  std::function<void(int step)> before_step;
  std::atomic<int> batches = 0, steps = 0;  // begun; taken

 private:
  ModelFacts facts_;
};

}  // namespace conceptd::daemon
