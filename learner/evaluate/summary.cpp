#include <spdlog/fmt/fmt.h>

#include <fstream>
#include <set>

#include "core/error.h"
#include "learner/evaluate/bootstrap.h"
#include "learner/evaluate/reports.h"

namespace conceptd::evaluate {

namespace {
using nlohmann::json;
using Figures = std::map<std::string, std::map<std::string, double>>;  // figure -> thing -> value

// Those that a table shows, in its order. Falling ones are better when lower.
struct Column {
  const char* figure;
  const char* title;
  int digits;
};
constexpr Column kColumns[] = {{"things", "things", 0},
                               {"embedding", "identity", 3},
                               {"found", "found", 2},
                               {"by_truth", "attributes", 3},
                               {"colour_error", "colours off", 3},
                               {"fidelity", "prompt", 3},
                               {"companion", "companion", 3},
                               {"own_colours", "both own", 3},
                               {"background", "background", 3},
                               {"diversity", "diversity", 3},
                               {"wasserstein", "W₂", 3},
                               {"fisher", "LFD", 5},
                               {"copy_distance", "copy", 3},
                               {"seconds", "CPU s", 0},
                               {"passes", "passes", 0},
                               {"bytes", "bytes", 0}};

json interval(const Interval& of) { return {{"value", of.value}, {"low", of.low}, {"high", of.high}}; }

std::vector<double> values(const std::map<std::string, double>& by_thing) {
  std::vector<double> all;
  for (const auto& [thing, value] : by_thing) all.push_back(value);
  return all;
}

json mean_of(const std::map<std::string, double>& by_thing) {
  const auto all = values(by_thing);
  if (all.size() < 2) return {{"value", all.at(0)}, {"low", all.at(0)}, {"high", all.at(0)}};
  return interval(bootstrap(all.size(), [&](std::span<const std::size_t> drawn) {
    double sum = 0;
    for (const auto k : drawn) sum += all[k];
    return sum / static_cast<double>(drawn.size());
  }));
}
}  // namespace

json summarise(const std::vector<std::filesystem::path>& results, const std::vector<std::string>& against) {
  std::map<std::string, Figures> ways;
  std::set<std::string> things, plans;
  for (const auto& path : results) {
    std::ifstream in(path);
    if (!in) throw Error(Code::not_found, "cannot read " + path.string());
    for (std::string line; std::getline(in, line);) {
      const auto entry = json::parse(line, nullptr, false);
      if (entry.is_discarded()) continue;
      plans.insert(entry.at("plan").get<std::string>());
      things.insert(entry.at("thing").get<std::string>());
      for (const auto& [figure, value] : entry.items())
        if (value.is_number()) ways[entry.at("way")][figure][entry.at("thing")] = value.get<double>();
    }
  }
  if (plans.size() != 1) throw Error(Code::conflict, "the results are of " + std::to_string(plans.size()) + " plans");
  json out{{"things", things.size()}, {"plan", *plans.begin()}};
  for (const auto& [way, figures] : ways) {
    std::set<std::string> of;
    for (const auto& [figure, by_thing] : figures) {
      out["ways"][way][figure] = mean_of(by_thing);
      for (const auto& [thing, value] : by_thing) of.insert(thing);
    }
    out["ways"][way]["things"] = {{"value", of.size()}, {"low", of.size()}, {"high", of.size()}};
  }
  for (const auto& other : against) {
    const auto theirs = ways.find(other);
    if (theirs == ways.end()) throw Error(Code::not_found, "no results of '" + other + "'", "against");
    for (const auto& [way, figures] : ways) {
      if (way == other) continue;
      for (const auto& [figure, by_thing] : figures) {
        std::vector<double> ours, beside;
        for (const auto& [thing, value] : by_thing) {
          const auto found = theirs->second.find(figure);
          if (found == theirs->second.end() || !found->second.contains(thing)) continue;
          ours.push_back(value), beside.push_back(found->second.at(thing));
        }
        if (ours.size() > 1)
          out["differences"][way + " - " + other][figure] = interval(paired_difference(ours, beside));
      }
    }
  }
  return out;
}

std::string summary_table(const json& summary) {
  std::string text = "| way |", rule = "|---|";
  for (const auto& column : kColumns) text += fmt::format(" {} |", column.title), rule += "---|";
  text += "\n" + rule + "\n";
  for (const auto& [way, figures] : summary.at("ways").items()) {
    text += "| " + way + " |";
    for (const auto& column : kColumns) {
      if (!figures.contains(column.figure)) {
        text += " |";
        continue;
      }
      const auto& of = figures.at(column.figure);
      const double value = of.at("value"), half = (of.at("high").get<double>() - of.at("low").get<double>()) / 2;
      text += column.digits == 0 ? fmt::format(" {:.0f} |", value)
                                 : fmt::format(" {:.{}f} ± {:.{}f} |", value, column.digits, half, column.digits);
    }
    text += "\n";
  }
  return text;
}

}  // namespace conceptd::evaluate
