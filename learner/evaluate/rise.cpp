#include "learner/evaluate/rise.h"

#include <cmath>
#include <set>
#include <string_view>

namespace conceptd::evaluate {
namespace {
double ratio(const std::vector<double>& way, const std::vector<double>& words, const std::vector<double>& renders,
             std::size_t left_out) {
  double gained = 0, room = 0;
  for (std::size_t k = 0; k < way.size(); ++k) {
    if (k != left_out) gained += way[k] - words[k], room += renders[k] - words[k];
  }
  return room > 0 ? gained / room : 0;
}
}  // namespace

Rise rise(const std::vector<double>& way, const std::vector<double>& words, const std::vector<double>& renders) {
  const auto n = way.size();
  Rise out{.value = ratio(way, words, renders, n)};
  if (n < 2) return out;
  std::vector<double> without;
  double mean = 0, squares = 0;
  for (std::size_t k = 0; k < n; ++k) {
    without.push_back(ratio(way, words, renders, k));
    mean += without.back() / static_cast<double>(n);
  }
  for (const double one : without) squares += (one - mean) * (one - mean);
  out.standard_error = std::sqrt(squares * static_cast<double>(n - 1) / static_cast<double>(n));
  return out;
}

nlohmann::json rises(const nlohmann::json& each) {
  static const std::set<std::string> kEnds{"best description", "real renders"};
  nlohmann::json out = nlohmann::json::object();
  if (each.empty()) return out;
  for (const auto& item : each.front().at("ways").items()) {
    if (kEnds.contains(item.key())) continue;
    for (const char* measure : {"embedding", "by_truth", "found", "colour_error"}) {
      const double better = std::string_view(measure) == "colour_error" ? -1 : 1;
      const auto column = [&](const std::string& way) {
        std::vector<double> figures;
        for (const auto& thing : each) figures.push_back(better * thing.at("ways").at(way).at(measure).get<double>());
        return figures;
      };
      const auto one = rise(column(item.key()), column("best description"), column("real renders"));
      out[item.key()][measure] = {{"rise", one.value}, {"standard_error", one.standard_error}};
    }
  }
  return out;
}

}  // namespace conceptd::evaluate
