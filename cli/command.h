// A command of conceptctl: a file of its own under commands/, with its options, its help and what it does.
//
// Data goes to `out`, everything said about it to `err`; with --json exactly one document (or, for watch, one a line)
// goes to `out`: the daemon's own answer where there is one, and an error in the daemon's form whatever went wrong.
#pragma once
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "cli/client.h"

namespace CLI {
class App;
}

namespace conceptd::cli {

// Beyond core/error's table: what only a command line can mean.
inline constexpr int kExitUsage = 2;
inline constexpr int kExitRefused = 15;    // learnt, and the gate keeps it from being published
inline constexpr int kExitTimedOut = 11;   // the job goes on
inline constexpr int kExitJobFailed = 12;  // or was cancelled

struct Context {
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;       // err is one: a progress line may be drawn over itself
  std::istream* in = nullptr;  // a person at a terminal, who can be asked; null: nobody
  bool json = false;
  EndpointOptions endpoint{};
  std::function<int()> run{};  // what the parsed command will do; set by its callback

  Client client() const;
  void print(const Json& document) const;       // to out, indented
  void print_line(const Json& document) const;  // to out, on one line, at once
};

// One for each file of commands/. They add a subcommand to app and set context.run when it is parsed.
void define_add(CLI::App& app, Context& context);
void define_alias(CLI::App& app, Context& context);
void define_audit(CLI::App& app, Context& context);
void define_backup(CLI::App& app, Context& context);
void define_diff(CLI::App& app, Context& context);
void define_doctor(CLI::App& app, Context& context);
void define_evaluate(CLI::App& app, Context& context);
void define_gc(CLI::App& app, Context& context);
void define_generate(CLI::App& app, Context& context);
void define_history(CLI::App& app, Context& context);
void define_jobs(CLI::App& app, Context& context);
void define_learn(CLI::App& app, Context& context);
void define_list(CLI::App& app, Context& context);
void define_nightly(CLI::App& app, Context& context);
void define_pause(CLI::App& app, Context& context);
void define_pin(CLI::App& app, Context& context);
void define_promote(CLI::App& app, Context& context);
void define_report(CLI::App& app, Context& context);
void define_resume(CLI::App& app, Context& context);
void define_rm(CLI::App& app, Context& context);
void define_rollback(CLI::App& app, Context& context);
void define_show(CLI::App& app, Context& context);
void define_status(CLI::App& app, Context& context);
void define_token(CLI::App& app, Context& context);
void define_undelete(CLI::App& app, Context& context);
void define_unpin(CLI::App& app, Context& context);
void define_verify(CLI::App& app, Context& context);
void define_version(CLI::App& app, Context& context);
void define_wait(CLI::App& app, Context& context);
void define_watch(CLI::App& app, Context& context);

// The whole program: parses, runs, reports what failed. Returns the exit status.
int run_conceptctl(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err,
                   bool terminal = false, std::istream* in = nullptr);

}  // namespace conceptd::cli
