#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/unique_fd.hpp"

namespace hypeman::httpbridge {

struct CachedDescriptor {
  std::string id;
  UniqueFd fd;  // empty while a reader has taken it
};

/// Keeps stats.json descriptors open for reuse, by instance ID. A reader takes a descriptor out
/// while it reads, so two reads never share its position in a sample. Thread-safe.
class DescriptorCache {
 public:
  /// A full cache closes its least recently used descriptor.
  explicit DescriptorCache(std::size_t capacity) : capacity_(capacity) {}

  /// Empty if the cache has no descriptor for this ID, or if another thread has taken it.
  [[nodiscard]] UniqueFd take(const std::string& id);

  /// The descriptor that was put longest ago. Empty if a reader has taken it.
  [[nodiscard]] CachedDescriptor take_oldest();

  /// Keeps a descriptor for the next reader. Closes it if the cache already has one for this ID.
  void put(const std::string& id, UniqueFd fd);

  /// Removes the entry of an ID, for example after a taken descriptor turned out to be stale.
  void erase(const std::string& id);

 private:
  std::size_t capacity_;
  std::mutex mutex_;
  // Most recently put first. A taken entry stays, so that repeated reads allocate nothing.
  std::list<CachedDescriptor> entries_;
  std::unordered_map<std::string, std::list<CachedDescriptor>::iterator> by_id_;
};

}  // namespace hypeman::httpbridge
