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

/// An instance and its record at the moment of the call that found it.
struct FoundInstance {
  std::shared_ptr<Instance> instance;
  std::shared_ptr<const VmRecord> record;
};

/// The instances of a host. Every answer is true at the moment of the call: what is kept between
/// calls is checked against the data directory before it is used. Thread-safe.
class Instances {
 public:
  /// `host` outlives this object and the instances that it returns.
  explicit Instances(const Host& host) : host_{host} {}

  /// ENOENT: there is no such instance. Anything else: its record cannot be read.
  [[nodiscard]] Result<FoundInstance> find(std::string_view id) {
    return find({.id = std::string{id}, .is_directory = false});
  }

  /// The instance whose link in by-name has this name. ENOENT: none. Several instances may have the
  /// same name; then the one that was created first has the link. It keeps the link until it
  /// changes its name or until the next call of names(), so that one look-up need not read every
  /// record.
  [[nodiscard]] Result<FoundInstance> find_by_name(std::string_view name);

  /// All instances, sorted by ID. An instance whose record cannot be read is left out. An error
  /// only if the data directory cannot be listed.
  [[nodiscard]] Result<std::vector<FoundInstance>> list();

  /// A sample of each instance that runs, sorted by ID. Several threads take them if there are
  /// many. Errors as list().
  [[nodiscard]] Result<std::vector<Sample>> running_samples(Sources sources);

  /// The name of each link in by-name and the ID of its instance. Errors as list().
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
  StringMap<std::shared_ptr<Instance>> known_;  // by ID; also directories that are no instance yet
  StringMap<std::string> id_by_name_;           // may be out of date: checked when it is used
};

}  // namespace hypeman::collector
