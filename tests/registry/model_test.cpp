// Goal: the registry does what a model of twenty lines does. Method: random sequences of every publishing operation,
// run on both; after each step the head must equal the model's, and every older state must still read as it did then.
#include <random>

#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

using Map = std::map<std::string, int>;

struct Model {
  std::vector<Map> states{{}};        // by state id
  std::map<std::string, int> newest;  // by concept; there while it is not removed
  std::map<std::string, std::set<int>> published;
  const Map& head() const { return states.back(); }
  void push(Map next) { states.push_back(std::move(next)); }
};

Map versions_of(const State& state) {
  Map map;
  for (const auto& [name, entry] : state.entries) map[name] = entry.version;
  return map;
}

class RandomScript {
 public:
  RandomScript(Registry& registry, unsigned seed) : registry_(registry), random_(seed) {}

  void step() {
    const std::string name = std::string(1, static_cast<char>('a' + pick(4)));
    switch (pick(6)) {
      case 0:
      case 1:
        return learn(name, pick(4) == 0 ? Verdict::rejected : Verdict::accepted);
      case 2:
        return roll_back(name, 1 + pick(5));
      case 3:
        return roll_back(name, std::nullopt);
      case 4:
        return pick(3) == 0 ? remove(name) : learn(name, Verdict::accepted);
      default:
        return roll_back_state(pick(static_cast<int>(model_.states.size())));
    }
  }

  void check() const {
    ASSERT_EQ(versions_of(*registry_.head()), model_.head());
    ASSERT_EQ(registry_.head()->id, static_cast<std::int64_t>(model_.states.size()) - 1);
    for (std::size_t id = 0; id < model_.states.size(); ++id)
      ASSERT_EQ(versions_of(*registry_.state(static_cast<std::int64_t>(id))), model_.states[id]) << "state " << id;
  }

 private:
  int pick(int count) { return std::uniform_int_distribution(0, count - 1)(random_); }

  void learn(const std::string& name, Verdict verdict) {
    if (!present_.contains(name)) {
      registry_.add_concept(request_for(name));
      present_.insert(name);
    } else {
      registry_.jobs().enqueue({.name = name});
    }
    const int number = learn_once(registry_, name, name + std::to_string(pick(1000)), verdict).version.number;
    ASSERT_EQ(number, ++model_.newest[name]);
    if (verdict == Verdict::rejected) return;
    Map next = model_.head();
    next[name] = number;
    model_.published[name].insert(number);
    model_.push(next);
  }

  void roll_back(const std::string& name, std::optional<int> to) {
    const Map& head = model_.head();
    const int live = head.contains(name) ? head.at(name) : 0;
    std::optional<int> target = to;
    if (!to && live) {
      const auto& published = model_.published[name];
      const auto it = published.lower_bound(live);
      if (it != published.begin()) target = *std::prev(it);
    }
    const bool allowed = present_.contains(name) && target && *target != live &&
                         model_.published[name].contains(*target) && (to || live);
    try {
      registry_.roll_back(name_of(name), to, "model", "");
      ASSERT_TRUE(allowed) << name;
    } catch (const Error& error) {
      ASSERT_FALSE(allowed) << error.what();
      return;
    }
    Map next = head;
    next[name] = *target;
    model_.push(next);
  }

  void remove(const std::string& name) {
    if (!present_.erase(name)) return;
    registry_.remove(name_of(name), "model", "");
    Map next = model_.head();
    if (next.erase(name)) model_.push(next);
  }

  void roll_back_state(int id) {
    Map next;
    for (const auto& [name, number] : model_.states[static_cast<std::size_t>(id)])
      if (present_.contains(name)) next[name] = number;
    try {
      registry_.roll_back_state(id, "model", "");
      ASSERT_NE(next, model_.head());
    } catch (const Error& error) {
      ASSERT_EQ(next, model_.head()) << error.what();
      return;
    }
    model_.push(next);
  }

  Registry& registry_;
  std::mt19937 random_;
  Model model_;
  std::set<std::string> present_;
};

TEST(ModelOfTheRegistry, AgreesOverRandomScripts) {
  spdlog::set_level(spdlog::level::warn);
  const std::filesystem::path fast =
      std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path();
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const TempFolder folder(fast);
    const FakeClock clock;
    const auto registry = Registry::open(folder / "data", clock);
    RandomScript script(*registry, seed);
    for (int i = 0; i < 60; ++i) {
      script.step();
      script.check();
      if (testing::Test::HasFatalFailure()) return;
    }
    ASSERT_THAT(registry->verify(), testing::IsEmpty());
  }
}

}  // namespace
}  // namespace conceptd::registry::test
