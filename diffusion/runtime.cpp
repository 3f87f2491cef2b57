#include "diffusion/runtime.h"

#include <dlfcn.h>
#include <malloc.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/error.h"

namespace conceptd::diffusion {
namespace fs = std::filesystem;

namespace {

std::string text_of(const fs::path& path) {  // of /proc and /sys: sizes there are not known beforehand
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string cpuinfo_field(std::string_view cpuinfo, std::string_view name) {
  std::istringstream lines{std::string(cpuinfo)};
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (colon != line.npos && line.starts_with(name)) return line.substr(std::min(line.size(), colon + 2));
  }
  return {};
}

bool all_in(const std::vector<std::string>& flags, std::initializer_list<const char*> wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](const char* flag) { return std::find(flags.begin(), flags.end(), flag) != flags.end(); });
}

// The tightest quota from this process's control group up to the root (version 2; version 1 keeps one file a
// controller).
std::optional<double> quota() {
  std::istringstream groups(text_of("/proc/self/cgroup"));
  std::optional<double> tightest;
  const auto consider = [&](std::optional<double> cpus) {
    if (cpus && (!tightest || *cpus < *tightest)) tightest = cpus;
  };
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && controllers != "cpu" && controllers != "cpu,cpuacct" && controllers != "cpuacct,cpu") continue;
    const fs::path root = unified ? fs::path("/sys/fs/cgroup") : fs::path("/sys/fs/cgroup") / controllers;
    for (auto group = fs::path(line.substr(second + 1)).relative_path();; group = group.parent_path()) {
      const auto folder = root / group;
      consider(unified
                   ? cpus_of_quota(text_of(folder / "cpu.max"))
                   : cpus_of_quota(text_of(folder / "cpu.cfs_quota_us") + " " + text_of(folder / "cpu.cfs_period_us")));
      if (group.empty()) break;
    }
  }
  return tightest;
}

std::string aten_capability() {  // the one that kernels are really chosen by
  const auto config = at::show_config();
  const std::string label = "CPU capability usage: ";
  const auto at = config.find(label);
  if (at == config.npos) return "unknown";
  const auto from = at + label.size();
  return config.substr(from, config.find('\n', from) - from);
}

std::string bound_blas() {
  Dl_info found{};
  for (const char* name : {"sgemm_", "cblas_sgemm"}) {
    if (auto* symbol = dlsym(RTLD_DEFAULT, name); symbol && dladdr(symbol, &found) && found.dli_fname) {
      std::error_code ignored;
      const auto real = fs::canonical(found.dli_fname, ignored);
      return real.empty() ? found.dli_fname : real.string();
    }
  }
  return {};
}

void keep_freed_memory() {
  // A tensor of some megabytes would otherwise be mapped and unmapped at every layer, and the kernel zeroes each page
  // of it anew. One arena: those of other threads are too small for tensors and would map them all the same.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_ARENA_MAX, 1);
}

}  // namespace

int set_blas_threads(int threads) {
  auto* get = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
  auto* set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
  if (!get || !set) return 0;
  const int before = get();
  set(threads);
  return before;
}

std::vector<std::string> cpu_flags(std::string_view cpuinfo) {
  std::istringstream words(cpuinfo_field(cpuinfo, "flags"));
  return {std::istream_iterator<std::string>(words), {}};
}

bool has_avx512(const std::vector<std::string>& flags) {
  return all_in(flags, {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"});
}

bool has_bf16_hardware(const std::vector<std::string>& flags) {
  return all_in(flags, {"avx512_bf16"}) || all_in(flags, {"amx_bf16", "amx_tile"});
}

std::optional<double> cpus_of_quota(std::string_view cpu_max) {
  std::istringstream in{std::string(cpu_max)};
  double quota_us = 0, period_us = 0;
  if (!(in >> quota_us >> period_us) || quota_us <= 0 || period_us <= 0) return {};
  return quota_us / period_us;
}

int usable_cpus() {
  // More CPUs than the fixed set holds make sched_getaffinity fail: then every one of them counts.
  cpu_set_t set;
  CPU_ZERO(&set);
  int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : CPU_SETSIZE;
  if (const auto limit = quota()) cpus = std::min(cpus, static_cast<int>(std::ceil(*limit)));
  return std::max(1, cpus);
}

std::string blas_of_path(std::string_view path) {
  if (path.empty()) return "unknown";
  for (const char* name : {"openblas", "mkl", "blis", "atlas"}) {
    if (path.find(name) != path.npos) return name;
  }
  return path.find("libblas") != path.npos ? "reference" : "unknown";
}

RuntimeInfo set_up_compute(const ComputeSettings& settings) {
  if (settings.threads < 0 || settings.threads > 1024) {
    throw Error(Code::invalid, "threads must lie in 0..1024", "threads");
  }
  if (settings.dtype != "auto" && settings.dtype != "fp32" && settings.dtype != "bf16") {
    throw Error(Code::invalid, "dtype must be auto, fp32 or bf16, not '" + settings.dtype + "'", "dtype");
  }
  const auto cpuinfo = text_of("/proc/cpuinfo");
  const auto flags = cpu_flags(cpuinfo);
  if (has_avx512(flags)) setenv("ATEN_CPU_CAPABILITY", "avx512", /*overwrite=*/0);
  keep_freed_memory();
  RuntimeInfo info;
  info.threads = settings.threads ? settings.threads : usable_cpus();
  at::set_num_threads(info.threads);
  set_blas_threads(info.threads);  // it knows nothing of quotas
  info.cpu = cpuinfo_field(cpuinfo, "model name");
  info.bf16_hardware = has_bf16_hardware(flags);
  const bool bf16 = settings.dtype == "bf16" || (settings.dtype == "auto" && info.bf16_hardware);
  info.dtype = bf16 ? torch::kBFloat16 : torch::kFloat;
  info.capability = aten_capability();
  info.blas_path = bound_blas();
  info.blas = blas_of_path(info.blas_path);
  if (info.blas == "reference" || info.blas == "unknown") {
    info.warnings.push_back("matrix products run on " + (info.blas_path.empty() ? "an unknown BLAS" : info.blas_path) +
                            ", some 40 times slower than OpenBLAS; install libopenblas0-pthread");
  }
  if (bf16 && !info.bf16_hardware) info.warnings.push_back("bf16 is emulated on this CPU; fp32 is faster");
  return info;
}

Json RuntimeInfo::to_json() const {
  return {{"blas", blas},
          {"blas_path", blas_path},
          {"capability", capability},
          {"cpu", cpu},
          {"bf16_hardware", bf16_hardware},
          {"dtype", dtype == torch::kBFloat16 ? "bf16" : "fp32"},
          {"threads", threads},
          {"warnings", warnings}};
}

}  // namespace conceptd::diffusion
