// What a site's Prometheus reads at /metrics. Labels are closed sets (a route of the table, a status, a state of jobs):
// never a name, a prompt, or anything else that a client wrote.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace conceptd::daemon {

struct Services;

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A request was answered. route: its pattern in the table, or "other".
  void answered(std::string_view method, std::string_view route, int status, double seconds);
  // One was refused before its route was looked at: no HTTP, too large, nobody known, not allowed.
  void refused(int status);
  // Prometheus's text format, version 0.0.4.
  std::string text(const Services& services) const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

// One thing that must hold before requests make sense.
struct Check {
  std::string name{};
  bool ok = true;
  std::string message{};  // what is so, or what to do about it
};
// The schema is ours, the base loaded, a state published and usable, room on the disk, the registry writable when it
// was last written.
std::vector<Check> readiness(const Services& services);

}  // namespace conceptd::daemon
