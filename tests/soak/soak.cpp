// Mixed clients against a real daemon for some minutes, and what came of it: requests, errors nobody expected, waiting
// times, the daemon's memory, and whether any client ever saw a state older than one it had seen.
//
//   conceptd-soak --program build/release/daemon/conceptd --minutes 10 --clients 8
//
// The last line on stdout is one JSON document; the exit status is 0 only if nothing unexpected happened.
#include <spawn.h>
#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "cli/client.h"
#include "core/picture/picture.h"
#include "daemon/api/wire.h"

extern char** environ;

namespace conceptd {
namespace {

using namespace std::chrono_literals;
using Monotonic = std::chrono::steady_clock;

struct Options {
  std::string program, base;
  double minutes = 5;
  int clients = 8;
  std::uint64_t seed = 1;
};

struct Seen {
  std::mutex mutex;
  std::map<std::string, std::vector<double>> milliseconds;  // by kind of request
  std::map<std::string, int> refusals;                      // expected ones, by code
  std::vector<std::string> surprises;
  std::atomic<std::int64_t> newest_state = 0;
};

class Daemon {
 public:
  explicit Daemon(const Options& options) {
    char name[] = "/tmp/conceptd-soak-XXXXXX";
    if (!::mkdtemp(name)) throw std::runtime_error("no folder could be made in /tmp");
    folder_ = name;
    const std::string data = (folder_ / "data").string(), socket = this->socket().string();
    // Learning is short here, and what it learns next to nothing.
    const std::string config = (folder_ / "conceptd.toml").string();
    std::ofstream(config) << "[learn]\ngate = \"warn\"\n";
    std::vector<const char*> line{
        options.program.c_str(), "--config",    config.c_str(), "--data-dir", data.c_str(), "--socket",
        socket.c_str(),          "--log-level", "warning"};
    if (!options.base.empty()) line.insert(line.end(), {"--base", options.base.c_str()});
    line.push_back(nullptr);
    if (::posix_spawn(&pid_, line[0], nullptr, nullptr, const_cast<char**>(line.data()), environ) != 0)
      throw std::runtime_error("cannot start " + options.program);
    for (int i = 0; i < 1200 && !std::filesystem::exists(socket); ++i) std::this_thread::sleep_for(100ms);
  }
  ~Daemon() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path socket() const { return folder_ / "conceptd.sock"; }
  bool lives() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }
  double rss_mb() const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
    return 0;
  }

 private:
  std::filesystem::path folder_;
  pid_t pid_ = -1;
};

// One client with a life of its own. What it may be told is written beside each request; all else is a surprise.
class Person {
 public:
  Person(int number, const Options& options, const std::filesystem::path& socket, Seen& seen)
      : own_("thing-" + std::to_string(number)),
        client_(socket),
        seen_(seen),
        random_(options.seed * 1000 + static_cast<std::uint64_t>(number)) {}

  void live_until(Monotonic::time_point end) {
    while (Monotonic::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pick(1000)));  // people think
      const int what = pick(100);
      if (what < 6)
        ask("add", "POST", "concepts", photos(), {"conflict", "busy"});
      else if (what < 10)
        ask("learn", "POST", "concepts/" + own_ + "/learn", {{"settings", {{"batch", 1}}}, {"steps", 2}},
            {"not_found", "conflict", "busy"});
      else if (what < 16)
        ask("rollback", "POST", "concepts/" + own_ + "/rollback", {{"reason", "soak"}},
            {"not_found", "conflict", "invalid"});
      else if (what < 45)
        ask("generate", "POST", "generate",
            {{"prompt", "a <thing-" + std::to_string(pick(10)) + "> on the beach"}, {"steps", 2}, {"seed", pick(1000)}},
            {"not_found", "invalid", "conflict", "busy"});
      else if (what < 55)
        ask("generate plain", "POST", "generate", {{"prompt", "a kettle"}, {"steps", 2}, {"seed", pick(1000)}},
            {"busy"});
      else if (what < 65)
        ask("refused", "POST", "generate", {{"prompt", "a kettle"}, {"steps", -pick(9)}}, {"invalid"});
      else if (what < 70)
        ask("refused", "POST", "concepts", {{"name", "No Name"}}, {"invalid"});
      else if (what < 71)
        ask("night", "POST", "nights", Json::object(), {});
      else if (what < 72)
        ask("evaluate", "POST", "concepts/" + own_ + "/evaluate", {{"prompts", {"a {}"}}, {"seeds", 1}},
            {"not_found", "conflict", "busy"});
      else
        ask("read", "GET", reading(), {}, {"not_found"});
    }
  }

 private:
  int pick(int count) { return static_cast<int>(random_() % static_cast<std::uint64_t>(count)); }
  std::string reading() {
    const std::vector<std::string> all{
        "concepts",          "jobs?limit=10", "status", "concepts/" + own_, "concepts/" + own_ + "/history",
        "nights/last/report"};
    return all[static_cast<std::size_t>(pick(static_cast<int>(all.size())))];
  }
  Json photos() {
    api::AddConcept request{.name = own_, .class_word = "kettle", .steps = 2};
    request.settings = api::Settings{{{"batch", 1}}};
    for (int i = 0; i < 2; ++i) {
      picture::Picture picture{.width = 64, .height = 64};
      for (int at = 0; at < 3 * 64 * 64; ++at) picture.rgb.push_back(static_cast<std::uint8_t>(random_()));
      request.photos.push_back({.name = "photo.png", .data = {picture::encode_png(picture)}});
    }
    return api::encode(request);
  }

  void ask(const std::string& kind, const std::string& method, const std::string& target, const Json& body,
           const std::set<std::string>& expected) {
    const auto began = Monotonic::now();
    std::string surprise, refused;
    try {
      const auto reply = client_.exchange(method, "/api/v1/" + target, method == "GET" ? "" : body.dump(), 120s);
      const Json answer = Json::parse(reply.body);
      if (reply.status >= 400) refused = api::decode_error(answer).code;
      if (reply.status >= 400 && !expected.contains(refused)) surprise = reply.body.substr(0, 300);
      if (answer.contains("state") && answer["state"].is_number()) see(answer["state"].get<std::int64_t>());
    } catch (const std::exception& error) {
      surprise = error.what();
    }
    const double took = std::chrono::duration<double, std::milli>(Monotonic::now() - began).count();
    const std::lock_guard lock(seen_.mutex);
    seen_.milliseconds[kind].push_back(took);
    if (!refused.empty()) ++seen_.refusals[refused];
    if (!surprise.empty()) seen_.surprises.push_back(method + " " + target + ": " + surprise);
  }
  // A client that waits for each answer must never be taken back in time.
  void see(std::int64_t state) {
    if (state < state_) {
      const std::lock_guard lock(seen_.mutex);
      seen_.surprises.push_back(own_ + " saw state " + std::to_string(state) + " after " + std::to_string(state_));
    }
    state_ = std::max(state_, state);
    seen_.newest_state = std::max(seen_.newest_state.load(), state_);
  }

  const std::string own_;
  const cli::Client client_;
  Seen& seen_;
  std::mt19937_64 random_;
  std::int64_t state_ = 0;
};

// How nights ended. One that has failed is nothing anybody expected.
Json nights(const cli::Client& client, Seen& seen) {
  std::map<std::string, int> by_state;
  for (const auto& night : api::decode_answer<api::NightList>(client.get("nights?limit=1000")).nights) {
    ++by_state[night.state];
    if (night.state == "failed")
      seen.surprises.push_back("night " + std::to_string(night.id) + " has failed: " + night.reason);
  }
  return by_state;
}

int soak(const Options& options) {
  Daemon daemon(options);
  Seen seen;
  const auto end = Monotonic::now() +
                   std::chrono::duration_cast<Monotonic::duration>(std::chrono::duration<double>(options.minutes * 60));
  std::vector<std::thread> people;
  for (int k = 0; k < options.clients; ++k)
    people.emplace_back([&, k] { Person(k, options, daemon.socket(), seen).live_until(end); });
  std::vector<double> rss;  // every fiftieth of the time
  while (Monotonic::now() < end) {
    std::this_thread::sleep_for(std::chrono::duration<double>(options.minutes * 60 / 50));
    rss.push_back(daemon.rss_mb());
  }
  for (auto& person : people) person.join();
  if (!daemon.lives()) seen.surprises.push_back("the daemon died");
  Json out{{"minutes", options.minutes},
           {"clients", options.clients},
           {"newest_state", seen.newest_state.load()},
           {"rss_mb", {{"after_a_fifth", rss[rss.size() / 5]}, {"at_the_end", rss.back()}}},
           {"refusals", seen.refusals},
           {"nights", daemon.lives() ? nights(cli::Client(daemon.socket()), seen) : Json()},
           {"unexpected", seen.surprises.size()}};
  std::size_t requests = 0;
  for (auto& [kind, all] : seen.milliseconds) {
    std::sort(all.begin(), all.end());
    requests += all.size();
    out["milliseconds"][kind] = {
        {"requests", all.size()}, {"p50", all[all.size() / 2]}, {"p99", all[all.size() * 99 / 100]}};
  }
  out["requests"] = requests;
  for (std::size_t k = 0; k < std::min<std::size_t>(20, seen.surprises.size()); ++k)
    std::cerr << "unexpected: " << seen.surprises[k] << "\n";
  std::cout << out.dump() << std::endl;
  return seen.surprises.empty() ? 0 : 1;
}

}  // namespace
}  // namespace conceptd

int main(int count, char** arguments) {
  conceptd::Options options;
  CLI::App app("Mixed clients against a real daemon", "conceptd-soak");
  app.add_option("--program", options.program, "conceptd")->required()->check(CLI::ExistingFile);
  app.add_option("--base", options.base, "A base model (default: the daemon's own)");
  app.add_option("--minutes", options.minutes)->check(CLI::Range(.05, 1e5));
  app.add_option("--clients", options.clients)->check(CLI::Range(1, 200));
  app.add_option("--seed", options.seed);
  CLI11_PARSE(app, count, arguments);
  try {
    return conceptd::soak(options);
  } catch (const std::exception& error) {
    std::cerr << "conceptd-soak: " << error.what() << "\n";
    return 1;
  }
}
