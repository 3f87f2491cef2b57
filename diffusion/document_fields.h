// What the readers and writers of our safetensors documents share (delta.cpp, consolidated.cpp): refusals that name a
// field, and metadata read by name from a file that may be hostile.
#pragma once
#include <string>

#include "core/digest.h"
#include "core/error.h"
#include "core/json.h"
#include "diffusion/safetensors.h"

namespace conceptd::diffusion {

struct Refuse {  // the same checks read from outside (corrupt) and before writing (invalid)
  Code code;
  const std::string& what;
  Error operator()(const std::string& field, const std::string& why) const {
    return Error(code, what + ": " + field.substr(0, 200) + " " + why, field.substr(0, 200));
  }
};

bool is_placeholder(const std::string& text);  // <name>, the name as concepts are named
Digest digest_from(const std::string& text, const std::string& field, const Refuse& refuse);

// Both references outlive it. What is missing is refused, but for digest() and number().
class FieldReader {
 public:
  FieldReader(const StringMap& metadata, const Refuse& refuse) : metadata_(metadata), refuse_(refuse) {}

  const std::string& text(const char* name) const;
  Digest digest(const char* name) const;  // missing: all zero
  Json json(const char* name) const;
  double number(const char* name, double otherwise) const;

 private:
  const StringMap& metadata_;
  const Refuse& refuse_;
};

}  // namespace conceptd::diffusion
