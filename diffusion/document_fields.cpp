#include "diffusion/document_fields.h"

#include <algorithm>
#include <string_view>

namespace conceptd::diffusion {

bool is_placeholder(const std::string& text) {
  if (text.size() < 3 || text.size() > 65 || text.front() != '<' || text.back() != '>') return false;
  const auto name = std::string_view(text).substr(1, text.size() - 2);
  const auto lower_or_digit = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return lower_or_digit(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
           return lower_or_digit(c) || c == '.' || c == '_' || c == '-';
         });
}

Digest digest_from(const std::string& text, const std::string& field, const Refuse& refuse) {
  try {
    return Digest::parse(text);
  } catch (const Error&) {
    throw refuse(field, "is not a SHA-256 digest");
  }
}

const std::string& FieldReader::text(const char* name) const {
  const auto it = metadata_.find(name);
  if (it == metadata_.end()) throw refuse_(name, "is missing");
  return it->second;
}

Digest FieldReader::digest(const char* name) const {
  return metadata_.contains(name) ? digest_from(text(name), name, refuse_) : Digest();
}

Json FieldReader::json(const char* name) const {
  try {
    return parse_json(text(name), name);
  } catch (const Error& error) {
    throw refuse_(name, std::string("is not readable: ") + error.what());
  }
}

double FieldReader::number(const char* name, double otherwise) const {
  if (!metadata_.contains(name)) return otherwise;
  const auto value = json(name);
  if (!value.is_number()) throw refuse_(name, "is not a number");
  return value.get<double>();
}

}  // namespace conceptd::diffusion
