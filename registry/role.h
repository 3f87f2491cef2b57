// What somebody may do: four roles, each with everything that the one before it may.
#pragma once
#include <array>
#include <string_view>

namespace conceptd::registry {

enum class Role {
  viewer,     // look at concepts, jobs, status
  creator,    // make pictures and concepts; learn again and cancel what is their own
  operator_,  // the same with everybody's: learn, roll back, cancel ("operator" belongs to the language)
  admin,      // let others in: tokens
};

inline constexpr std::array<Role, 4> kRoles{Role::viewer, Role::creator, Role::operator_, Role::admin};

std::string_view to_string(Role role) noexcept;  // "operator"
Role role_from_string(std::string_view text);    // unknown text: Error{invalid, "role"} naming the four

}  // namespace conceptd::registry
