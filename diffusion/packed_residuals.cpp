#include "diffusion/packed_residuals.h"

#include <algorithm>
#include <charconv>

namespace conceptd::diffusion {

namespace {

constexpr int64_t kLargest = 31;  // of six bits with a sign; -32 is not used
constexpr int64_t kValuesMax = 1 << 22, kSitesMax = 4096;

Tensor whole_numbers(const Tensor& values, const Tensor& scale) {  // int64 in -31..31
  const auto s = scale.to(torch::kFloat);
  if (s.item<float>() == 0) return torch::zeros(values.sizes(), torch::kLong);
  return (values / s).round().clamp(-kLargest, kLargest).to(torch::kLong);
}

Tensor to_bytes(const Tensor& numbers) {  // (n) int64 in -31..31 -> uint8
  const auto n = numbers.size(0);
  const auto padded = torch::constant_pad_nd(numbers, {0, (4 - n % 4) % 4}).bitwise_and(63).view({-1, 4});
  const auto word = padded.select(1, 0) + padded.select(1, 1) * 64 + padded.select(1, 2) * 4096 +
                    padded.select(1, 3) * 262144;  // 24 bits
  const auto bytes = torch::stack(
      {word.bitwise_and(255), word.bitwise_right_shift(8).bitwise_and(255), word.bitwise_right_shift(16)}, 1);
  return bytes.flatten().slice(0, 0, (6 * n + 7) / 8).to(torch::kByte).contiguous();
}

Tensor to_numbers(const Tensor& bytes, int64_t n) {  // uint8 -> (n) int64 in -32..31
  const auto padded = torch::constant_pad_nd(bytes.to(torch::kLong), {0, (3 - bytes.size(0) % 3) % 3}).view({-1, 3});
  const auto word = padded.select(1, 0) + padded.select(1, 1) * 256 + padded.select(1, 2) * 65536;
  std::vector<Tensor> parts;
  for (int shift = 0; shift < 24; shift += 6) parts.push_back(word.bitwise_right_shift(shift).bitwise_and(63));
  const auto all = torch::stack(parts, 1).flatten();
  const auto numbers = torch::where(all > 31, all - 64, all);
  if (numbers.slice(0, n).count_nonzero().item<int64_t>() > 0) return {};
  return numbers.slice(0, 0, n);
}

}  // namespace

PackedResiduals pack_residuals(const TensorMap& by_site, const std::string& suffix) {
  PackedResiduals packed;
  std::vector<Tensor> scales, numbers;
  for (const auto& [site, values] : by_site) {
    if (!site.ends_with(suffix) || site.find_first_of(",=") != site.npos) {
      throw Error(Code::invalid, site.substr(0, 200) + " is not a site that the compact form can name",
                  site.substr(0, 200));
    }
    scales.push_back((values.abs().max() / static_cast<double>(kLargest)).to(torch::kBFloat16));
    numbers.push_back(whole_numbers(values, scales.back()));
    if (!packed.sites.empty()) packed.sites += ',';
    packed.sites.append(site, 0, site.size() - suffix.size()).append("=").append(std::to_string(values.size(0)));
  }
  packed.scales = torch::stack(scales);
  packed.values = to_bytes(torch::cat(numbers));
  return packed;
}

TensorMap unpack_residuals(const PackedResiduals& packed, const std::string& suffix, const std::string& what) {
  const auto corrupt = [&](const std::string& why) {
    return Error(Code::corrupt, what + ": " + why, "conceptd.sites");
  };
  std::vector<std::pair<std::string, int64_t>> sites;
  int64_t n = 0;
  for (std::string_view rest = packed.sites; !rest.empty();) {
    const auto item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const auto equals = item.find('=');
    if (equals == item.npos || equals == 0) throw corrupt("its list of sites is not name=number");
    int64_t out = 0;
    const auto* end = item.data() + item.size();
    const auto read = std::from_chars(item.data() + equals + 1, end, out);
    if (read.ec != std::errc() || read.ptr != end || out < 1 || out > kValuesMax) {
      throw corrupt("its list of sites has a number of values that is none");
    }
    std::string site = std::string(item.substr(0, equals)) + suffix;
    if (!sites.empty() && !(sites.back().first < site)) throw corrupt("its list of sites is not in the order of names");
    n += out;
    sites.emplace_back(std::move(site), out);
    if (n > kValuesMax || static_cast<int64_t>(sites.size()) > kSitesMax)
      throw corrupt("its list of sites is too long");
  }
  const auto is_list = [](const Tensor& tensor, torch::ScalarType dtype, int64_t size) {
    return tensor.scalar_type() == dtype && tensor.dim() == 1 && tensor.size(0) == size;
  };
  if (sites.empty() || !is_list(packed.scales, torch::kBFloat16, static_cast<int64_t>(sites.size())) ||
      !is_list(packed.values, torch::kByte, (6 * n + 7) / 8)) {
    throw corrupt("its packed values are not those of its list of sites");
  }
  const auto scales = packed.scales.to(torch::kFloat);
  if (!(scales.isfinite() & (scales >= 0)).all().item<bool>()) throw corrupt("a scale is not a number from 0 on");
  const auto numbers = to_numbers(packed.values, n);
  if (!numbers.defined() || (numbers < -kLargest).any().item<bool>()) throw corrupt("a packed value is not in -31..31");
  TensorMap by_site;
  int64_t from = 0;
  for (std::size_t k = 0; k < sites.size(); ++k) {
    const auto& [site, out] = sites[k];
    by_site[site] = numbers.slice(0, from, from + out).to(torch::kFloat) * scales[static_cast<int64_t>(k)];
    from += out;
  }
  return by_site;
}

}  // namespace conceptd::diffusion
