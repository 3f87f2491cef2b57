#include "daemon/confine.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef CONCEPTD_SECCOMP
#include <seccomp.h>
#endif

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>

#include "core/error.h"

namespace conceptd::daemon {
namespace {

Error refused(const std::string& doing, int number) {
  return Error(Code::unavailable, doing + ": " + std::strerror(number));
}

std::size_t mapped_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Nothing to read on stdin, nowhere to write on stdout; stderr stays for the last words of a crash.
void leave_only(int fd) {
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) throw refused("opening /dev/null", errno);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDOUT_FILENO);
  if (nothing > STDERR_FILENO && nothing != fd) ::close(nothing);
  if (fd > STDERR_FILENO + 1) ::close_range(STDERR_FILENO + 1, static_cast<unsigned>(fd) - 1, 0);
  ::close_range(static_cast<unsigned>(fd) + 1, ~0u, 0);
}

#ifdef CONCEPTD_SECCOMP
void filter_system_calls() {
  // It has one thread, so that is the process; and no newer kernel call is needed to ask for it.
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_KILL_THREAD), &seccomp_release);
  if (!filter) throw refused("making the filter of system calls", ENOMEM);
  const auto allow = [&](int call, auto... conditions) {
    const int result = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, sizeof...(conditions), conditions...);
    if (result != 0) throw refused("making the filter of system calls", -result);
  };
  for (const int call : {SCMP_SYS(read),
                         SCMP_SYS(write),
                         SCMP_SYS(writev),
                         SCMP_SYS(recvfrom),
                         SCMP_SYS(recvmsg),
                         SCMP_SYS(sendto),
                         SCMP_SYS(sendmsg),
                         SCMP_SYS(poll),
                         SCMP_SYS(ppoll),
                         SCMP_SYS(close),
                         SCMP_SYS(fstat),
                         SCMP_SYS(newfstatat),
                         SCMP_SYS(brk),
                         SCMP_SYS(munmap),
                         SCMP_SYS(mremap),
                         SCMP_SYS(madvise),
                         SCMP_SYS(futex),
                         SCMP_SYS(sched_yield),
                         SCMP_SYS(getrandom),
                         SCMP_SYS(clock_gettime),
                         SCMP_SYS(gettimeofday),
                         SCMP_SYS(restart_syscall),
                         SCMP_SYS(rt_sigprocmask),
                         SCMP_SYS(rt_sigaction),
                         SCMP_SYS(rt_sigreturn),
                         SCMP_SYS(sigaltstack),
                         SCMP_SYS(getpid),
                         SCMP_SYS(gettid),
                         SCMP_SYS(clock_nanosleep),
                         SCMP_SYS(exit),
                         SCMP_SYS(exit_group)})
    allow(call);
  // Memory, but none that can be run. A process may signal itself: abort() does.
  const auto not_to_run = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  allow(SCMP_SYS(mmap), not_to_run);
  allow(SCMP_SYS(mprotect), not_to_run);
  allow(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid())));
  if (const int result = seccomp_load(filter.get()); result != 0) throw refused("filtering system calls", -result);
}
#endif

}  // namespace

void lower_limit(__rlimit_resource resource, rlim_t value, const char* what) {
  rlimit both{};
  if (::getrlimit(resource, &both) != 0) throw refused(std::string("reading the limit of ") + what, errno);
  both = {.rlim_cur = std::min(both.rlim_cur, value), .rlim_max = std::min(both.rlim_max, value)};
  if (::setrlimit(resource, &both) != 0) throw refused(std::string("limiting ") + what, errno);
}

bool confines_system_calls() noexcept {
#ifdef CONCEPTD_SECCOMP
  return kConfinesMemory;
#else
  return false;
#endif
}

std::string_view confinement() noexcept {
  return confines_system_calls() ? "with limits and a filter of system calls"
                                 : "with limits, without a filter of system calls (built without libseccomp)";
}

void confine(int fd, const ConfineLimits& limits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::ofstream("/proc/self/oom_score_adj") << 1000;
  leave_only(fd);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw refused("giving up new privileges", errno);
  lower_limit(RLIMIT_CPU, static_cast<rlim_t>(limits.cpu_s), "CPU");
  lower_limit(RLIMIT_CORE, 0, "core dumps");
  lower_limit(RLIMIT_FSIZE, 0, "files");
  ::signal(SIGXFSZ, SIG_IGN);  // where stderr is a file: no last words, and the end that it had
  lower_limit(RLIMIT_NPROC, 0, "processes");
  if (kConfinesMemory) lower_limit(RLIMIT_AS, mapped_bytes() + limits.memory_bytes, "memory");
  lower_limit(RLIMIT_NOFILE, 1, "descriptors");  // 0 is taken, so none can be opened; poll() needs room for one
#ifdef CONCEPTD_SECCOMP
  if (confines_system_calls()) filter_system_calls();
#endif
}

}  // namespace conceptd::daemon
