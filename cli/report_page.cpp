#include "cli/report_page.h"

#include <algorithm>
#include <cstdio>

#include "cli/text.h"

namespace conceptd::cli {
namespace {

constexpr int kCell = 26, kSide = 150, kTop = 120;
constexpr const char* kStyle =
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left}"
    "th{background:#f3f3f3}code{font-size:85%}.bad{color:#a00;font-weight:bold}svg{display:block;margin:1em 0}";

std::string text_of(const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return human_number(value.get<double>());
  return value.dump();
}

std::string cell(const Json& value, const std::string& tag = "td", const std::string& style = {}) {
  return "<" + tag + style + ">" + html_escaped(text_of(value)) + "</" + tag + ">";
}

std::string table(const std::vector<std::string>& heads, const std::vector<std::vector<Json>>& rows) {
  std::string html = "<table><tr>";
  for (const std::string& head : heads) html += cell(head, "th");
  html += "</tr>\n";
  for (const auto& row : rows) {
    html += "<tr>";
    for (const Json& value : row)
      html += cell(value, "td", value == "failed" || value == "changed" || value == "refused" ? " class=\"bad\"" : "");
    html += "</tr>\n";
  }
  return html + "</table>\n";
}

// Every field of each object of a list, in the order of `fields`.
std::string table_of(const Json& list, const std::vector<std::pair<std::string, std::string>>& fields) {
  if (!list.is_array() || list.empty()) return "<p>none</p>\n";
  std::vector<std::string> heads;
  for (const auto& [field, head] : fields) heads.push_back(head);
  std::vector<std::vector<Json>> rows;
  for (const Json& item : list) {
    rows.emplace_back();
    for (const auto& [field, head] : fields) rows.back().push_back(item.value(field, Json()));
  }
  return table(heads, rows);
}

// From pale to dark blue.
std::string colour(double share) {
  char text[16];
  const auto mix = [&](int from, int to) { return static_cast<int>(from + (to - from) * std::clamp(share, 0., 1.)); };
  std::snprintf(text, sizeof text, "#%02x%02x%02x", mix(239, 8), mix(243, 48), mix(255, 107));
  return text;
}

std::string number(int value) { return std::to_string(value); }

std::string matrix_section(const std::string& title, const Json& matrix, const Json& nights, const Json& concepts) {
  std::vector<std::vector<Json>> figures;
  for (const auto& [field, what] :
       std::initializer_list<std::pair<const char*, const char*>>{{"average", "mean of the last night"},
                                                                  {"learning", "mean when learnt"},
                                                                  {"backward_transfer", "backward transfer"},
                                                                  {"forgetting", "forgetting (peak - last)"},
                                                                  {"worst_retention", "worst retention"},
                                                                  {"worst", "of"}})
    figures.push_back({what, matrix.value(field, Json())});
  return "<h3>" + html_escaped(title) + "</h3>\n" + heat_map(matrix.value("score", Json::array()), nights, concepts) +
         table({"figure", "value"}, figures);
}

}  // namespace

std::string html_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : printable(text)) {
    if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '&')
      escaped += "&amp;";
    else if (c == '"')
      escaped += "&quot;";
    else
      escaped += c;
  }
  return escaped;
}

std::string heat_map(const Json& rows, const Json& row_heads, const Json& column_heads) {
  if (rows.empty()) return "<p>nothing was measured yet</p>\n";
  double least = 0, greatest = 0;
  bool any = false;
  for (const Json& row : rows)
    for (const Json& value : row)
      if (value.is_number()) {
        const double v = value.get<double>();
        least = any ? std::min(least, v) : v, greatest = any ? std::max(greatest, v) : v;
        any = true;
      }
  const int height = kTop + kCell * static_cast<int>(rows.size()) + 4;
  const int width = kSide + kCell * static_cast<int>(column_heads.size()) + 60;
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(width) + "\" height=\"" +
                    number(height) + "\" font-size=\"12\">\n";
  for (std::size_t j = 0; j < column_heads.size(); ++j) {
    const std::string x = number(kSide + kCell * static_cast<int>(j) + kCell / 2 + 4), y = number(kTop - 6);
    svg += "<text x=\"" + x + "\" y=\"" + y + "\" transform=\"rotate(-50 " + x + " " + y + ")\">" +
           html_escaped(text_of(column_heads[j])) + "</text>\n";
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const int y = kTop + kCell * static_cast<int>(i);
    if (i < row_heads.size())
      svg +=
          "<text x=\"0\" y=\"" + number(y + kCell * 2 / 3) + "\">" + html_escaped(text_of(row_heads[i])) + "</text>\n";
    for (std::size_t j = 0; j < rows[i].size(); ++j) {
      const Json& value = rows[i][j];
      if (!value.is_number()) continue;
      const double v = value.get<double>(), share = greatest > least ? (v - least) / (greatest - least) : 1;
      svg += "<rect x=\"" + number(kSide + kCell * static_cast<int>(j)) + "\" y=\"" + number(y) + "\" width=\"" +
             number(kCell - 1) + "\" height=\"" + number(kCell - 1) + "\" fill=\"" + colour(share) + "\"><title>" +
             html_escaped(text_of(value)) + "</title></rect>\n";
    }
  }
  svg += "</svg>\n";
  if (!any) return svg;
  return svg + "<p>from " + html_escaped(human_number(least)) + " (pale) to " + html_escaped(human_number(greatest)) +
         " (dark)</p>\n";
}

std::string report_page(const Json& report) {
  const Json& night = report.at("night");
  const Json matrices = report.value("matrices", Json::object());
  Json dates = Json::array();
  for (const Json& each : matrices.value("nights", Json::array()))
    dates.push_back(each.value("date", std::string()) + " (" + each.value("id", Json()).dump() + ")");
  const Json concepts = matrices.value("concepts", Json::array());
  const std::string title = "Night " + text_of(night.value("id", Json())) + ", " + text_of(night.value("date", Json()));
  std::string page = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + html_escaped(title) +
                     "</title><style>" + kStyle + "</style></head><body>\n<h1>" + html_escaped(title) + "</h1>\n";
  page += "<p>" +
          cell(night.value("state", Json()), "b", night.value("state", "") == "failed" ? " class=\"bad\"" : "") + " " +
          html_escaped(text_of(night.value("reason", Json()))) + "<br>began " +
          html_escaped(text_of(night.value("began_at", Json()))) + ", ended " +
          html_escaped(text_of(night.value("ended_at", Json()))) + " (UTC); state " +
          html_escaped(text_of(night.value("state_before", Json()))) + " before, " +
          html_escaped(text_of(night.value("state_after", Json()))) + " after; manifest <code>" +
          html_escaped(text_of(report.value("manifest", Json()))) + "</code></p>\n";
  page +=
      "<h2>Steps</h2>\n" + table_of(night.value("steps", Json::array()),
                                    {{"name", "step"}, {"state", "state"}, {"seconds", "seconds"}, {"message", ""}});
  page += "<h2>Learnt</h2>\n" +
          table_of(report.value("learnt", Json::array()),
                   {{"name", "concept"}, {"version", "version"}, {"outcome", "outcome"}, {"reason", "why"}});
  page += "<h2>Drawn again</h2>\n" +
          table_of(report.value("measured", Json::array()), {{"name", "concept"},
                                                             {"version", "version"},
                                                             {"outcome", "pictures"},
                                                             {"identity", "likeness"},
                                                             {"identity_at_publication", "when published"},
                                                             {"fidelity", "fit"},
                                                             {"fidelity_at_publication", "when published"},
                                                             {"seconds", "seconds"},
                                                             {"pictures", "digest"}});
  page += "<h2>Over the nights</h2>\n" +
          matrix_section("Likeness to the photos", matrices.value("likeness", Json::object()), dates, concepts) +
          matrix_section("Fit to the prompts", matrices.value("fit", Json::object()), dates, concepts);
  page += "<h2>Bytes</h2>\n" + table_of(report.value("bytes", Json::array()),
                                        {{"name", "concept"}, {"version", "version"}, {"delta_bytes", "delta"}});
  return page + "</body></html>\n";
}

}  // namespace conceptd::cli
