#include "fs/tree/reader_memory.hpp"

#include <cerrno>

#include <malloc.h>

namespace hypeman::fs {
namespace {

constexpr uid_t root = 0;

}  // namespace

Result<ReaderMemory::Share> ReaderMemory::take(uid_t user, std::size_t bytes) {
  const std::lock_guard lock{mutex_};
  const auto found = used_.find(user);
  const auto used = found == used_.end() ? 0 : found->second;
  const bool fits =
      bytes <= limits_.of_user - used && (user == root || bytes <= limits_.in_total - total_);
  if (!fits) {
    return failure(ENOBUFS);
  }
  used_[user] = used + bytes;
  total_ += user == root ? 0 : bytes;
  return Share{*this, user, bytes};
}

void ReaderMemory::give_back(uid_t user, std::size_t bytes) {
  // glibc does not return freed memory that lies between memory in use. malloc_trim(3) returns it.
  constexpr std::size_t worth_returning = std::size_t{8} << 20U;
  {
    const std::lock_guard lock{mutex_};
    const auto used = used_.find(user);
    used->second -= bytes;
    if (used->second == 0) {
      used_.erase(used);
    }
    total_ -= user == root ? 0 : bytes;
    given_back_ += bytes;
    if (given_back_ < worth_returning) {
      return;
    }
    given_back_ = 0;
  }
  ::malloc_trim(0);
}

ReaderMemory::Share::~Share() {
  if (memory_ != nullptr) {
    memory_->give_back(user_, bytes_);
  }
}

}  // namespace hypeman::fs
