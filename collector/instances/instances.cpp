#include "collector/instances/instances.hpp"

#include <algorithm>
#include <future>
#include <iterator>
#include <tuple>
#include <utility>

#include <dirent.h>

#include "base/directory.hpp"
#include "base/instance_names.hpp"

namespace hypeman::collector {

Result<FoundInstance> Instances::find(std::string_view id, MetadataFile::Directory directory) {
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
  auto metadata = instance->metadata(directory);
  const bool exists = metadata || metadata.error() != std::errc::no_such_file_or_directory;
  if (is_new && exists) {
    const std::unique_lock lock{mutex_};
    // Another thread may have been first; everybody uses what stands in the map.
    instance = known_.try_emplace(instance->id(), instance).first->second;
  }
  if (!is_new && !exists) {
    const std::unique_lock lock{mutex_};
    if (const auto found = known_.find(id); found != known_.end() && found->second == instance) {
      known_.erase(found);
    }
  }
  if (!metadata) {
    return metadata.error() == std::errc::bad_message ? failure(ENOENT)
                                                      : tl::unexpected{metadata.error()};
  }
  return FoundInstance{.instance = std::move(instance), .metadata = *std::move(metadata)};
}

Result<std::vector<Instances::Candidate>> Instances::candidates() const {
  std::vector<Candidate> candidates;
  const auto listed = for_each_entry(
      host_.data_dir.get(), "guests", [&](std::string_view name, unsigned char type) -> bool {
        if ((type == DT_DIR || type == DT_UNKNOWN) && is_instance_id(name)) {
          candidates.push_back({.id = std::string{name},
                                .directory = type == DT_DIR ? MetadataFile::Directory::seen
                                                            : MetadataFile::Directory::unseen});
        }
        return true;
      });
  if (!listed && listed.error() != std::errc::no_such_file_or_directory) {
    return tl::unexpected{listed.error()};
  }
  std::ranges::sort(candidates, {}, &Candidate::id);

  // Those that are known are asked too: a fork hides a directory for a moment.
  std::vector<Candidate> hidden;
  {
    const std::shared_lock lock{mutex_};
    for (const auto& [id, instance] : known_) {
      if (!std::ranges::binary_search(candidates, id, {}, &Candidate::id)) {
        hidden.push_back({.id = id, .directory = MetadataFile::Directory::unseen});
      }
    }
  }
  if (!hidden.empty()) {
    std::ranges::move(hidden, std::back_inserter(candidates));
    std::ranges::sort(candidates, {}, &Candidate::id);
  }
  return candidates;
}

Result<std::vector<FoundInstance>> Instances::list() {
  return candidates().map([&](const std::vector<Candidate>& candidates) {
    std::vector<FoundInstance> instances;
    instances.reserve(candidates.size());
    for (const auto& [id, directory] : candidates) {
      // One that cannot be read hides no other.
      if (auto found = find(id, directory)) {
        instances.push_back(*std::move(found));
      }
    }
    return instances;
  });
}

std::vector<Sample> Instances::running_samples(std::span<const Candidate> candidates) {
  std::vector<Sample> samples;
  samples.reserve(candidates.size());
  for (const auto& [id, directory] : candidates) {
    const auto found = find(id, directory);
    if (found && found->metadata->process) {
      if (auto sample = found->instance->measure(found->metadata); sample.running) {
        samples.push_back(std::move(sample));
      }
    }
  }
  return samples;
}

Result<std::vector<Sample>> Instances::running_samples() {
  return candidates().map([&](const std::vector<Candidate>& candidates) {
    // Nearly all of the time goes to system calls, which other processors can do just as well. In
    // no more than a few parts, for a host is there for its VMs; and also with fewer processors, so
    // that none of the parts is a large one when others use a processor, too.
    constexpr std::size_t most_threads = 4;
    constexpr std::size_t worth_a_thread = 100;
    const auto threads =
        std::clamp<std::size_t>(candidates.size() / worth_a_thread, 1, most_threads);
    const auto share = candidates.size() / threads + 1;
    std::vector<std::future<std::vector<Sample>>> others;
    std::span<const Candidate> rest{candidates};
    for (; rest.size() > share; rest = rest.subspan(share)) {
      others.push_back(std::async(
          std::launch::async, [this, part = rest.first(share)] { return running_samples(part); }));
    }
    const auto last = running_samples(rest);
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
    return std::tie(a.metadata->created_at, a.metadata->id) <
           std::tie(b.metadata->created_at, b.metadata->id);
  });
  std::map<std::string, std::string> names;
  for (const auto& found : *all) {
    if (is_instance_name(found.metadata->name)) {
      names.emplace(found.metadata->name, found.metadata->id);
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
  std::string hint;
  {
    const std::shared_lock lock{mutex_};
    if (const auto found = id_by_name_.find(name); found != id_by_name_.end()) {
      hint = found->second;
    }
  }
  // The owner keeps its name for as long as it carries it.
  if (auto found = find(hint); found && found->metadata->name == name) {
    return *std::move(found);
  }
  const auto all = names();
  if (!all) {
    return tl::unexpected{all.error()};
  }
  const auto owner = all->find(std::string{name});
  if (owner == all->end()) {
    return failure(ENOENT);
  }
  return find(owner->second);
}

}  // namespace hypeman::collector
