#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace hypeman::fs {

/// An entry of the user database.
struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;  ///< primary group
};

[[nodiscard]] std::optional<User> find_user(const std::string& name);

/// The default user of the worker process: hypeman-statsfs if it exists, otherwise nobody. Nothing
/// if neither exists.
[[nodiscard]] std::optional<User> default_user();

}  // namespace hypeman::fs
