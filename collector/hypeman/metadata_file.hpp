#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <spdlog/logger.h>

#include "base/result.hpp"
#include "collector/hypeman/metadata.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::collector {

/// The wall clock in whole seconds. Tests replace the kernel's clock.
using SecondsClock = std::function<std::time_t()>;
[[nodiscard]] std::time_t seconds_now();

/// guests/<id>/metadata.json of one instance. Each call checks the file and parses it only if it
/// has changed. Thread-safe.
class MetadataFile {
 public:
  /// `data_dir` is a descriptor of the data directory. The descriptor, the logger and the clock
  /// must outlive this object. `id` satisfies is_instance_id().
  MetadataFile(int data_dir, spdlog::logger& logger, const SecondsClock& clock, std::string id);

  /// Returns the record in the file. If the file is broken now, returns its last good record.
  /// `known_directory` saves a system call: the caller has just listed guests/ and saw that this is
  /// a directory, not a symlink. ENOENT: there is no such directory. EBADMSG: the directory is not
  /// an instance. Its file was never good, belongs to another instance, or is marked for deletion.
  /// Any other error: the file cannot be read.
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> read(bool known_directory = false);

  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  /// Device, inode, size, and times of modification and change. A new content changes one of them.
  using Signature = std::array<std::int64_t, 7>;
  [[nodiscard]] static Signature signature_of(const struct stat& status);

  struct Reading;
  [[nodiscard]] Result<Reading> read_file() const;
  void set_signature(const struct stat& status);

  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> last_good() const;
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> absent();
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> reload();
  void log_once(const std::string& problem);

  const int data_dir_;
  spdlog::logger& logger_;
  const SecondsClock& clock_;
  const std::string id_;
  const std::string directory_;  // relative to the data directory, like path_
  const std::string path_;

  std::mutex mutex_;
  Signature signature_{};
  bool unchanged_if_equal_ = false;  // an equal signature proves that the content is the same
  std::shared_ptr<const VmRecord> record_;  // the last good one; null: none
  bool pending_delete_ = false;
  bool logged_ = false;
};

}  // namespace hypeman::collector
