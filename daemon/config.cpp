#include "daemon/config.h"

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "core/file_io.h"
#include "core/log.h"
#include "core/picture/picture.h"
#include "daemon/access_config.h"
#include "daemon/api/choices.h"
#include "daemon/api/limits.h"
#include "daemon/api/paths.h"
#include "daemon/learning_window.h"
#include "registry/concept_name.h"

namespace conceptd::daemon {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemFile = "/etc/conceptd/conceptd.toml";
constexpr std::uint64_t kFileBytesMax = 1 << 20;
constexpr std::size_t kListMax = 256;

// Takes what it knows out of a table and remembers what is wrong; whatever is left over is unknown.
class Section {
 public:
  Section(const toml::table& table, std::string prefix, std::vector<std::string>& problems)
      : table_(table), prefix_(std::move(prefix)), problems_(problems) {}

  void whole(const char* key, int& value, std::int64_t min, std::int64_t max) {
    const toml::node* node = find(key);
    if (!node) return;
    const auto number = node->as_integer();
    if (!number || number->get() < min || number->get() > max)
      return refuse(key, *node, "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    value = static_cast<int>(number->get());
  }
  void number(const char* key, double& value, double min, double max) {
    const toml::node* node = find(key);
    if (!node) return;
    const std::optional<double> number = node->value<double>();
    if (!number || !(*number >= min && *number <= max)) return refuse(key, *node, "must be a number in its range");
    value = *number;
  }
  void text(const char* key, std::string& value) {
    const toml::node* node = find(key);
    if (!node) return;
    if (!node->is_string()) return refuse(key, *node, "must be a text");
    value = node->as_string()->get();
  }
  void path(const char* key, fs::path& value, const fs::path& folder) {
    std::string said;
    text(key, said);
    if (!said.empty()) value = folder / said;
  }
  void texts(const char* key, std::vector<std::string>& values) {
    const toml::node* node = find(key);
    if (!node) return;
    const toml::array* array = node->as_array();
    if (!array || array->size() > kListMax) return refuse(key, *node, "must be a list of texts, [\"...\"]");
    values.clear();
    for (const toml::node& item : *array) {
      if (!item.is_string()) return refuse(key, *node, "must be a list of texts, [\"...\"]");
      values.push_back(item.as_string()->get());
    }
  }
  void flag(const char* key, bool& value) {
    const toml::node* node = find(key);
    if (!node) return;
    if (!node->is_boolean()) return refuse(key, *node, "must be true or false");
    value = node->as_boolean()->get();
  }
  const toml::table* section(const char* key) {
    const toml::node* node = find(key);
    if (node && !node->is_table()) refuse(key, *node, "must be a section, [" + std::string(key) + "]");
    return node ? node->as_table() : nullptr;
  }
  void refuse_the_rest() {
    for (const auto& [key, node] : table_) {
      if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
      std::string list;
      for (const std::string& known : known_) list += (list.empty() ? "" : ", ") + known;
      const std::vector<std::string> near = registry::near_misses(key.str(), known_);
      refuse(shown(key.str()), node,
             "is not a setting; " + (near.empty() ? "" : "did you mean " + near.front() + "? ") + "There are " + list);
    }
  }

 private:
  static std::string shown(std::string_view key) {
    std::string text(key.substr(0, 64));
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return text;
  }
  const toml::node* find(const char* key) {
    known_.emplace_back(key);
    return table_.get(key);
  }
  void refuse(const std::string& key, const toml::node& node, const std::string& why) {
    problems_.push_back("line " + std::to_string(node.source().begin.line) + ": " + prefix_ + key + " " + why);
  }
  const toml::table& table_;
  const std::string prefix_;
  std::vector<std::string>& problems_;
  std::vector<std::string> known_;
};

// Who may write it may make the daemon do anything.
void check_writers(const fs::path& file, std::vector<std::string>& problems) {
  std::error_code ignored;
  const fs::perms mode = fs::status(file, ignored).permissions();
  if (!ignored && (mode & fs::perms::others_write) != fs::perms::none)
    problems.push_back("everybody may write it; take that away: chmod o-w " + file.string());
}

// Absolute, and without a slash or a dot at its end: its last part is the folder's name.
fs::path plain(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

// An empty choice is the base's own.
template <typename Names>
void check_choice(const std::string& chosen, const Names& known, const char* setting,
                  std::vector<std::string>& problems) {
  if (chosen.empty() || std::find(known.begin(), known.end(), chosen) != known.end()) return;
  std::string list;
  for (const std::string_view name : known) list += (list.empty() ? "" : ", ") + std::string(name);
  problems.push_back(std::string(setting) + ": '" + chosen + "' is none of " + list);
}

template <typename To, typename From>
void override_with(To& value, const std::optional<From>& said) {
  if (said) value = *said;
}

}  // namespace

fs::path find_embedded_base() {
  if (const char* said = std::getenv("CONCEPTD_BASE")) return said;
  std::error_code ignored;
  fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (int up = 0; up < 6 && !folder.empty(); ++up, folder = folder.parent_path())
    for (const char* inside : {"models/tiny-64", "share/conceptd/models/tiny-64"})
      if (fs::exists(folder / inside / "model_index.json", ignored)) return folder / inside;
  return {};
}

void read_config(Config& config, std::string_view text, const fs::path& folder, std::vector<std::string>& problems) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    problems.push_back("line " + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
    return;
  }
  Section top(table, "", problems);
  top.path("data_dir", config.data_dir, folder);
  top.path("socket", config.socket, folder);
  top.path("base", config.base, folder);
  top.whole("threads", config.threads, 0, 1024);
  top.text("dtype", config.dtype);
  top.whole("disk_floor_mb", config.disk_floor_mb, 0, 1 << 24);
  const auto read_section = [&](const char* name, auto&& read) {
    if (const toml::table* inside = top.section(name)) {
      Section section(*inside, std::string(name) + ".", problems);
      read(section);
      section.refuse_the_rest();
    }
  };
  read_section("generate", [&](Section& s) {
    s.whole("queue", config.queue_max, 1, 10'000);
    s.whole("batch", config.batch_max, 1, 64);
    s.whole("steps", config.steps, 1, api::kStepsMax);
    s.number("guidance", config.guidance, 0, api::kGuidanceMax);
    s.text("sampler", config.sampler);
  });
  read_section("learn", [&](Section& s) {
    s.whole("threads", config.learn_threads, 0, 1024);
    s.text("method", config.method);
    s.flag("draft", config.draft);
    s.text("gate", config.gate);
    s.text("when", config.learn_when);
    s.whole("attempts", config.attempts_max, 1, 10);
    s.whole("memory_mb", config.learn_memory_mb, 0, 1 << 24);
    s.whole("stall_s", config.stall_s, 10, 86'400);
    s.whole("queue", config.jobs_queued_max, 1, 100'000);
  });
  read_section("window", [&](Section& s) {
    s.text("start", config.window.start);
    s.text("end", config.window.end);
    s.texts("days", config.window.days);
    s.text("zone", config.window.zone);
    s.flag("catch_up", config.window.catch_up);
  });
  read_section("night", [&](Section& s) {
    s.flag("measure", config.night.measure);
    s.flag("gc", config.night.gc);
    s.whole("verify_days", config.night.verify_days, 1, 256);
    s.whole("backups", config.night.backups_keep, 0, 1000);
  });
  read_section("photos", [&](Section& s) {
    s.whole("side_min", config.photo_side_min, 1, 4096);
    s.whole("side_max", config.photo_side_max, 64, picture::Limits{}.side_max);  // the worker decodes with these
    s.whole("count_max", config.photos_max, 1, 30);
  });
  read_section("access", [&](Section& s) {
    s.texts("admins", config.access.admins);
    s.texts("operators", config.access.operators);
    s.texts("creators", config.access.creators);
    s.texts("viewers", config.access.viewers);
    s.text("others", config.access.others);
  });
  read_section("tcp", [&](Section& s) {
    s.text("listen", config.tcp.listen);
    s.path("certificate", config.tcp.certificate, folder);
    s.path("key", config.tcp.key, folder);
    s.flag("insecure_loopback", config.tcp.insecure_loopback);
    s.texts("hosts", config.tcp.hosts);
  });
  read_section("log", [&](Section& s) {
    s.text("level", config.log_level);
    s.flag("json", config.log_json);
  });
  top.refuse_the_rest();
}

Config load_config(const Flags& flags) {
  Config config;
  std::vector<std::string> problems;
  std::error_code ignored;
  const fs::path file = flags.file.value_or(fs::exists(kSystemFile, ignored) ? kSystemFile : "");
  if (!file.empty()) {
    check_writers(file, problems);
    read_config(config, read_file(file, kFileBytesMax), fs::absolute(file).parent_path(), problems);
    for (std::string& problem : problems) problem = file.string() + ", " + problem;
  }
  override_with(config.data_dir, flags.data_dir);
  override_with(config.socket, flags.socket);
  override_with(config.base, flags.base);
  override_with(config.threads, flags.threads);
  override_with(config.dtype, flags.dtype);
  override_with(config.log_level, flags.log_level);

  if (config.data_dir.empty()) config.data_dir = api::default_data_dir();
  config.data_dir = plain(config.data_dir);
  if (config.socket.empty()) config.socket = api::socket_to_listen(config.data_dir);
  config.socket = fs::absolute(config.socket);
  if (config.base.empty()) config.base = find_embedded_base();
  if (!config.base.empty()) config.base = plain(config.base);
  if (config.base.empty())
    problems.push_back("base: no base model is named, and models/tiny-64 is not found beside the program");
  else if (!fs::exists(config.base / "model_index.json", ignored))
    problems.push_back("base: " + config.base.string() + " is not a model folder: it has no model_index.json");
  check_choice(config.dtype, std::array<std::string_view, 3>{"auto", "fp32", "bf16"}, "dtype", problems);
  check_choice(config.method, api::kMethods, "learn.method", problems);
  check_choice(config.gate, api::kGateModes, "learn.gate", problems);
  check_choice(config.learn_when, api::kLearnTimes, "learn.when", problems);
  check_choice(config.sampler, api::kSamplers, "generate.sampler", problems);
  if (!is_log_level(config.log_level))
    problems.push_back("log.level: '" + config.log_level +
                       "' is none of trace, debug, info, warning, error, critical, off");
  if (config.threads < 0 || config.threads > 1024) problems.push_back("threads: must be from 0 to 1024");
  if (config.photo_side_min > config.photo_side_max) problems.push_back("photos: side_min is above side_max");
  if (config.socket.string().size() > 107)
    problems.push_back("socket: the path of a unix socket may have at most 107 characters: " + config.socket.string());
  try {
    if (!learning_window(config.window) && config.learn_when == "window")
      problems.emplace_back("learn.when: there is no window; window.start and window.end say when it is");
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
  try {
    access_rules(config);  // and what it rests on: tcp_listener()
  } catch (const Error& error) {
    problems.emplace_back(error.what());
  }
  if (problems.empty()) return config;
  std::string message = "the configuration cannot be used:";
  for (const std::string& problem : problems) message += "\n  " + problem;
  throw Error(Code::invalid, message, "config");
}

}  // namespace conceptd::daemon
