// The process that owns everything. Members stand in start order; each lends itself to those below it. stop() goes the
// other way, and works after a start() that failed anywhere.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "daemon/config.h"
#include "daemon/model.h"
#include "daemon/photo_decoder.h"

namespace conceptd::registry {
class Registry;
}

namespace conceptd::daemon {

class GenerationService;
class HttpServer;
class JobRunner;
class LiveStates;
class Routes;

struct DaemonParts {
  std::function<std::unique_ptr<Model>(const Config&)> open_model{};
  std::vector<std::string> worker_command{};
  std::vector<std::string> decode_command{};  // conceptd-decode
};

class Daemon {
 public:
  Daemon(Config config, const Clock& clock, DaemonParts parts);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Returns when it listens. Error{busy}: another daemon has the data folder or the socket.
  void start();
  void stop();
  const Config& config() const noexcept { return config_; }

 private:
  const Config config_;
  const Clock& clock_;
  const DaemonParts parts_;
  const DecoderSettings decoder_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<LiveStates> live_;
  std::unique_ptr<GenerationService> generation_;
  std::unique_ptr<JobRunner> runner_;
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace conceptd::daemon
