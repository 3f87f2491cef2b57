#include "registry/role.h"

#include <string>

#include "core/error.h"

namespace conceptd::registry {

std::string_view to_string(Role role) noexcept {
  switch (role) {
    case Role::viewer:
      return "viewer";
    case Role::creator:
      return "creator";
    case Role::operator_:
      return "operator";
    case Role::admin:
      break;
  }
  return "admin";
}

Role role_from_string(std::string_view text) {
  for (const Role role : kRoles)
    if (to_string(role) == text) return role;
  throw Error(Code::invalid,
              "there is no role called '" + std::string(text) + "'; there are viewer, creator, operator, admin",
              "role");
}

}  // namespace conceptd::registry
