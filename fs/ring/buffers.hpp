#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>

#include "base/result.hpp"
#include "fs/ring/message.hpp"

namespace hypeman::fs {

/// The memory of the entries of a ring. Each entry has a header and a payload, which share their
/// first page: most requests and replies are short. Pages that were never written take no memory.
class Buffers {
 public:
  /// The payload of an entry holds this many bytes: 28 KiB, or one page if a page is larger. The
  /// kernel then sends no request and expects no reply with more.
  [[nodiscard]] static std::size_t payload_size();

  /// ENOMEM: there is no address space for it.
  [[nodiscard]] static Result<Buffers> create(std::size_t entries);

  Buffers(Buffers&& other) noexcept;
  Buffers& operator=(Buffers&&) = delete;
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers();

  [[nodiscard]] RingHeader& header(std::size_t entry) const;
  [[nodiscard]] std::span<std::byte> payload(std::size_t entry) const;

  /// The same as the kernel wants them: the header, then the payload.
  [[nodiscard]] std::array<iovec, 2> memory(std::size_t entry) const;

  /// Whether a payload of this size uses more than the first page of an entry.
  [[nodiscard]] static bool is_large(std::size_t size);

  /// Gives the memory back to the kernel, except the first page. What a large payload held is lost.
  void release_large(std::size_t entry) const;

 private:
  explicit Buffers(std::span<std::byte> all) : all_{all} {}
  [[nodiscard]] std::span<std::byte> slot(std::size_t entry) const;

  std::span<std::byte> all_;
};

}  // namespace hypeman::fs
