// The process that owns everything. Members stand in start order; each lends itself to those below it. stop() goes the
// other way, and works after a start() that failed anywhere.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "daemon/config.h"
#include "daemon/http_server.h"
#include "daemon/model.h"
#include "daemon/photo_decoder.h"

namespace conceptd::registry {
class Registry;
}

namespace conceptd::daemon {

class Access;
class Evaluations;
class GenerationService;
class JobRunners;
class LiveStates;
class Metrics;
class Nights;
class Routes;

struct DaemonParts {
  std::function<std::unique_ptr<Model>(const Config&)> open_model{};
  std::vector<std::string> worker_command{};
  std::vector<std::string> decode_command{};  // conceptd-decode
  bool consolidates = false;                  // the worker makes one delta of many
  std::chrono::milliseconds night_poll{1000};
  HttpLimits http{};
};

class Daemon {
 public:
  Daemon(Config config, const Clock& clock, DaemonParts parts);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Returns when it listens. Error{busy}: another daemon has the data folder or the socket.
  void start();
  // Reads the certificate and its key again. Error{invalid} if they cannot be used; then those of before stay.
  void reload();
  void stop();
  int tcp_port() const noexcept { return tcp_port_; }  // 0: no network
  const Config& config() const noexcept { return config_; }

 private:
  void handle(HttpRequest request, const Respond& respond);

  const Config config_;
  const Clock& clock_;
  const DaemonParts parts_;
  const DecoderSettings decoder_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<LiveStates> live_;
  std::unique_ptr<GenerationService> generation_;
  std::unique_ptr<Nights> nights_;
  std::unique_ptr<JobRunners> runner_;
  std::unique_ptr<Evaluations> evaluations_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<HttpServer> server_;
  int tcp_port_ = 0;
};

}  // namespace conceptd::daemon
