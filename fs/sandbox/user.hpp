#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace hypeman::fs {

/// An entry of the user database.
struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;  ///< of the user's own group
};

[[nodiscard]] std::optional<User> find_user(const std::string& name);

/// Whom the statistics are served as unless somebody is named: the package's own user, where it
/// exists, else "nobody". Nothing if neither does.
[[nodiscard]] std::optional<User> default_user();

}  // namespace hypeman::fs
