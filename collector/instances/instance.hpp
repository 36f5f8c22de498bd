#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "collector/hypeman/metadata_file.hpp"
#include "collector/instances/host.hpp"
#include "collector/instances/sample.hpp"
#include "collector/kernel/pinned_files.hpp"

namespace hypeman::collector {

/// One VM: its metadata, and while it runs the pinned kernel files that it is measured by.
/// Thread-safe; readers measure in parallel.
class Instance {
 public:
  /// `host` outlives this object; `id` satisfies is_instance_id().
  Instance(const Host& host, std::string id);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  Instance(Instance&&) = delete;
  Instance& operator=(Instance&&) = delete;
  ~Instance() { host_.budget->release(*files_); }

  [[nodiscard]] const std::string& id() const { return metadata_file_.id(); }

  /// As MetadataFile::current().
  [[nodiscard]] Result<std::shared_ptr<const Metadata>> metadata(
      MetadataFile::Directory directory = MetadataFile::Directory::unseen) {
    return metadata_file_.current(directory);
  }

  /// Measures now, by the metadata of now. ENOENT: it is no instance any more; anything else: its
  /// metadata cannot be read. What goes wrong with the measuring is an error of the sample's parts,
  /// and is logged once.
  [[nodiscard]] Result<Sample> sample();

  /// The same by metadata that the caller has just asked for.
  [[nodiscard]] Sample measure(std::shared_ptr<const Metadata> metadata);

 private:
  enum class Part : std::uint8_t { cpu, memory, network };

  void measure_process(const RecordedProcess& recorded, Sample& sample);
  [[nodiscard]] Result<NetworkTraffic> measure_network();
  template <class T>
  void report(Part part, const Result<T>& result);

  const Host& host_;
  MetadataFile metadata_file_;

  std::shared_ptr<PinnedFiles> files_ = std::make_shared<PinnedFiles>();
  std::array<std::atomic<int>, 3> reported_{};  // per Part, the errno that was logged last
};

}  // namespace hypeman::collector
