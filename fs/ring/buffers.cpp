#include "fs/ring/buffers.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace hypeman::fs {
namespace {

std::size_t page_size() {
  return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// One page more than the payload, because the header comes first.
std::size_t slot_size() {
  return Buffers::payload_size() + page_size();
}

}  // namespace

std::size_t Buffers::payload_size() {
  constexpr std::size_t wanted = std::size_t{28} << 10U;
  return std::max(wanted, page_size());
}

Result<Buffers> Buffers::create(std::size_t entries) {
  const auto size = entries * slot_size();
  auto* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return last_failure();
  }
  Buffers buffers{{static_cast<std::byte*>(memory), size}};
  // A huge page would take 2 MiB for the first byte. This fails only on a kernel without them.
  static_cast<void>(::madvise(memory, size, MADV_NOHUGEPAGE));
  return buffers;
}

Buffers::Buffers(Buffers&& other) noexcept : all_{std::exchange(other.all_, {})} {}

Buffers::~Buffers() {
  if (!all_.empty()) {
    ::munmap(all_.data(), all_.size());
  }
}

std::span<std::byte> Buffers::slot(std::size_t entry) const {
  return all_.subspan(entry * slot_size(), slot_size());
}

RingHeader& Buffers::header(std::size_t entry) const {
  return *reinterpret_cast<RingHeader*>(slot(entry).data());
}

std::span<std::byte> Buffers::payload(std::size_t entry) const {
  return slot(entry).subspan(sizeof(RingHeader), payload_size());
}

std::array<iovec, 2> Buffers::memory(std::size_t entry) const {
  const auto data = payload(entry);
  return {{{.iov_base = &header(entry), .iov_len = sizeof(RingHeader)},
           {.iov_base = data.data(), .iov_len = data.size()}}};
}

bool Buffers::is_large(std::size_t size) {
  return sizeof(RingHeader) + size > page_size();
}

void Buffers::release_large(std::size_t entry) const {
  const auto rest = slot(entry).subspan(page_size());
  ::madvise(rest.data(), rest.size(), MADV_DONTNEED);
}

}  // namespace hypeman::fs
