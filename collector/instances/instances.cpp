#include "collector/instances/instances.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/instance_names.hpp"
#include "collector/instances/in_parallel.hpp"

namespace hypeman::collector {

Result<FoundInstance> Instances::find(std::string_view id) {
  constexpr std::size_t calls_per_check = 8;
  if (calls_.fetch_add(1, std::memory_order_relaxed) % calls_per_check == 0) {
    check_some(id);
  }
  return find(id, GuestDirectory::Kind::unknown);
}

Result<FoundInstance> Instances::find(std::string_view id, GuestDirectory::Kind kind) {
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
    instance = std::make_shared<Instance>(host_, std::string{id});
  }
  auto record = instance->metadata_file().read(kind);
  const bool exists = record || record.error() != std::errc::no_such_file_or_directory;
  if (is_new && exists) {
    check_some(id);
    const std::unique_lock lock{mutex_};
    // Another thread may have added the instance already. All threads use the one in the map.
    instance = known_.try_emplace(std::string{id}, instance).first->second;
  }
  if (!is_new && !exists) {
    {
      const std::unique_lock lock{mutex_};
      if (const auto found = known_.find(id); found != known_.end() && found->second == instance) {
        known_.erase(found);
      }
    }
    instance->close_files();  // a reader may keep the instance
  }
  if (!record) {
    return record.error() == std::errc::bad_message ? failure(ENOENT)
                                                    : tl::unexpected{record.error()};
  }
  return FoundInstance{.instance = std::move(instance), .record = *std::move(record)};
}

bool Instances::sample_may_wait(std::string_view id) const {
  const std::shared_lock lock{mutex_};
  const auto found = known_.find(id);
  if (found == known_.end()) {
    return true;
  }
  const auto record = found->second->metadata_file().last_record();
  return record == nullptr || found->second->may_wait(*record);
}

/// Forgets instances that do not exist any more, and closes the files of those that have stopped.
/// Each call checks one bucket of the map, which holds one instance on average. A new instance
/// causes a check too, so the map never holds many more instances than exist. The caller looks at
/// `except` itself.
void Instances::check_some(std::string_view except) {
  std::vector<std::string> ids;
  {
    const std::shared_lock lock{mutex_};
    const auto bucket =
        next_bucket_.fetch_add(1, std::memory_order_relaxed) % known_.bucket_count();
    for (auto one = known_.begin(bucket); one != known_.end(bucket); ++one) {
      if (one->first != except) {
        ids.push_back(one->first);
      }
    }
  }
  for (const auto& id : ids) {
    if (!host_.guests.has(id)) {
      // Many may have been deleted. One listing finds all of them.
      if (const auto existing = host_.guests.list(host_.clock())) {
        forget_all_but(*existing);
      }
      return;
    }
    if (const auto found = find(id, GuestDirectory::Kind::unknown);
        found && !found->record->process) {
      found->instance->close_files();
    }
  }
}

Result<InstanceList> Instances::list(std::size_t threads) {
  return host_.guests.list(host_.clock()).map([&](const std::vector<GuestDirectory>& directories) {
    if (is_known_more_than(directories.size())) {
      forget_all_but(directories);
    }
    std::vector<FoundInstance> instances(directories.size());
    in_parallel(directories.size(), threads, [&](std::size_t begin, std::size_t end) {
      for (auto index = begin; index < end; ++index) {
        if (auto found = find(directories[index].id, directories[index].kind)) {
          instances[index] = *std::move(found);
        }
      }
    });
    std::erase_if(instances, [](const FoundInstance& one) { return one.instance == nullptr; });
    return std::make_shared<const std::vector<FoundInstance>>(std::move(instances));
  });
}

bool Instances::is_known_more_than(std::size_t count) const {
  const std::shared_lock lock{mutex_};
  return known_.size() > count;
}

/// `existing` is sorted by ID.
void Instances::forget_all_but(std::span<const GuestDirectory> existing) {
  std::vector<std::shared_ptr<Instance>> deleted;
  std::unique_lock lock{mutex_};
  for (auto one = known_.begin(); one != known_.end();) {
    if (std::ranges::binary_search(existing, one->first, {}, &GuestDirectory::id)) {
      ++one;
    } else {
      deleted.push_back(std::move(one->second));
      one = known_.erase(one);
    }
  }
  lock.unlock();
  for (const auto& one : deleted) {
    one->close_files();  // a reader may keep the instance
  }
}

std::vector<Sample> Instances::samples(const std::vector<FoundInstance>& instances,
                                       Sources sources) {
  std::vector<Sample> samples(instances.size());
  in_parallel(samples.size(), several_threads, [&](std::size_t begin, std::size_t end) {
    for (auto index = begin; index < end; ++index) {
      const auto& [instance, record] = instances[index];
      samples[index] = instance->sample(record, sources);
    }
  });
  return samples;
}

Result<std::shared_ptr<const Names>> Instances::names() {
  return names_job_.run([this] { return list_names(); });
}

Result<std::shared_ptr<const Names>> Instances::list_names() {
  const auto version = host_.guests.version(host_.clock());
  return list().map([&](const InstanceList& instances) {
    auto names = std::make_shared<const Names>(*instances);
    std::shared_ptr<const Names> before;
    {
      const std::lock_guard lock{names_mutex_};
      before = std::exchange(names_, names);
      names_version_ = version;
    }
    for (const auto& name : names->ambiguous()) {
      if (!before->ambiguous().contains(name)) {
        host_.logger->warn("several instances have the name {}; use their IDs", name);
      }
    }
    return std::shared_ptr<const Names>{std::move(names)};
  });
}

/// The ID that a name had in the last list, if that list can still be trusted.
std::optional<std::string> Instances::known_id(std::string_view name) const {
  if (SharedJob<int>::Clock::now() >= names_job_.rest_until()) {
    return std::nullopt;
  }
  const auto version = host_.guests.version(host_.clock());
  const std::lock_guard lock{names_mutex_};
  const auto& unique = names_->unique();
  const auto found = unique.find(name);
  if (!version || version != names_version_ || found == unique.end()) {
    return std::nullopt;
  }
  return found->second;
}

Result<FoundInstance> Instances::find_by_name(std::string_view name) {
  if (!is_instance_name(name)) {
    return failure(ENOENT);
  }
  if (const auto id = known_id(name)) {
    if (auto found = find(*id); found && found->record->name == name) {
      return found;
    }
  }
  const auto all = names();
  if (!all) {
    return tl::unexpected{all.error()};
  }
  return (*all)->find(name).and_then([&](const std::string& id) { return find(id); });
}

}  // namespace hypeman::collector
