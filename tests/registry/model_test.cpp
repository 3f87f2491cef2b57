// Goal: the registry does what a model of a hundred lines does, over whole lives. Method: random sequences of every
// operation by many clients, with clocks that jump, deaths in the middle, and backups that life goes on from; run on
// both. After each operation the head must equal the model's; at the end every state must still read as it did, and
// every byte be there that the model says is kept.
//
// CONCEPTD_LONG_TESTS=1 lives 10,000 lives instead of 200; CONCEPTD_SEED=7 lives the seventh alone.
#include <algorithm>
#include <cstdlib>
#include <random>

#include "core/file_io.h"
#include "registry/exchange.h"
#include "registry/night_store.h"
#include "registry/restore.h"
#include "tests/registry/registry_fixture.h"

namespace conceptd::registry::test {
namespace {

namespace fs = std::filesystem;
using Map = std::map<std::string, int>;

struct Concept {
  bool present = false;  // not removed
  bool has_photos = false;
  bool imported = false;  // at some time
  TimePoint removed_at{};
  int newest = 0;
  int pin = 0;
  int last_live = 0;  // in the last state that it stood in
  std::map<std::string, int> aliases;
  std::map<int, TimePoint> born;
  std::set<int> published, rejected, erased;
};

// What a night has learnt and not published yet.
struct Waiting {
  std::string name;
  int number = 0, parent = 0;
};

enum class NightIs { over, collecting, decided };

struct Model {
  std::vector<Map> states{{}};  // by id
  std::map<std::string, Concept> concepts;
  NightIs night = NightIs::over;
  std::vector<Waiting> waiting;  // by number

  const Map& head() const { return states.back(); }
  int live(const std::string& name) const { return head().contains(name) ? head().at(name) : 0; }
  int previous(const std::string& name) const {
    const auto& published = concepts.at(name).published;
    const auto it = published.lower_bound(live(name));
    return live(name) == 0 || it == published.begin() ? 0 : *std::prev(it);
  }
  void publish(Map next) {
    for (const auto& [name, number] : next) {
      concepts[name].published.insert(number);
      concepts[name].last_live = number;
    }
    states.push_back(std::move(next));
  }
  void publish(const std::string& name, int number) {
    Map next = head();
    next[name] = number;
    publish(std::move(next));
  }
};

// What one operation comes to: the model after it, or nothing if it must be refused.
using Outcome = std::optional<Model>;

class Life {
 public:
  explicit Life(unsigned seed) : random_(seed), folder_(fast_disk()) { open(); }
  ~Life() { set_durable_step_hook({}); }

  void step() {
    const std::string name = std::string(1, static_cast<char>('a' + pick(4)));
    switch (pick(22)) {
      case 0:
      case 1:
        return act("add", add(name), [=, this] { registry_->add_concept(request_for(name)); });
      case 2:
      case 3:
      case 4:
      case 5:
        return learn(name, pick(4) == 0 ? Verdict::rejected : Verdict::accepted);
      case 6:
        return roll_back(name);
      case 7:
        return roll_back_state(pick(static_cast<int>(model_.states.size())));
      case 8:
        return promote(name);
      case 9:
        return pin(name);
      case 10:
        return alias(name);
      case 11:
        return pick(2) ? remove(name) : undelete(name);
      case 12:
        clock_.advance(std::chrono::hours(24) * (pick(30) - 5));  // clocks go back too
        return;
      case 13:
        return collect();
      case 14:
        return pick(8) ? reopen() : move_to_a_backup();
      case 15:
        return import(name, pick(4) == 0 ? Verdict::rejected : Verdict::accepted);
      case 16:
      case 17:
      case 18:
        return night();
      case 19:
      case 20:
        return draw(pick(2));
      default:
        return reopen();
    }
  }

  void check_all() {
    ASSERT_THAT(registry_->verify(), testing::IsEmpty());
    for (std::size_t id = 0; id < model_.states.size(); ++id)
      ASSERT_EQ(versions_of(*registry_->state(static_cast<std::int64_t>(id))), model_.states[id]) << "state " << id;
    for (const auto& [name, known] : model_.concepts) {
      if (known.newest == 0) continue;
      for (const Version& version : registry_->history(name_of(name))) {
        ASSERT_EQ(version.published, known.published.contains(version.number)) << name << "@" << version.number;
        ASSERT_EQ(version.erased_at.has_value(), known.erased.contains(version.number))
            << name << "@" << version.number;
        if (!version.erased_at) {
          ASSERT_EQ(Digest::of(registry_->delta(version.delta)), version.delta);
        }
      }
      ASSERT_EQ(aliases_of(name), known.aliases) << name;
    }
  }

 private:
  int pick(int count) { return std::uniform_int_distribution(0, count - 1)(random_); }
  static Map versions_of(const State& state) {
    Map map;
    for (const auto& [name, entry] : state.entries) map[name] = entry.version;
    return map;
  }
  void open() { registry_ = Registry::open(folder_ / root_, clock_); }
  void reopen() {
    registry_.reset();
    open();
    registry_->jobs().requeue_expired(true);
    agrees(model_);
  }
  void end_jobs() {
    for (const Job& job : registry_->jobs().list())
      if (job.state == JobState::queued || job.state == JobState::running) registry_->jobs().cancel(job.id, "model");
  }

  bool is(const Model& model) const {
    if (versions_of(*registry_->head()) != model.head()) return false;
    if (registry_->head()->id != static_cast<std::int64_t>(model.states.size()) - 1) return false;
    const auto night = registry_->nights().running();
    if ((!night ? NightIs::over : night->published ? NightIs::decided : NightIs::collecting) != model.night)
      return false;
    for (const ConceptRecord& record : registry_->list(true)) {
      const auto found = model.concepts.find(record.name);
      if (found == model.concepts.end()) return false;
      const Concept& known = found->second;
      if (record.removed_at.has_value() == known.present || record.newest_version != known.newest) return false;
      if ((record.pin ? record.pin->version : 0) != known.pin || record.photos.empty() == known.has_photos)
        return false;
      if (known.newest == 0) continue;
      for (const Version& version : registry_->history(name_of(record.name)))
        if (version.erased_at.has_value() != known.erased.contains(version.number)) return false;  // by gc alone
      if (aliases_of(record.name) != known.aliases) return false;
    }
    return true;
  }
  Map aliases_of(const std::string& name) const {
    Map aliases;
    for (const Alias& alias : registry_->aliases(name_of(name))) aliases[alias.name] = alias.version;
    return aliases;
  }
  void agrees(const Model& model) const { ASSERT_TRUE(is(model)) << "the registry is not what the model says"; }

  // Does it on both. Now and then the process dies in the middle: afterwards it was done or it was not.
  void act(const char* what, const Outcome& outcome, const std::function<void()>& run) {
    SCOPED_TRACE(what);
    bool died = false;
    if (pick(6) == 0)
      set_durable_step_hook([&, left = 1 + pick(12)](const DurableStep&) mutable {
        if (--left > 0) return;
        died = true;
        throw Error(Code::unavailable, "died");
      });
    try {
      run();
      if (!died) {
        ASSERT_TRUE(outcome) << what << " was to be refused";
      }
    } catch (const Error& error) {
      if (!died) {
        ASSERT_FALSE(outcome) << what << ": " << error.what();
      }
    }
    set_durable_step_hook({});
    if (died) {
      registry_.reset();
      open();
      registry_->jobs().requeue_expired(true);
    }
    end_jobs();
    if (died && is(model_)) return;
    if (outcome) model_ = *outcome;
    agrees(model_);
  }

  // What a model that pretends makes of a state: a picture that shows which bytes it was drawn with. A reader draws the
  // state that it holds, whatever became of the registry since it took hold of it, as long as gc has kept its bytes.
  void draw(bool take_hold) {
    if (take_hold || !held_) held_ = registry_->head();
    std::string picture, expected;
    for (const auto& [name, entry] : held_->entries) {
      if (model_.concepts[name].erased.contains(entry.version)) continue;
      picture += registry_->delta(entry.delta) + "|";
      expected += name + std::to_string(entry.version) + "|";
    }
    ASSERT_EQ(picture, expected) << "drawn with state " << held_->id;
    ASSERT_EQ(versions_of(*held_), model_.states[static_cast<std::size_t>(held_->id)]);
  }

  Outcome add(const std::string& name) const {
    Model next = model_;
    Concept& known = next.concepts[name];
    if (known.present) return {};
    known.present = known.has_photos = true;
    return next;
  }

  void learn(const std::string& name, Verdict verdict) {
    if (!model_.concepts.contains(name) || !model_.concepts[name].present) return;
    if (!model_.concepts[name].has_photos)
      return act("learn without photos", {}, [&] { registry_->jobs().enqueue({.name = name}); });
    Model next = model_;
    Concept& known = next.concepts[name];
    const int number = ++known.newest;
    known.born[number] = clock_.now();
    const bool for_night = model_.night != NightIs::over && pick(2);
    if (verdict == Verdict::rejected)
      known.rejected.insert(number);
    else if (known.pin == 0 && for_night && model_.night == NightIs::collecting)
      next.waiting.push_back({name, number, model_.live(name)});
    else if (known.pin == 0)
      next.publish(name, number);
    act("learn", next, [&] {
      registry_->jobs().enqueue({.name = name});
      learn_once(*registry_, name, name + std::to_string(number), verdict,
                 for_night ? std::optional(registry_->nights().running()->id) : std::nullopt);
    });
  }

  // Begins one, has it publish what waits, ends it; in between life goes on.
  void night() {
    Model next = model_;
    if (model_.night == NightIs::over) {
      next.night = NightIs::collecting;
      return act("begin a night", next, [&] { begin_night(); });
    }
    if (pick(4) == 0) return act("begin a second night", {}, [&] { begin_night(); });
    const std::int64_t id = registry_->nights().running()->id;
    if (model_.night == NightIs::decided) {
      next.night = NightIs::over;
      return act("end a night", next, [&] { registry_->nights().end(id, NightState::done, "", "model"); });
    }
    Map map = model_.head();
    for (const Waiting& item : model_.waiting) {
      const Concept& known = model_.concepts[item.name];
      const bool newest = std::ranges::none_of(
          model_.waiting, [&](const Waiting& other) { return other.name == item.name && other.number > item.number; });
      if (newest && usable(item.name, item.number) && known.pin == 0 && model_.live(item.name) == item.parent)
        map[item.name] = item.number;
    }
    next.waiting.clear();
    next.night = NightIs::decided;
    if (map != model_.head()) next.publish(map);
    act("publish a night", next, [&] { registry_->publish_night(id, {}, "model"); });
  }
  void begin_night() {
    registry_->nights().begin(
        {.date = "2026-11-23", .actor = "model", .until = clock_.now() + std::chrono::hours(5), .steps = {"learn"}});
  }

  void import(const std::string& name, Verdict verdict) {
    Model next = model_;
    Concept& known = next.concepts[name];
    const bool taken = known.present && known.has_photos;
    known.present = known.imported = true;
    known.has_photos = false;
    const int number = ++known.newest;
    known.born[number] = clock_.now();
    if (verdict == Verdict::rejected) known.rejected.insert(number);
    act("import", taken ? Outcome() : Outcome(next), [&] {
      ImportRequest request{.pack = Digest::of(name), .signer = std::string(64, 'a'), .actor = "model"};
      request.versions.push_back(
          {.version = result_for(name, name + std::to_string(number), verdict), .class_word = "kettle"});
      request.versions.back().version.preview_png.clear();
      registry_->import_versions(request);
    });
  }

  bool usable(const std::string& name, int number) const {
    const auto found = model_.concepts.find(name);
    return found != model_.concepts.end() && found->second.present && number >= 1 && number <= found->second.newest &&
           !found->second.erased.contains(number);
  }

  void roll_back(const std::string& name) {
    const bool named = pick(2), pinned = pick(2);
    const int to = named ? 1 + pick(6) : model_.concepts.contains(name) ? model_.previous(name) : 0;
    Outcome outcome;
    if (usable(name, to) && to != model_.live(name) && model_.concepts[name].published.contains(to)) {
      outcome = model_;
      outcome->publish(name, to);
      outcome->concepts[name].pin = pinned ? to : 0;
    }
    act("roll back", outcome, [&] {
      registry_->roll_back(name_of(name), named ? std::optional(to) : std::nullopt, "model", "",
                           pinned ? Pinning::pin : Pinning::leave_free);
    });
  }

  void roll_back_state(int id) {
    const bool pinned = pick(2);
    Map next;
    bool whole = true;
    for (const auto& [name, number] : model_.states[static_cast<std::size_t>(id)]) {
      if (!model_.concepts[name].present) continue;
      next[name] = number;
      whole = whole && usable(name, number);
    }
    Outcome outcome;
    if (whole && next != model_.head()) {
      outcome = model_;
      for (auto& [name, known] : outcome->concepts) {
        const int to = next.contains(name) ? next[name] : 0;
        if (to != model_.live(name)) known.pin = 0;
        if (pinned && to != 0) known.pin = to;
      }
      outcome->publish(next);
    }
    act("roll back a state", outcome,
        [&] { registry_->roll_back_state(id, "model", "", pinned ? Pinning::pin : Pinning::leave_free); });
  }

  void promote(const std::string& name) {
    const int number = 1 + pick(6);
    const bool override_gate = pick(2);
    Outcome outcome;
    if (usable(name, number) && number != model_.live(name) &&
        (override_gate || !model_.concepts[name].rejected.contains(number))) {
      outcome = model_;
      outcome->publish(name, number);
      if (outcome->concepts[name].pin) outcome->concepts[name].pin = number;
    }
    act("promote", outcome, [&] { registry_->promote(name_of(name), number, override_gate, "model", "because"); });
  }

  void pin(const std::string& name) {
    Outcome outcome;
    const bool lift = pick(2);
    if (usable(name, model_.live(name)) && (!lift || model_.concepts[name].pin)) {
      outcome = model_;
      outcome->concepts[name].pin = lift ? 0 : model_.live(name);
    }
    act("pin", outcome, [&] {
      if (lift)
        registry_->unpin(name_of(name), "model", "");
      else
        registry_->pin(name_of(name), std::nullopt, "model", "");
    });
  }

  void alias(const std::string& name) {
    const int number = 1 + pick(6);
    const bool take = pick(3) == 0;
    Outcome outcome;
    const bool present = model_.concepts.contains(name) && model_.concepts[name].present;
    if (take ? present && model_.concepts[name].aliases.contains("x") : usable(name, number)) {
      outcome = model_;
      if (take)
        outcome->concepts[name].aliases.erase("x");
      else
        outcome->concepts[name].aliases["x"] = number;
    }
    act("alias", outcome, [&] {
      if (take)
        registry_->remove_alias(name_of(name), "x", "model");
      else
        registry_->set_alias(name_of(name), "x", number, "model");
    });
  }

  void remove(const std::string& name) {
    Outcome outcome;
    if (model_.concepts.contains(name) && model_.concepts[name].present) {
      outcome = model_;
      Concept& known = outcome->concepts[name];
      known.present = false;
      known.pin = 0;
      known.removed_at = clock_.now();
      Map next = model_.head();
      if (next.erase(name)) outcome->publish(next);
    }
    act("remove", outcome, [&] { registry_->remove(name_of(name), "model", ""); });
  }

  void undelete(const std::string& name) {
    Outcome outcome;
    const auto found = model_.concepts.find(name);
    if (found != model_.concepts.end() && !found->second.present &&
        (found->second.has_photos || found->second.imported)) {
      outcome = model_;
      outcome->concepts[name].present = true;
      const int last = found->second.last_live;
      if (last != 0 && !found->second.erased.contains(last)) outcome->publish(name, last);
    }
    act("undelete", outcome, [&] { registry_->undelete(name_of(name), "model", ""); });
  }

  void collect() {
    const int keep = 1 + pick(4);
    const auto age = std::chrono::hours(24) * pick(20);
    Model next = model_;
    for (auto& [name, known] : next.concepts) {
      std::set<int> kept{known.pin};
      for (std::size_t i = 0; i < static_cast<std::size_t>(keep) && i < next.states.size(); ++i)
        if (const Map& state = next.states[next.states.size() - 1 - i]; state.contains(name))
          kept.insert(state.at(name));
      kept.insert(model_.previous(name));
      for (const auto& [alias, number] : known.aliases) kept.insert(number);
      for (const Waiting& item : model_.waiting)
        if (item.name == name) kept.insert(item.number);
      for (const auto& [number, born] : known.born)
        if (born <= clock_.now() - age && !kept.contains(number)) known.erased.insert(number);
      if (!known.present && known.removed_at <= clock_.now() - age) known.has_photos = false;
    }
    act("gc", next, [&] { registry_->gc({.keep_states = keep, .older_than = age}, "model"); });
  }

  void move_to_a_backup() {
    const std::string serial = std::to_string(++backups_);
    registry_->back_up(folder_ / ("backup" + serial), "model");
    registry_.reset();
    restore_backup(folder_ / ("backup" + serial), folder_ / ("data" + serial), clock_, "model");
    root_ = "data" + serial;
    open();
    agrees(model_);
  }

  std::mt19937 random_;
  TempFolder folder_;
  FakeClock clock_;
  std::string root_ = "data";
  int backups_ = 0;
  std::unique_ptr<Registry> registry_;
  std::shared_ptr<const State> held_;  // by a reader; null: nobody draws yet
  Model model_;
};

TEST(ModelOfTheRegistry, AgreesOverRandomLives) {
  spdlog::set_level(spdlog::level::off);
  unsigned first = 1, last = std::getenv("CONCEPTD_LONG_TESTS") ? 10'000 : 200;
  if (const char* seed = std::getenv("CONCEPTD_SEED")) first = last = static_cast<unsigned>(std::stoul(seed));
  for (unsigned seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("CONCEPTD_SEED=" + std::to_string(seed) + " lives this life again");
    Life life(seed);
    for (int i = 0; i < 40; ++i) {
      life.step();
      if (testing::Test::HasFailure()) return;
    }
    life.check_all();
    if (testing::Test::HasFailure()) return;
  }
  spdlog::set_level(spdlog::level::warn);
}

}  // namespace
}  // namespace conceptd::registry::test
