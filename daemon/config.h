// What an operator may say, from a TOML file and from flags, flags first. It is validated once, at start, and every
// problem is listed, so that a second start finds no further one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace conceptd::daemon {

// [access]: users, and groups as @name, by role.
struct AccessConfig {
  std::vector<std::string> admins{};
  std::vector<std::string> operators{};
  std::vector<std::string> creators{};
  std::vector<std::string> viewers{};
  std::string others = "operator";  // the role of whoever may open the socket and is in no list
};

// [tcp]: the listener for other machines.
struct TcpConfig {
  std::string listen{};                 // "192.0.2.7:7860"; empty: there is none
  std::filesystem::path certificate{};  // PEM
  std::filesystem::path key{};
  bool insecure_loopback = false;    // no TLS, on a loopback address
  std::vector<std::string> hosts{};  // by which clients call it, beside its address
};

// [window]: when learning may keep the machine busy (learning_window.h).
struct WindowConfig {
  std::string start{};  // "01:00", on the wall; empty, as the end is then: there is no window
  std::string end{};
  std::vector<std::string> days{};  // "mon" to "sun", on which it begins; empty: all
  std::string zone{};               // "Europe/Berlin"; empty: the machine's
  bool catch_up = true;             // a night that was missed is held when the daemon is there again
};

// [night]: what a night does beside learning (nights.h).
struct NightConfig {
  bool measure = true;   // draws every live concept again, to prove that none was forgotten
  bool gc = true;        // with the policy that conceptctl gc has by itself
  int verify_days = 7;   // every stored byte is hashed once in so many nights
  int backups_keep = 7;  // 0: a night makes no backup
};

struct Config {
  std::filesystem::path data_dir{};
  std::filesystem::path socket{};
  std::filesystem::path base{};  // a folder in the diffusers layout
  int threads = 0;               // of the model; 0: as many as CPUs may be used
  std::string dtype = "auto";    // auto, fp32, bf16
  // [generate]
  int queue_max = 32;
  int batch_max = 1;      // pictures at once; more of them than one are no longer bit for bit what each is alone
  int steps = 0;          // where a request does not say; 0: the base's own
  double guidance = -1;   // the same; below 0: the base's own
  std::string sampler{};  // the same; empty: the base's own
  // [learn]
  int learn_threads = 0;               // 0: as threads
  std::string method{};                // empty: the first there is
  std::string learn_when = "at_once";  // at_once, window
  bool draft = true;                   // what is added gets a draft first, where the base has a method for it
  std::string gate = "block";          // block, warn, off: what comes of a version that the base's gate refuses
  int attempts_max = 3;
  int learn_memory_mb = 0;  // of a worker's own data; 0: three quarters of the machine's
  int stall_s = 900;        // a worker that says nothing for so long is ended
  int jobs_queued_max = 1000;
  // [photos]
  int photo_side_min = 64;
  int photo_side_max = 8192;
  int photos_max = 30;
  WindowConfig window{};
  NightConfig night{};
  AccessConfig access{};
  TcpConfig tcp{};
  int disk_floor_mb = 256;  // with less than this where the data lies, the daemon is not ready
  // [log]
  std::string log_level = "info";
  bool log_json = false;
};

// What the command line said; each overrides the file.
struct Flags {
  std::optional<std::filesystem::path> file{};
  std::optional<std::filesystem::path> data_dir{};
  std::optional<std::filesystem::path> socket{};
  std::optional<std::filesystem::path> base{};
  std::optional<int> threads{};
  std::optional<std::string> dtype{};
  std::optional<std::string> log_level{};
};

// What the text of a file says, over `config`. What is wrong with it is added to the problems, with its line. Relative
// paths in it begin at the folder.
void read_config(Config& config, std::string_view text, const std::filesystem::path& folder,
                 std::vector<std::string>& problems);

// The file: --config, else /etc/conceptd/conceptd.toml if it is there. Error{invalid} lists every unknown key, wrong
// type and value out of range, and a file that everybody may write.
Config load_config(const Flags& flags);

// The embedded base: $CONCEPTD_BASE, else models/tiny-64 beside a source tree or an installation that this program
// lies in; empty if there is none.
std::filesystem::path find_embedded_base();

}  // namespace conceptd::daemon
