// Goal: the process uses the machine it is on. Method: the parsers on texts of other machines; then this one.
#include "diffusion/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "tests/support/expect_error.h"

namespace conceptd::diffusion {
namespace {

TEST(Runtime, ReadsTheFlagsOfACpu) {
  const auto rapids = cpu_flags(
      "processor\t: 0\nmodel name\t: Xeon\nflags\t\t: fma avx512f avx512dq avx512bw avx512vl avx512_bf16 amx_bf16 "
      "amx_tile\n");
  EXPECT_TRUE(has_avx512(rapids));
  EXPECT_TRUE(has_bf16_hardware(rapids));
  const auto skylake = cpu_flags("flags\t\t: fma avx512f avx512dq avx512bw avx512vl\n");
  EXPECT_TRUE(has_avx512(skylake));
  EXPECT_FALSE(has_bf16_hardware(skylake));
  EXPECT_FALSE(has_avx512(cpu_flags("flags : fma avx2 avx512f\n")));
  EXPECT_TRUE(cpu_flags("Features : fp asimd\n").empty());
  EXPECT_TRUE(cpu_flags("").empty());
}

TEST(Runtime, ReadsQuotas) {
  EXPECT_EQ(cpus_of_quota("150000 100000\n"), 1.5);
  EXPECT_EQ(cpus_of_quota("max 100000\n"), std::nullopt);
  EXPECT_EQ(cpus_of_quota("-1 100000\n"), std::nullopt);
  EXPECT_EQ(cpus_of_quota(" "), std::nullopt);
  EXPECT_EQ(cpus_of_quota("100000 0"), std::nullopt);
}

TEST(Runtime, KnowsABlasByItsFile) {
  EXPECT_EQ(blas_of_path("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3"), "openblas");
  EXPECT_EQ(blas_of_path("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"), "reference");
  EXPECT_EQ(blas_of_path("/opt/intel/libmkl_rt.so"), "mkl");
  EXPECT_EQ(blas_of_path("/usr/bin/conceptd"), "unknown");
  EXPECT_EQ(blas_of_path(""), "unknown");
}

TEST(Runtime, CountsTheCpusThatThisProcessMayUse) {
  const int before = usable_cpus();
  EXPECT_GE(before, 1);
  cpu_set_t old, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof old, &old), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &old)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cpus(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof old, &old), 0);
  EXPECT_EQ(usable_cpus(), before);
}

TEST(Runtime, SaysWhatItFound) {
  const int before = at::get_num_threads();
  const auto info = set_up_compute({.threads = 1});
  EXPECT_EQ(at::get_num_threads(), 1);
  at::set_num_threads(before);
  const auto json = info.to_json();
  std::printf("%s\n", json.dump(2).c_str());
  EXPECT_EQ(json.at("threads"), 1);
  EXPECT_THAT(info.blas_path, testing::Not(testing::IsEmpty()));
  EXPECT_THAT(info.capability, testing::Not(testing::IsEmpty()));
  EXPECT_EQ(info.blas == "reference" || info.blas == "unknown", !info.warnings.empty());
  EXPECT_ERROR(set_up_compute({.threads = -1}), Code::invalid, "threads");
  EXPECT_ERROR(set_up_compute({.dtype = "fp8"}), Code::invalid, "fp8");
}

}  // namespace
}  // namespace conceptd::diffusion
