// Takes from this process, for good, what decoding a picture does not need, so that a codec that a picture has taken
// over can do nothing but be wrong about that picture: no files, no network, no other process, bounded RAM and CPU.
#pragma once
#include <sys/resource.h>

#include <cstddef>
#include <string_view>

namespace conceptd::daemon {

struct ConfineLimits {
  std::size_t memory_bytes = 768u << 20;  // beyond what is mapped already; a picture of 40 megapixels takes 500 MB
  int cpu_s = 300;                        // 30 photos of 40 megapixels on a slow machine
};

// False under a sanitizer, which needs what confine() takes: only descriptors and CPU are limited there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kConfinesMemory = false;
#elif defined(__has_feature)
inline constexpr bool kConfinesMemory = !(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer));
#else
inline constexpr bool kConfinesMemory = true;
#endif

// Built with libseccomp: a system call that decoding does not need ends the process.
bool confines_system_calls() noexcept;
std::string_view confinement() noexcept;  // what holds, for people: "with limits and a filter of system calls"

// Of this process, soft and hard; never more than whoever started it allows. what: "memory". Error{unavailable} if the
// kernel refuses.
void lower_limit(__rlimit_resource resource, rlim_t value, const char* what);

// Closes every descriptor but stderr and `fd`; the process ends with the thread that started it. Error{unavailable} if
// the kernel refuses. Call it with one thread, before the first byte from outside.
void confine(int fd, const ConfineLimits& limits = {});

}  // namespace conceptd::daemon
