#include "diffusion/group_norm.h"

#include <ATen/Parallel.h>

#include <bit>
#include <cmath>

// Legend: p positions (height * width), c channels, m values of one group of one picture.
// The build compiles this file with -O3 -ffast-math: sums over positions may be reordered, and nothing here makes or
// tests a NaN.
#define CONCEPTD_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))

namespace conceptd::diffusion {
namespace {
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// e^x to 2e-7, written so that the compiler can vectorise it (Cephes' polynomial).
__attribute__((always_inline)) inline float exponential(float x) {
  x = x < -87.f ? -87.f : x > 87.f ? 87.f : x;
  const float t = x * 1.44269504f;
  const auto whole = static_cast<int32_t>(t + (t < 0 ? -.5f : .5f));
  const auto n = static_cast<float>(whole);
  const float r = x - n * .693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  return p * std::bit_cast<float>((whole + 127) << 23);
}

CONCEPTD_CLONES void channel_sums(const float* x, int64_t p, int64_t c, float* sum, float* squares) {
  for (int64_t k = 0; k < c; ++k) sum[k] = squares[k] = 0;
  for (int64_t i = 0; i < p; ++i) {
#pragma GCC ivdep
    for (int64_t k = 0; k < c; ++k) {
      const float v = x[i * c + k];
      sum[k] += v, squares[k] += v * v;
    }
  }
}

CONCEPTD_CLONES void affine_out(const float* x, int64_t p, int64_t c, const float* scale, const float* shift, bool silu,
                                float* y) {
  for (int64_t i = 0; i < p; ++i) {
    const float* xi = x + i * c;
    float* to = y + i * c;
    if (silu) {
#pragma GCC ivdep
      for (int64_t k = 0; k < c; ++k) {
        const float u = xi[k] * scale[k] + shift[k];
        to[k] = u / (1.f + exponential(-u));
      }
    } else {
#pragma GCC ivdep
      for (int64_t k = 0; k < c; ++k) to[k] = xi[k] * scale[k] + shift[k];
    }
  }
}

// du (through SiLU) into `out`, with its sums over positions: s1 = sum du, s2 = sum du x.
CONCEPTD_CLONES void inner_gradient(const float* x, const float* dy, int64_t p, int64_t c, const float* scale,
                                    const float* shift, bool silu, float* out, float* s1, float* s2) {
  for (int64_t k = 0; k < c; ++k) s1[k] = s2[k] = 0;
  for (int64_t i = 0; i < p; ++i) {
    const float *xi = x + i * c, *dyi = dy + i * c;
    float* to = out + i * c;
    if (silu) {
#pragma GCC ivdep
      for (int64_t k = 0; k < c; ++k) {
        const float u = xi[k] * scale[k] + shift[k], s = 1.f / (1.f + exponential(-u));
        to[k] = dyi[k] * (s * (1.f + u * (1.f - s)));
      }
    } else {
      for (int64_t k = 0; k < c; ++k) to[k] = dyi[k];
    }
#pragma GCC ivdep
    for (int64_t k = 0; k < c; ++k) s1[k] += to[k], s2[k] += to[k] * xi[k];
  }
}

CONCEPTD_CLONES void outer_gradient(const float* x, int64_t p, int64_t c, const float* scale, const float* by_x,
                                    const float* by_one, float* dx) {
  for (int64_t i = 0; i < p; ++i) {
#pragma GCC ivdep
    for (int64_t k = 0; k < c; ++k) dx[i * c + k] = dx[i * c + k] * scale[k] - x[i * c + k] * by_x[k] - by_one[k];
  }
}

struct Rows {  // per-channel numbers of one picture
  explicit Rows(int64_t c) : a(c), b(c), s1(c), s2(c), e(c) {}
  std::vector<float> a, b, s1, s2, e;
};

class GroupNormFunction : public torch::autograd::Function<GroupNormFunction> {
 public:
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight, const Tensor& bias,
                        int64_t groups, double eps, bool silu) {
    const auto x = input.contiguous(at::MemoryFormat::ChannelsLast);
    const auto b = x.size(0), c = x.size(1), p = x.size(2) * x.size(3), width = c / groups;
    auto y = torch::empty_like(x), mean = torch::empty({b, groups}), rstd = torch::empty({b, groups});
    const auto w = weight.contiguous(), shift = bias.contiguous();
    const float *px = x.data_ptr<float>(), *pw = w.data_ptr<float>(), *pb = shift.data_ptr<float>();
    float *py = y.data_ptr<float>(), *pm = mean.data_ptr<float>(), *pr = rstd.data_ptr<float>();
    at::parallel_for(0, b, 1, [&](int64_t from, int64_t to) {
      Rows rows(c);
      for (int64_t n = from; n < to; ++n) {
        channel_sums(px + n * p * c, p, c, rows.s1.data(), rows.s2.data());
        for (int64_t g = 0; g < groups; ++g) {
          double sum = 0, squares = 0;
          for (int64_t k = g * width; k < (g + 1) * width; ++k) sum += rows.s1[k], squares += rows.s2[k];
          const double m = static_cast<double>(p * width), mu = sum / m,
                       variance = std::max(0.0, squares / m - mu * mu);
          const auto r = static_cast<float>(1 / std::sqrt(variance + eps));
          pm[n * groups + g] = static_cast<float>(mu), pr[n * groups + g] = r;
          for (int64_t k = g * width; k < (g + 1) * width; ++k) {
            rows.a[k] = pw[k] * r, rows.b[k] = pb[k] - static_cast<float>(mu) * rows.a[k];
          }
        }
        affine_out(px + n * p * c, p, c, rows.a.data(), rows.b.data(), silu, py + n * p * c);
      }
    });
    ctx->save_for_backward({x, w, shift, mean, rstd});
    ctx->saved_data["silu"] = silu;
    return y;
  }

  static tensor_list backward(AutogradContext* ctx, tensor_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &w = saved[1], &bias = saved[2], &mean = saved[3], &rstd = saved[4];
    const bool silu = ctx->saved_data["silu"].toBool();
    const auto dy = gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    const auto b = x.size(0), c = x.size(1), p = x.size(2) * x.size(3), groups = mean.size(1), width = c / groups;
    auto dx = torch::empty_like(x), dw = torch::empty({b, c}), db = torch::empty({b, c});
    const float *px = x.data_ptr<float>(), *pdy = dy.data_ptr<float>(), *pw = w.data_ptr<float>(),
                *pb = bias.data_ptr<float>();
    const float *pm = mean.data_ptr<float>(), *pr = rstd.data_ptr<float>();
    float *pdx = dx.data_ptr<float>(), *pdw = dw.data_ptr<float>(), *pdb = db.data_ptr<float>();
    at::parallel_for(0, b, 1, [&](int64_t from, int64_t to) {
      Rows rows(c);
      for (int64_t n = from; n < to; ++n) {
        for (int64_t k = 0; k < c; ++k) {
          const auto at = n * groups + k / width;
          rows.a[k] = pw[k] * pr[at], rows.b[k] = pb[k] - pm[at] * rows.a[k];
        }
        inner_gradient(px + n * p * c, pdy + n * p * c, p, c, rows.a.data(), rows.b.data(), silu, pdx + n * p * c,
                       rows.s1.data(), rows.s2.data());
        for (int64_t g = 0; g < groups; ++g) {
          const float mu = pm[n * groups + g], r = pr[n * groups + g];
          double t1 = 0, t2 = 0;  // sums over the group of w du and of w du xhat
          for (int64_t k = g * width; k < (g + 1) * width; ++k) {
            const float centred = (rows.s2[k] - mu * rows.s1[k]) * r;
            pdw[n * c + k] = centred, pdb[n * c + k] = rows.s1[k];
            t1 += pw[k] * rows.s1[k], t2 += pw[k] * centred;
          }
          const auto m = static_cast<double>(p * width);
          const auto by_x = static_cast<float>(r * r * t2 / m), by_one = static_cast<float>(r * t1 / m) - mu * by_x;
          for (int64_t k = g * width; k < (g + 1) * width; ++k) rows.b[k] = by_x, rows.e[k] = by_one;
        }
        outer_gradient(px + n * p * c, p, c, rows.a.data(), rows.b.data(), rows.e.data(), pdx + n * p * c);
      }
    });
    return {dx, dw.sum(0), db.sum(0), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor fused_group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t groups, double eps,
                        bool silu) {
  const auto f = torch::kFloat;
  return GroupNormFunction::apply(x.to(f), weight.to(f), bias.to(f), groups, eps, silu).to(x.scalar_type());
}

}  // namespace conceptd::diffusion
