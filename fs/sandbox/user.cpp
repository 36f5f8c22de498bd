#include "fs/sandbox/user.hpp"

#include <pwd.h>

namespace hypeman::fs {

std::optional<User> find_user(const std::string& name) {
  const auto* const entry = ::getpwnam(name.c_str());
  if (entry == nullptr) {
    return std::nullopt;
  }
  return User{.name = name, .uid = entry->pw_uid, .gid = entry->pw_gid};
}

std::optional<User> default_user() {
  auto own = find_user("hypeman-statsfs");
  return own ? own : find_user("nobody");
}

}  // namespace hypeman::fs
