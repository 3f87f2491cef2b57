// How far a way of asking for a thing gets from the best description in words (0) towards real renders of it (1), over
// several things.
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

namespace conceptd::evaluate {

struct Rise {
  double value = 0, standard_error = 0;  // the latter by the jackknife over things (Efron 1982); 0 for fewer than two
};
// One figure a thing of each; a ratio of sums, so that a thing that words describe as well as a render counts for
// little. {0, 0} where renders are no better than words.
Rise rise(const std::vector<double>& way, const std::vector<double>& words, const std::vector<double>& renders);

// Of every way in report_concepts' "each", by "embedding", "by_truth", "found" and "colour_error", which falls as
// things get better:
// {"perfusion": {"embedding": {"rise": .., "standard_error": ..}, "by_truth": …}, …}
nlohmann::json rises(const nlohmann::json& each);

}  // namespace conceptd::evaluate
