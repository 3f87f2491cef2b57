// What is being served: one published state with its deltas loaded. It is built beside the one in use and then takes
// its place by one pointer store, so a picture sees one state or the next and never a mixture.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "daemon/model.h"
#include "registry/registry.h"

namespace conceptd::daemon {

struct LiveConcept {
  int version = 0;
  Digest digest{};
  std::string method{};
  DeltaHandle delta{};    // null: it cannot be used
  std::string problem{};  // why not
};

struct LiveState {
  std::shared_ptr<const registry::State> state{};
  std::map<std::string, LiveConcept, std::less<>> concepts{};
  Manifest manifest{};  // the same by digest alone
  // What a night made of just these versions, or of most of them (its members say which); null: nothing, or it cannot
  // be used.
  DeltaHandle consolidated{};
  std::optional<Digest> consolidated_digest{};  // with it
};

class LiveStates {
 public:
  LiveStates(const registry::Registry& registry, const Model& model) : registry_(registry), model_(model) {}

  // The registry's head: whoever was told that something is published gets it. A delta that cannot be loaded makes its
  // concept unusable, not the state.
  std::shared_ptr<const LiveState> now();
  // A version that is not the live one, for <name@3>. Error{not_found}; throws what loading throws.
  LiveConcept pinned(const registry::ConceptName& name, int version);

 private:
  std::shared_ptr<const LiveState> build(std::shared_ptr<const registry::State> head);
  DeltaHandle load(const Digest& digest, const std::string& what);

  // Constant after construction.
  const registry::Registry& registry_;
  const Model& model_;

  std::atomic<std::shared_ptr<const LiveState>> live_;  // null before the first now()

  // Guarded by mutex_.
  std::mutex mutex_;
  std::map<Digest, DeltaHandle> loaded_;  // of the live state, and the last few pinned ones
};

}  // namespace conceptd::daemon
