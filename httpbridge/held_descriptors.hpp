#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/unique_fd.hpp"

namespace hypeman::httpbridge {

/// Open stats.json descriptors by instance ID, at most `capacity` of them; the longest unused goes
/// first. A descriptor is taken out while it is read, so no two reads share its position in a
/// sample. Thread-safe.
class HeldDescriptors {
 public:
  explicit HeldDescriptors(std::size_t capacity) : capacity_(capacity) {}

  /// An empty UniqueFd if none is held (or another thread has it just now).
  [[nodiscard]] UniqueFd take(const std::string& id);

  /// Keeps a descriptor for the next reader; closes it if one is already held for this ID.
  void give(const std::string& id, UniqueFd fd);

  /// Forgets an ID whose descriptor was taken and turned out dead.
  void drop(const std::string& id);

 private:
  struct Slot {
    std::string id;
    UniqueFd fd;  // empty while taken: the slot stays, so that a poll allocates nothing
  };

  std::size_t capacity_;
  std::mutex mutex_;
  std::list<Slot> slots_;  // most recently used first
  std::unordered_map<std::string, std::list<Slot>::iterator> by_id_;
};

}  // namespace hypeman::httpbridge
