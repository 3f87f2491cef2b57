// What the arithmetic runs on: threads, instruction set, BLAS, allocator. One call at the start of every process that
// computes; what it found goes into `status`.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "diffusion/torch.h"

namespace conceptd::diffusion {

struct ComputeSettings {
  int threads = 0;             // 0: as many as the CPU affinity and the cgroup's quota allow
  std::string dtype = "auto";  // "fp32", "bf16"; "auto": bf16 where the CPU multiplies it in hardware
};

struct RuntimeInfo {
  std::string blas;            // "openblas", "mkl", "blis", "atlas", "reference", "unknown"
  std::string blas_path;       // the file that is really bound
  std::string capability;      // ATen's kernels: "AVX512", "AVX2", "DEFAULT"
  std::string cpu;             // as the kernel names it
  bool bf16_hardware = false;  // AMX or AVX512-BF16
  torch::ScalarType dtype = torch::kFloat;
  int threads = 1;
  std::vector<std::string> warnings;  // what makes this machine slower than it need be, and what to do
  Json to_json() const;
};

// Call first in main, before the first tensor: ATen reads its capability once. Sets ATEN_CPU_CAPABILITY where the CPU
// has AVX-512 and nobody has set it (ATen's own default is AVX2), the thread counts of ATen and OpenBLAS, and keeps
// freed memory for the next tensor. Error{invalid} names the setting.
RuntimeInfo set_up_compute(const ComputeSettings& settings = {});

// OpenBLAS keeps threads of its own beside ATen's. Sets their number and returns what it was; 0: another BLAS is bound.
int set_blas_threads(int threads);

// Parts of it, for tests. `flags` are those of /proc/cpuinfo.
std::vector<std::string> cpu_flags(std::string_view cpuinfo);
bool has_avx512(const std::vector<std::string>& flags);  // as ATen's kernels need it
bool has_bf16_hardware(const std::vector<std::string>& flags);
std::optional<double> cpus_of_quota(std::string_view cpu_max);  // "150000 100000" -> 1.5; "max 100000": none
int usable_cpus();                                              // affinity and quota of this process, at least 1
std::string blas_of_path(std::string_view path);

}  // namespace conceptd::diffusion
