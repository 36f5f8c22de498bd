#pragma once

#include <atomic>
#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "collector/hypeman/guests.hpp"
#include "collector/instances/found_instance.hpp"
#include "collector/instances/host.hpp"
#include "collector/instances/instance.hpp"
#include "collector/instances/names.hpp"
#include "collector/instances/sample.hpp"
#include "collector/instances/shared_job.hpp"

namespace hypeman::collector {

/// The instances of a host. Every call checks the data directory, so a result is never older than
/// the call. Deleted instances are forgotten little by little with every call. Thread-safe.
class Instances {
 public:
  /// `host` must outlive this object and the instances that it returns.
  explicit Instances(const Host& host) : host_{host} {}

  /// ENOENT: there is no such instance. Any other error: its record cannot be read.
  [[nodiscard]] Result<FoundInstance> find(std::string_view id);

  /// The only instance with this name. ENOENT: there is none. ENOTUNIQ: there are several. A name
  /// that is not known yet needs a list of all instances. Such lists take at most a tenth of one
  /// CPU, so the call may wait for up to a second. One change is seen up to a second late: another
  /// instance, which exists already, is renamed to the same name.
  [[nodiscard]] Result<FoundInstance> find_by_name(std::string_view name);

  /// All instances. An instance whose record cannot be read is left out. It is an error only if the
  /// data directory cannot be listed. One thread leaves the CPUs to other readers.
  [[nodiscard]] Result<InstanceList> list(std::size_t threads = 1);

  /// For list() and samples() of readers who need all VMs. System calls take nearly all of the
  /// time, and several CPUs can do them at once. The number is low to leave the CPUs to the VMs. It
  /// does not depend on the number of CPUs: more threads than CPUs still help if another process
  /// uses a CPU.
  static constexpr std::size_t several_threads = 4;

  /// A sample of each instance, in the order of the list.
  [[nodiscard]] static std::vector<Sample> samples(const std::vector<FoundInstance>& instances,
                                                   Sources sources);

  /// The names of all instances now. Errors as for list().
  [[nodiscard]] Result<std::shared_ptr<const Names>> names();

  /// Whether a sample of the instance may wait. Reads no file.
  [[nodiscard]] bool sample_may_wait(std::string_view id) const;

  /// Whether find_by_name() would list all instances. Only a hint.
  [[nodiscard]] bool needs_list(std::string_view name) const { return !known_id(name); }

 private:
  struct StringHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  template <class Value>
  using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

  [[nodiscard]] Result<FoundInstance> find(std::string_view id, GuestDirectory::Kind kind);
  void check_some(std::string_view except);
  [[nodiscard]] bool is_known_more_than(std::size_t count) const;
  void forget_all_but(std::span<const GuestDirectory> existing);
  [[nodiscard]] Result<std::shared_ptr<const Names>> list_names();
  [[nodiscard]] std::optional<std::string> known_id(std::string_view name) const;

  const Host& host_;

  mutable std::shared_mutex mutex_;             // guards known_; not held while a file is read
  StringMap<std::shared_ptr<Instance>> known_;  // by ID; some are not valid yet
  std::atomic<std::size_t> calls_ = 0;          // of find()
  std::atomic<std::size_t> next_bucket_ = 0;    // of known_, for check_some()

  static constexpr int names_rest = 9;  // at most a tenth of one CPU
  SharedJob<Result<std::shared_ptr<const Names>>> names_job_{names_rest};
  mutable std::mutex names_mutex_;  // guards the members below
  std::shared_ptr<const Names> names_ = std::make_shared<const Names>();
  std::optional<Guests::Version> names_version_;  // of guests/; nothing: it has just changed
};

}  // namespace hypeman::collector
