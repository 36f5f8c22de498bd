#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "collector/hypeman/metadata_file.hpp"
#include "collector/instances/host.hpp"
#include "collector/instances/sample.hpp"
#include "collector/kernel/kernel_files.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// One VM: its record, and the files from which it is measured. Thread-safe.
/// Several threads can measure at the same time.
class Instance {
 public:
  /// `host` must outlive this object. `id` satisfies is_instance_id().
  Instance(const Host& host, std::string id);
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  Instance(Instance&&) = delete;
  Instance& operator=(Instance&&) = delete;
  ~Instance() { host_.descriptors->remove(*files_); }

  [[nodiscard]] const std::string& id() const { return metadata_file_.id(); }

  /// Like MetadataFile::read(), but a directory that is not an instance is also ENOENT.
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> record();

  /// Closes the kernel files. The next sample opens them again.
  void close_files() { host_.descriptors->remove(*files_); }

  [[nodiscard]] MetadataFile& metadata_file() { return metadata_file_; }

  /// Reads the sources now. `record` is what record() has just returned. A source that cannot be
  /// read is an error in the sample and is logged once.
  [[nodiscard]] Sample sample(std::shared_ptr<const VmRecord> record, Sources sources);

  /// Whether sample() has to check the VM's process first, for which it may wait as long as
  /// KernelFiles::check_deadline. Makes no system call.
  [[nodiscard]] bool may_wait(const VmRecord& record) const {
    return record.process && !files_->has_process(*record.process);
  }

 private:
  void read_process(const ProcessIdentity& identity, Sources sources, Sample& sample);
  void read_parts_of_running(Sources sources, Sample& sample);
  [[nodiscard]] Result<void> read_tap(const std::string& tap, Sources sources, Sample& sample);
  template <class T>
  void log_once(std::size_t part, const Result<T>& result);

  const Host& host_;
  MetadataFile metadata_file_;

  std::shared_ptr<KernelFiles> files_ = std::make_shared<KernelFiles>();
  std::array<std::atomic<int>, 5> logged_{};  // the errno that was logged last, for each part
};

}  // namespace hypeman::collector
