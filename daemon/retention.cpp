#include "daemon/retention.h"

#include <algorithm>
#include <cmath>

namespace conceptd::daemon {
namespace {

// Below it, what was learnt is no distance to divide by.
constexpr double kLearntLeast = 1e-6;

class Mean {
 public:
  void add(double value) { sum_ += value, ++count_; }
  std::optional<double> value() const { return count_ == 0 ? std::nullopt : std::optional(sum_ / count_); }

 private:
  double sum_ = 0;
  int count_ = 0;
};

}  // namespace

Retention retention_of(const ScoreMatrix& m, const std::vector<std::optional<double>>& floors) {
  Retention result;
  if (m.score.empty()) return result;
  Mean average, learning, transfer, forgetting;
  const std::size_t last = m.score.size() - 1;
  for (std::size_t j = 0; j < m.concepts.size(); ++j) {
    if (!m.score[last][j]) continue;
    std::size_t first = last;
    double now = *m.score[last][j], learnt = now, peak = now;
    for (std::size_t i = last; i-- > 0;) {
      if (!m.score[i][j]) continue;
      if (m.version[i][j] != m.version[last][j]) break;
      first = i;
      learnt = *m.score[i][j];
      peak = std::max(peak, learnt);
    }
    average.add(now);
    learning.add(learnt);
    if (first == last) continue;
    transfer.add(now - learnt);
    forgetting.add(peak - now);
    if (!floors[j] || std::abs(learnt - *floors[j]) < kLearntLeast) continue;
    const double kept = (now - *floors[j]) / (learnt - *floors[j]);
    if (result.worst_retention && kept >= *result.worst_retention) continue;
    result.worst_retention = kept;
    result.worst = m.concepts[j];
  }
  result.average = average.value();
  result.learning = learning.value();
  result.backward_transfer = transfer.value();
  result.forgetting = forgetting.value();
  return result;
}

}  // namespace conceptd::daemon
