#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "collector/instances/host.hpp"
#include "collector/instances/instance.hpp"

namespace hypeman::collector {

/// An instance that was there when it was asked for, and its metadata of that moment.
struct FoundInstance {
  std::shared_ptr<Instance> instance;
  std::shared_ptr<const Metadata> metadata;
};

/// The instances of a host. Every answer is true of the data directory at the moment of the call:
/// what is kept between calls is validated before it is used. Thread-safe.
class Instances {
 public:
  /// `host` outlives this object and the instances that it returns.
  explicit Instances(const Host& host) : host_{host} {}

  /// ENOENT: there is no such instance now. Anything else: its metadata cannot be read.
  [[nodiscard]] Result<FoundInstance> find(std::string_view id) {
    return find(id, MetadataFile::Directory::unseen);
  }

  /// The instance that owns the name: of several with the same name, the one created first. An
  /// owner keeps its name until it does not carry it any more, or until the next listing of names,
  /// so that the answer does not take a look at every instance. ENOENT: none.
  [[nodiscard]] Result<FoundInstance> find_by_name(std::string_view name);

  /// All instances, by ID. An error only if the data directory itself cannot be listed.
  [[nodiscard]] Result<std::vector<FoundInstance>> list();

  /// A sample of each instance that runs, by ID, taken by several threads where that is worth it.
  /// Errors as list().
  [[nodiscard]] Result<std::vector<Sample>> running_samples();

  /// All names that own a link, with the ID of their instance. Errors as list().
  [[nodiscard]] Result<std::map<std::string, std::string>> names();

 private:
  struct StringHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  template <class Value>
  using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

  /// What may be an instance.
  struct Candidate {
    std::string id;
    MetadataFile::Directory directory;
  };

  [[nodiscard]] Result<FoundInstance> find(std::string_view id, MetadataFile::Directory directory);
  /// All of them, by ID.
  [[nodiscard]] Result<std::vector<Candidate>> candidates() const;
  [[nodiscard]] std::vector<Sample> running_samples(std::span<const Candidate> candidates);

  const Host& host_;
  mutable std::shared_mutex mutex_;
  StringMap<std::shared_ptr<Instance>> known_;  // by ID, also those that are no instance (yet)
  StringMap<std::string> id_by_name_;           // a hint, validated on use
};

}  // namespace hypeman::collector
