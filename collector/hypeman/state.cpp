#include "collector/hypeman/state.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <string>
#include <system_error>

#include "base/directory.hpp"
#include "base/file.hpp"

namespace hypeman::collector {
namespace {

constexpr std::array<std::string_view, 5> states_of_process{"created", "initializing", "running",
                                                            "paused", "shutdown"};
constexpr std::string_view standby = "standby";
constexpr std::string_view stopped = "stopped";

static_assert(std::ranges::all_of(states_of_process, [](std::string_view word) {
  return word.size() <= max_state_size;
}));

/// There is no such directory, or something else has its name.
bool is_absence(std::error_code error) {
  return error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory ||
         error == std::errc::too_many_symbolic_link_levels;
}

/// `name` is a directory of an instance.
Result<bool> has_snapshot(const Guests& guests, const std::string& name) {
  const auto path = name + "/snapshots/snapshot-latest";
  const auto directory = guests.open().and_then([&](const UniqueFd& opened) {
    return open_beneath(opened.get(), path.c_str(), O_RDONLY | O_DIRECTORY);
  });
  if (!directory) {
    return is_absence(directory.error()) ? Result<bool>{false} : tl::unexpected{directory.error()};
  }
  bool holds_something = false;
  return for_each_entry(directory->get(), ".",
                        [&](std::string_view /*name*/, unsigned char /*type*/) {
                          holds_something = true;
                          return false;
                        })
      .map([&] { return holds_something; });
}

}  // namespace

bool is_state_of_process(std::string_view word) {
  return std::ranges::find(states_of_process, word) != states_of_process.end();
}

Result<std::string_view> state_without_process(const Guests& guests, std::string_view id,
                                               std::time_t now) {
  const auto name = guests.directory_of(id, now);
  if (!name && is_absence(name.error())) {
    return stopped;  // the VM has just been deleted
  }
  return name
      .and_then([&](const std::string& directory) { return has_snapshot(guests, directory); })
      .map([](bool has) { return has ? standby : stopped; });
}

}  // namespace hypeman::collector
