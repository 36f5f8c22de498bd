#pragma once

#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "collector/hypeman/guests.hpp"
#include "collector/instances/host.hpp"
#include "collector/instances/instance.hpp"
#include "collector/instances/sample.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// An instance, and its record at the time when it was found.
struct FoundInstance {
  std::shared_ptr<Instance> instance;
  std::shared_ptr<const VmRecord> record;
};

/// The instances of a host. Every call checks the data directory, so a result is never older than
/// the call. Thread-safe.
class Instances {
 public:
  /// `host` must outlive this object and the instances that it returns.
  explicit Instances(const Host& host) : host_{host} {}

  /// ENOENT: there is no such instance. Any other error: its record cannot be read.
  [[nodiscard]] Result<FoundInstance> find(std::string_view id) {
    return find({.id = std::string{id}, .is_directory = false});
  }

  /// The instance whose link in by-name has this name. ENOENT: there is none. If several instances
  /// have the same name, the link leads to the one that was created first. To save reading all
  /// records, a look-up trusts the last answer as long as that instance still has the name. names()
  /// corrects it.
  [[nodiscard]] Result<FoundInstance> find_by_name(std::string_view name);

  /// All instances, sorted by ID. An instance whose record cannot be read is left out. It is an
  /// error only if the data directory cannot be listed.
  [[nodiscard]] Result<std::vector<FoundInstance>> list();

  /// A sample of each running instance, sorted by ID. If there are many, several threads measure
  /// them. Errors as for list().
  [[nodiscard]] Result<std::vector<Sample>> running_samples(Sources sources);

  /// The name of each link in by-name and the ID of its instance. Errors as for list().
  [[nodiscard]] Result<std::map<std::string, std::string>> names();

 private:
  struct StringHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  template <class Value>
  using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

  [[nodiscard]] Result<FoundInstance> find(const GuestDirectory& directory);
  [[nodiscard]] Result<std::vector<GuestDirectory>> candidates() const;
  [[nodiscard]] std::vector<Sample> running_samples(std::span<const GuestDirectory> candidates,
                                                    Sources sources);

  const Host& host_;
  mutable std::shared_mutex mutex_;
  StringMap<std::shared_ptr<Instance>> known_;  // by ID; some are not valid yet
  StringMap<std::string> id_by_name_;           // may be out of date; checked before use
};

}  // namespace hypeman::collector
