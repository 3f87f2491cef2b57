// How well what was learnt is kept: scores of every concept over the nights that measured it, and what follows from
// them (Lopez-Paz and Ranzato 2017 for the transfer; peak minus end for forgetting; docs/nights.md has the formulas).
// Legend: row i a night, oldest first; column j a concept.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace conceptd::daemon {

struct ScoreMatrix {
  std::vector<std::int64_t> nights{};
  std::vector<std::string> concepts{};
  std::vector<std::vector<std::optional<double>>> score{};  // [i][j]; empty: not measured
  std::vector<std::vector<int>> version{};                  // [i][j] that was live; 0: not measured
};

// Of the columns that the last row has. A column begins with the night that first measured the version of its last row,
// since another version is learnt again and not forgotten; transfer, forgetting and retention are of columns with two
// nights or more. Empty where there are none.
struct Retention {
  std::optional<double> average{};            // mean_j R[N][j]
  std::optional<double> learning{};           // mean_j R[j][j]
  std::optional<double> backward_transfer{};  // mean_j (R[N][j] - R[j][j])
  std::optional<double> forgetting{};         // mean_j (max_i R[i][j] - R[N][j]), never below 0
  std::optional<double> worst_retention{};    // min_j (R[N][j] - R0[j]) / (R[j][j] - R0[j])
  std::string worst{};                        // whose that is
};

// floors: R0[j], the score of the class word alone; empty: not known, and no retention of it.
Retention retention_of(const ScoreMatrix& scores, const std::vector<std::optional<double>>& floors);

}  // namespace conceptd::daemon
