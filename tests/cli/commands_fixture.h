// conceptctl from its arguments to its output, against a server that answers what the test wants and remembers what it
// was asked.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "cli/command.h"
#include "core/picture/picture.h"
#include "daemon/api/wire.h"
#include "daemon/http_server.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_folder.h"

namespace conceptd::cli {

using testing::HasSubstr;

struct Ran {
  int status = 0;
  std::string out;
  std::string err;
};

class Commands : public testing::Test {
 protected:
  Commands()
      : server_({.handle = [this](daemon::HttpRequest request,
                                  const daemon::Respond& respond) { respond(answer(std::move(request))); },
                 .admit = [](const daemon::HttpHead&,
                             const daemon::HttpPeer&) { return daemon::Admission{.body_bytes_max = 1u << 24}; },
                 .refuse = [](int status, const std::string&) { return daemon::HttpResponse{.status = status}; }}) {
    server_.listen(socket());
    answers_["GET /api/v1/status"] = {.body = api::encode(status()).dump()};
  }
  std::string socket() { return (folder_ / "conceptd.sock").string(); }

  static api::Status status() {
    api::Status status;
    status.release = "0.1.0";
    status.methods = {{.name = "perfusion", .is_default = true, .typical_seconds = 125}};
    return status;
  }
  static api::JobInfo job(const std::string& state) {
    api::JobInfo job;
    job.id = 7, job.name = "kettle-7", job.state = state, job.attempts = 1, job.attempts_max = 3;
    job.progress = {.step = 30, .steps = 120, .loss = 0.125, .eta_s = 9};
    if (state == "done") job.result_version = 2;
    if (state == "failed") job.error_message = "out of memory";
    return job;
  }
  void jobs_are(const std::string& state, const std::vector<api::JobInfo>& jobs) {
    answers_["GET /api/v1/jobs?state=" + state] = {.body = api::encode(api::JobList{jobs}).dump()};
  }
  void job_is(const std::string& state) {
    answers_["GET /api/v1/jobs/7"] = {.body = api::encode(api::JobAnswer{job(state)}).dump()};
  }
  std::string plant_photo(const std::string& name) {
    const picture::Picture grey{.width = 64, .height = 48, .rgb = std::vector<std::uint8_t>(64 * 48 * 3, 128)};
    test::plant(folder_ / name, picture::encode_png(grey));
    return (folder_ / name).string();
  }

  Ran run(std::vector<std::string> arguments) {
    std::ostringstream out, err;
    arguments.insert(arguments.begin(), {"--socket", socket()});
    Ran ran;
    ran.status = run_conceptctl(arguments, out, err);
    ran.out = out.str(), ran.err = err.str();
    return ran;
  }

  daemon::HttpResponse answer(daemon::HttpRequest request) {
    const std::lock_guard lock(mutex_);
    std::string key = request.method + " " + request.path;
    if (const std::string state = request.query["state"]; !state.empty()) key += "?state=" + state;
    asked_[key] = request.body;
    const auto found = answers_.find(key);
    if (found != answers_.end()) return found->second;
    const api::ErrorBody body{.code = "not_found", .message = "no concept is called 'x'", .suggestions = {"kettle-7"}};
    return {.status = 404, .body = api::encode_error(body).dump()};
  }

  test::TempFolder folder_;
  std::mutex mutex_;
  std::map<std::string, daemon::HttpResponse> answers_;
  std::map<std::string, std::string> asked_;
  daemon::HttpServer server_;
};

}  // namespace conceptd::cli
