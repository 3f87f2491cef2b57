// The report of a night as one HTML page that asks for nothing from anywhere: tables, and the matrices as heat maps in
// SVG. Every text of the report is escaped.
#pragma once
#include <string>

#include "core/json.h"

namespace conceptd::cli {

std::string report_page(const Json& report);

// "&lt;b&gt;"
std::string html_escaped(const std::string& text);
// A heat map of rows of numbers between the least and the greatest of them; null is an empty cell. The heads stand at
// its sides, and each cell has its number in a tooltip.
std::string heat_map(const Json& rows, const Json& row_heads, const Json& column_heads);

}  // namespace conceptd::cli
