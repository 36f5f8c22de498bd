#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace hypeman::collector {

/// A directory that may belong to an instance.
struct GuestDirectory {
  enum class Kind : std::uint8_t {
    directory,
    unknown,  ///< may also be a symlink or not exist
    renamed,  ///< a Firecracker fork has renamed it for a moment
  };
  std::string id;
  Kind kind = Kind::unknown;
};

/// guests/ of Hypeman's data directory. It holds one directory for each instance, and for a moment
/// the directories that a fork renames (guests/<id>.fork-bak.<nanoseconds>). Every call uses the
/// path again, so it finds a data directory that appears later or is replaced. Thread-safe.
class Guests {
 public:
  /// `data_dir` is an absolute path.
  explicit Guests(const std::string& data_dir) : path_{data_dir + "/guests"} {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path_of(std::string_view id) const;

  /// Whether there is an entry with the name of the instance.
  [[nodiscard]] bool has(std::string_view id) const;

  /// Opens guests/. Follows a symlink: the operator may keep the guests in another place.
  [[nodiscard]] Result<UniqueFd> open() const;

  /// Equal versions prove that no directory was added, removed or renamed in between.
  using Version = std::array<std::int64_t, 4>;

  /// Nothing if guests/ cannot be read, or has changed so recently that its times may not show
  /// another change. `now` is the time by the wall clock, in seconds.
  [[nodiscard]] std::optional<Version> version(std::time_t now) const;

  /// All directories that are named like an instance, sorted by ID. Empty if there is no guests/
  /// yet.
  [[nodiscard]] Result<std::vector<GuestDirectory>> list(std::time_t now) const;

  /// The name of the instance's directory in guests/. It is the ID, or the name that a fork has
  /// given it a short time ago. ENOENT: there is no such directory. Follows no symlink at the name.
  [[nodiscard]] Result<std::string> directory_of(std::string_view id, std::time_t now) const;

 private:
  std::string path_;
};

/// File times have the resolution of a timer tick, or of two seconds on some file systems. Until
/// this time has passed, a second change may not change them.
inline constexpr std::time_t coarsest_file_time = 2;

}  // namespace hypeman::collector
