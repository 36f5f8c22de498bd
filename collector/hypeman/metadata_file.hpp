#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.hpp"
#include "collector/hypeman/metadata.hpp"
#include "collector/instances/host.hpp"

namespace hypeman::collector {

/// guests/<id>/metadata.json of one instance, validated each time it is asked for and parsed only
/// when it has changed. Thread-safe.
class MetadataFile {
 public:
  /// Whether the caller has just seen in a listing that the instance's directory is one, and no
  /// symlink. It saves a system call.
  enum class Directory : std::uint8_t { unseen, seen };

  /// `host` outlives this object; `id` satisfies is_instance_id().
  MetadataFile(const Host& host, std::string id);

  /// What the file says at this moment; if it says nothing sensible, what it last said.
  /// ENOENT: there is no such instance directory. EBADMSG: there is one, but it is no instance:
  /// its file was never good, is another instance's, or is marked for deletion. Anything else:
  /// the file cannot be read.
  [[nodiscard]] Result<std::shared_ptr<const Metadata>> current(
      Directory directory = Directory::unseen);

  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  /// What changes whenever the file's content does.
  struct Signature {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    timespec modified{};
    timespec changed{};

    explicit Signature(const struct stat& status);
    Signature() = default;
    bool operator==(const Signature& other) const;
    [[nodiscard]] bool settled() const;
  };

  struct Reading;
  [[nodiscard]] Result<Reading> read_file() const;
  [[nodiscard]] bool renamed_for_fork() const;

  [[nodiscard]] Result<std::shared_ptr<const Metadata>> known() const;
  [[nodiscard]] Result<std::shared_ptr<const Metadata>> absent();
  [[nodiscard]] Result<std::shared_ptr<const Metadata>> reload();
  void report(const std::string& problem);

  const Host& host_;
  const std::string id_;
  const std::string directory_;  // below the data directory, as path_ is
  const std::string path_;

  std::mutex mutex_;
  Signature signature_;
  bool reuse_ = false;  // signature_ is enough to know that nothing has changed
  std::shared_ptr<const Metadata> last_good_;
  bool reported_ = false;
};

}  // namespace hypeman::collector
