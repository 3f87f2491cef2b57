// Numbers and texts as people read them in a terminal.
#pragma once
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace conceptd::cli {

// What moves a cursor, hides or turns the order of a text round, and bytes that are not UTF-8, become "?".
std::string printable(std::string_view text);
bool is_utf8(std::string_view text);
std::string human_bytes(std::int64_t bytes);     // "24.8 KB"
std::string human_seconds(double seconds);       // "1.3 s", "2 min 05 s", "3 h 20 min", "9 d 4 h"
std::string human_time(const std::string& iso);  // "2026-11-21 01:14", in UTC
std::string human_number(double value);          // three digits that matter
std::string short_digest(const std::string& digest);
std::string count_of(std::int64_t count, const std::string& noun);  // "1 photo", "4 photos"

// Columns as wide as they must be, two spaces apart; the first row is the head. Every cell is made printable().
void print_table(std::ostream& out, const std::vector<std::vector<std::string>>& rows, const std::string& indent = {});

// The known words nearest to what was typed, at most three.
std::vector<std::string> nearest(const std::string& typed, const std::vector<std::string>& known);

}  // namespace conceptd::cli
