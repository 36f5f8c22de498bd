#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>

#include <spdlog/logger.h>

#include "base/result.hpp"
#include "collector/hypeman/guests.hpp"
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
  /// The guests, the logger and the clock must outlive this object. `id` satisfies
  /// is_instance_id().
  MetadataFile(const Guests& guests, spdlog::logger& logger, const SecondsClock& clock,
               std::string id);

  /// Returns the record in the file. If the file is broken now, returns its last good record.
  /// `kind` is what a listing of guests/ has just shown; this saves system calls. ENOENT: there is
  /// no such directory. EBADMSG: the directory is not an instance. Its file was never good, belongs
  /// to another instance, or is marked for deletion. Any other error: the file cannot be read.
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> read(
      GuestDirectory::Kind kind = GuestDirectory::Kind::unknown);

  /// The record that read() returned last; null: none. Reads no file.
  [[nodiscard]] std::shared_ptr<const VmRecord> last_record() const;

  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  /// Device, inode, size, and times of modification and change. A new content changes one of them.
  using Signature = std::array<std::int64_t, 7>;
  [[nodiscard]] static Signature signature_of(const struct stat& status);

  struct Reading;
  [[nodiscard]] Result<Reading> read_file(const std::string& directory_name) const;

  /// Numbers the readings of the file, so that an old one does not replace a newer one.
  [[nodiscard]] std::uint64_t begin();

  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> absent(int error);
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> reload();
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> unreadable(std::error_code error);
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> forget(std::uint64_t number);
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> publish(std::uint64_t number,
                                                                Reading reading);

  // The caller holds the mutex.
  [[nodiscard]] Result<std::shared_ptr<const VmRecord>> last_good() const;
  [[nodiscard]] std::string message_once(const std::string& problem);

  void log(const std::string& message) const;

  const Guests& guests_;
  spdlog::logger& logger_;
  const SecondsClock& clock_;
  const std::string id_;
  const std::string directory_;  // a path, like path_
  const std::string path_;

  mutable std::mutex mutex_;   // not held while a file is read or a line is logged
  std::uint64_t begun_ = 0;    // the number of the last reading that began
  std::uint64_t applied_ = 0;  // the highest number of those that were published
  Signature signature_{};
  bool unchanged_if_equal_ = false;  // an equal signature proves that the content is the same
  std::shared_ptr<const VmRecord> record_;  // the last good one; null: none
  bool pending_delete_ = false;
  bool logged_ = false;
};

}  // namespace hypeman::collector
