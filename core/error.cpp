#include "core/error.h"

#include <array>

namespace conceptd {
namespace {

struct Row {
  Code code;
  std::string_view text;
  int http;
  int exit;
};

// The one table: what a failure is called on the wire, and how HTTP and a shell see it.
constexpr std::array<Row, 11> kTable{{
    {Code::invalid, "invalid", 422, 7},
    {Code::not_found, "not_found", 404, 4},
    {Code::conflict, "conflict", 409, 5},
    {Code::busy, "busy", 429, 6},
    {Code::corrupt, "corrupt", 500, 8},
    {Code::unavailable, "unavailable", 503, 3},
    {Code::cancelled, "cancelled", 499, 9},
    {Code::exhausted, "exhausted", 413, 10},
    {Code::unauthenticated, "unauthenticated", 401, 13},
    {Code::forbidden, "forbidden", 403, 14},
    {Code::internal, "internal", 500, 1},
}};

const Row& row_of(Code code) noexcept {
  for (const Row& row : kTable)
    if (row.code == code) return row;
  return kTable.back();
}

}  // namespace

std::string_view to_string(Code code) noexcept { return row_of(code).text; }
int http_status(Code code) noexcept { return row_of(code).http; }
int exit_status(Code code) noexcept { return row_of(code).exit; }

Code code_from_string(std::string_view text) noexcept {
  for (const Row& row : kTable)
    if (row.text == text) return row.code;
  return Code::internal;
}

}  // namespace conceptd
