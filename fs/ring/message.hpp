#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"

/// Conversion between the two forms of a FUSE message. In the classic form, a message is one piece
/// of memory that starts with its header. In a ring, it is in two pieces: a RingHeader with the
/// headers, and the payload, which is the rest. Uses no kernel functions.
namespace hypeman::fs {

/// struct fuse_uring_req_header of Linux 6.14. Debian 12 has older headers.
struct RingHeader {
  std::array<std::byte, 128> in_out;     ///< fuse_in_header of the request, or fuse_out_header
  std::array<std::byte, 128> operation;  ///< the structure of the request's opcode
  std::uint64_t flags;
  std::uint64_t commit_id;  ///< identifies the request when it is answered
  std::uint32_t payload_size;
  std::uint32_t padding;
  std::uint64_t reserved;
};
static_assert(sizeof(RingHeader) == 288);

/// The size of the largest classic message for a payload of this size.
[[nodiscard]] std::size_t max_message_size(std::size_t payload_size);

/// Copies a request to `message` and replaces its `unique` there. Returns the size of the message.
/// EPROTO: the sizes in the header contradict each other or the sizes of the buffers.
[[nodiscard]] Result<std::size_t> copy_request(const RingHeader& header,
                                               std::span<const std::byte> payload,
                                               std::uint64_t unique, std::span<std::byte> message);

/// The user ID of a request.
[[nodiscard]] std::uint32_t user_of(const RingHeader& header);

/// Stores a reply in a ring's two pieces. The reply gets the `unique` that the request has had in
/// the ring. Returns the size of the payload. EPROTO: `reply` does not start with a whole header.
/// EMSGSIZE: the payload is too small for it.
[[nodiscard]] Result<std::size_t> store_reply(std::span<const iovec> reply, RingHeader& header,
                                              std::span<std::byte> payload);

/// Stores an error, which has no payload. `error` is an errno value.
void store_error(int error, RingHeader& header);

/// Whether a FUSE_INIT request, in the classic form, says that the kernel accepts rings.
[[nodiscard]] bool offers_rings(std::span<const std::byte> message);

/// Changes the reply to FUSE_INIT, in the classic form: requests shall come through rings whose
/// payload has this size. False: it is not such a reply, and was not changed.
[[nodiscard]] bool accept_rings(std::span<const iovec> reply, std::size_t payload_size);

}  // namespace hypeman::fs
