#include "diffusion/edits/apply_edits.h"

#include "core/error.h"

namespace conceptd::diffusion {

namespace {

Tensor stacked(std::span<const RankOne> edits, Tensor RankOne::*part) {  // (j, width) fp32
  std::vector<Tensor> rows;
  for (const auto& edit : edits) rows.push_back((edit.*part).to(torch::kFloat));
  return torch::stack(rows);
}

// M with M_ab = i*_a·k_b. Since k_b = C⁻¹ i*_b / ‖i*_b‖², the Gram matrix is G = M diag(‖i*‖²) and E C⁻¹ I = S
// diag(‖i*‖²), so A = (E C⁻¹ I) G⁻¹ = S M⁻¹: no C is needed.
Tensor inverse_of_overlap(const Tensor& inputs, const Tensor& keys) {
  const auto overlap = torch::matmul(inputs, keys.t());  // (j, j) fp64
  {
    const torch::NoGradGuard no_grad;
    // M is similar to the symmetric correlation matrix G_ab / (‖i*_a‖ ‖i*_b‖), whose entries are these.
    const auto correlation = overlap.sign() * (overlap * overlap.t()).clamp_min(0).sqrt();
    const auto least = torch::linalg_eigvalsh((correlation + correlation.t()) / 2).min().item<double>();
    if (!(least > 1e-5)) {
      throw Error(Code::conflict,
                  "two of the concepts in this prompt point at the same input (the same concept twice, or one trained "
                  "from the other without change); name only one of them");
    }
  }
  return torch::linalg_inv(overlap);
}

}  // namespace

Gates rank_one_gates(std::span<const RankOne> edits, const Tensor& x) {
  const auto keys = stacked(edits, &RankOne::key);  // (j, c)
  Gates gates;
  gates.similarity = torch::matmul(x.to(torch::kFloat), keys.t());  // s
  gates.coordinates = gates.similarity;                             // one concept: a = s
  if (edits.size() > 1) {
    const auto inputs = stacked(edits, &RankOne::input);
    const auto inverse = inverse_of_overlap(inputs.to(torch::kDouble), keys.to(torch::kDouble)).to(torch::kFloat);
    gates.coordinates = torch::matmul(gates.similarity, inverse);  // A = S M⁻¹
  }
  const auto plain = torch::TensorOptions(keys.device());
  std::vector<float> bias, temperature;
  for (const auto& edit : edits) {
    bias.push_back(static_cast<float>(edit.bias));
    temperature.push_back(static_cast<float>(edit.temperature));
  }
  gates.gate =
      torch::sigmoid((gates.similarity - torch::tensor(bias, plain)) / torch::tensor(temperature, plain));  // g
  return gates;
}

Tensor apply_edits(std::span<const RankOne> edits, const Gates& gates, const Tensor& weight, const Tensor& y) {
  const auto inputs = stacked(edits, &RankOne::input);                       // (j, c)
  const auto removed = torch::matmul(inputs, weight.to(torch::kFloat).t());  // W i*, (j, out)
  const auto outputs = stacked(edits, &RankOne::output);                     // (j, out)
  const auto change = torch::matmul(gates.gate, outputs) - torch::matmul(gates.coordinates, removed);
  return y + change.to(y.scalar_type());  // eq.
}

Tensor apply_edits(std::span<const RankOne> edits, const Tensor& weight, const Tensor& x, const Tensor& y) {
  return edits.empty() ? y : apply_edits(edits, rank_one_gates(edits, x), weight, y);
}

Tensor apply_edits(std::span<const TokenResidual> edits, const Tensor& y) {
  auto out = y;
  for (const auto& edit : edits) {
    if (edit.positions.empty()) continue;
    const auto where = torch::tensor(edit.positions, torch::TensorOptions(y.device()).dtype(torch::kLong));
    const auto rows = edit.residual.to(y.scalar_type()).expand({y.size(0), where.size(0), y.size(2)});
    out = out.index_add(1, where, rows);  // eq. (B-2)
  }
  return out;
}

Tensor apply_edits(std::span<const LowRank> edits, const Tensor& x, const Tensor& y) {
  auto out = y;
  for (const auto& edit : edits) {
    const auto read = edit.down.defined() ? torch::matmul(x, edit.down.to(x.scalar_type()).transpose(-2, -1)) : x;
    out = out + edit.scale * torch::matmul(read, edit.up.to(x.scalar_type()).transpose(-2, -1));
  }
  return out;
}

}  // namespace conceptd::diffusion
