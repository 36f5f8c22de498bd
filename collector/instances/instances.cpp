#include "collector/instances/instances.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <future>
#include <iterator>
#include <mutex>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/instance_names.hpp"

namespace hypeman::collector {

Result<FoundInstance> Instances::find(const GuestDirectory& directory) {
  const auto& id = directory.id;
  if (!is_instance_id(id)) {
    return failure(ENOENT);
  }
  std::shared_ptr<Instance> instance;
  {
    const std::shared_lock lock{mutex_};
    if (const auto found = known_.find(id); found != known_.end()) {
      instance = found->second;
    }
  }
  const bool is_new = instance == nullptr;
  if (is_new) {
    instance = std::make_shared<Instance>(host_, id);
  }
  auto record = instance->metadata_file().read(directory.is_directory);
  const bool exists = record || record.error() != std::errc::no_such_file_or_directory;
  if (is_new && exists) {
    const std::unique_lock lock{mutex_};
    // Another thread may have added the instance already. All threads use the one in the map.
    instance = known_.try_emplace(id, instance).first->second;
  }
  if (!is_new && !exists) {
    const std::unique_lock lock{mutex_};
    if (const auto found = known_.find(id); found != known_.end() && found->second == instance) {
      known_.erase(found);
    }
  }
  if (!record) {
    return record.error() == std::errc::bad_message ? failure(ENOENT)
                                                    : tl::unexpected{record.error()};
  }
  return FoundInstance{.instance = std::move(instance), .record = *std::move(record)};
}

Result<std::vector<GuestDirectory>> Instances::candidates() const {
  auto candidates = list_guests(host_.data_dir.get());
  if (!candidates) {
    return candidates;
  }
  // A fork hides a directory for a moment, so the known instances are candidates too.
  std::vector<GuestDirectory> hidden;
  {
    const std::shared_lock lock{mutex_};
    for (const auto& [id, instance] : known_) {
      if (!std::ranges::binary_search(*candidates, id, {}, &GuestDirectory::id)) {
        hidden.push_back({.id = id, .is_directory = false});
      }
    }
  }
  if (!hidden.empty()) {
    std::ranges::move(hidden, std::back_inserter(*candidates));
    std::ranges::sort(*candidates, {}, &GuestDirectory::id);
  }
  return candidates;
}

Result<std::vector<FoundInstance>> Instances::list() {
  return candidates().map([&](const std::vector<GuestDirectory>& candidates) {
    std::vector<FoundInstance> instances;
    instances.reserve(candidates.size());
    for (const auto& candidate : candidates) {
      if (auto found = find(candidate)) {
        instances.push_back(*std::move(found));
      }
    }
    return instances;
  });
}

std::vector<Sample> Instances::running_samples(std::span<const GuestDirectory> candidates,
                                               Sources sources) {
  std::vector<Sample> samples;
  samples.reserve(candidates.size());
  for (const auto& candidate : candidates) {
    const auto found = find(candidate);
    if (found && found->record->process) {
      if (auto sample = found->instance->sample(found->record, sources); sample.running) {
        samples.push_back(std::move(sample));
      }
    }
  }
  return samples;
}

Result<std::vector<Sample>> Instances::running_samples(Sources sources) {
  return candidates().map([&](const std::vector<GuestDirectory>& candidates) {
    // System calls take nearly all of the time, and several CPUs can do them at once. The limit is
    // low to leave the CPUs to the VMs. It does not depend on the number of CPUs: more threads than
    // CPUs still help if another process uses a CPU.
    constexpr std::size_t max_threads = 4;
    constexpr std::size_t candidates_per_thread = 100;
    const auto threads =
        std::clamp<std::size_t>(candidates.size() / candidates_per_thread, 1, max_threads);
    const auto share = candidates.size() / threads + 1;
    std::vector<std::future<std::vector<Sample>>> others;
    std::span<const GuestDirectory> rest{candidates};
    for (; rest.size() > share; rest = rest.subspan(share)) {
      others.push_back(std::async(std::launch::async, [this, part = rest.first(share), sources] {
        return running_samples(part, sources);
      }));
    }
    const auto last = running_samples(rest, sources);
    std::vector<Sample> samples;
    samples.reserve(candidates.size());
    for (auto& part : others) {
      std::ranges::move(part.get(), std::back_inserter(samples));
    }
    std::ranges::copy(last, std::back_inserter(samples));
    return samples;
  });
}

Result<std::map<std::string, std::string>> Instances::names() {
  auto all = list();
  if (!all) {
    return tl::unexpected{all.error()};
  }
  std::ranges::sort(*all, [](const FoundInstance& a, const FoundInstance& b) {
    return std::tie(a.record->created_at, a.record->id) <
           std::tie(b.record->created_at, b.record->id);
  });
  std::map<std::string, std::string> names;
  for (const auto& found : *all) {
    if (is_instance_name(found.record->name)) {
      names.emplace(found.record->name, found.record->id);
    }
  }
  const std::unique_lock lock{mutex_};
  id_by_name_.clear();
  id_by_name_.insert(names.begin(), names.end());
  return names;
}

Result<FoundInstance> Instances::find_by_name(std::string_view name) {
  if (!is_instance_name(name)) {
    return failure(ENOENT);
  }
  std::string known_id;
  {
    const std::shared_lock lock{mutex_};
    if (const auto found = id_by_name_.find(name); found != id_by_name_.end()) {
      known_id = found->second;
    }
  }
  if (auto found = find(known_id); found && found->record->name == name) {
    return *std::move(found);
  }
  const auto all = names();
  if (!all) {
    return tl::unexpected{all.error()};
  }
  const auto named = all->find(std::string{name});
  if (named == all->end()) {
    return failure(ENOENT);
  }
  return find(named->second);
}

}  // namespace hypeman::collector
