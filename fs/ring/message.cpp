#include "fs/ring/message.hpp"

#include <linux/fuse.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hypeman::fs {
namespace {

constexpr std::uint32_t over_io_uring = 1U << 9U;  // FUSE_OVER_IO_URING of flags2 in Linux 6.14

fuse_in_header request_header(const RingHeader& header) {
  fuse_in_header request{};
  std::memcpy(&request, header.in_out.data(), sizeof request);
  return request;
}

}  // namespace

std::size_t max_message_size(std::size_t payload_size) {
  return sizeof(fuse_in_header) + sizeof(RingHeader::operation) + payload_size;
}

Result<std::size_t> copy_request(const RingHeader& header, std::span<const std::byte> payload,
                                 std::uint64_t unique, std::span<std::byte> message) {
  auto request = request_header(header);
  const std::size_t size = request.len;
  const std::size_t payload_size = header.payload_size;
  if (payload_size > payload.size() || size > message.size() ||
      size < sizeof request + payload_size) {
    return failure(EPROTO);
  }
  const auto operation_size = size - sizeof request - payload_size;
  if (operation_size > header.operation.size()) {
    return failure(EPROTO);
  }
  request.unique = unique;
  std::memcpy(message.data(), &request, sizeof request);
  auto rest = message.subspan(sizeof request);
  std::ranges::copy(std::span{header.operation}.first(operation_size), rest.begin());
  rest = rest.subspan(operation_size);
  std::ranges::copy(payload.first(payload_size), rest.begin());
  return size;
}

std::uint32_t user_of(const RingHeader& header) {
  return request_header(header).uid;
}

Result<std::size_t> store_reply(std::span<const iovec> reply, RingHeader& header,
                                std::span<std::byte> payload) {
  fuse_out_header answer{};
  if (reply.empty() || reply.front().iov_len != sizeof answer) {
    return failure(EPROTO);
  }
  std::size_t size = 0;
  for (const auto& part : reply.subspan(1)) {
    if (part.iov_len > payload.size() - size) {
      return failure(EMSGSIZE);
    }
    if (part.iov_len != 0) {
      std::memcpy(payload.subspan(size).data(), part.iov_base, part.iov_len);
    }
    size += part.iov_len;
  }
  std::memcpy(&answer, reply.front().iov_base, sizeof answer);
  answer.unique = header.commit_id;
  std::memcpy(header.in_out.data(), &answer, sizeof answer);
  header.payload_size = static_cast<std::uint32_t>(size);
  return size;
}

void store_error(int error, RingHeader& header) {
  const fuse_out_header answer{
      .len = sizeof(fuse_out_header), .error = -error, .unique = header.commit_id};
  std::memcpy(header.in_out.data(), &answer, sizeof answer);
  header.payload_size = 0;
}

bool offers_rings(std::span<const std::byte> message) {
  fuse_in_header header{};
  fuse_init_in request{};
  if (message.size() < sizeof header + sizeof request) {
    return false;
  }
  std::memcpy(&header, message.data(), sizeof header);
  std::memcpy(&request, message.subspan(sizeof header).data(), sizeof request);
  return header.opcode == FUSE_INIT && (request.flags & FUSE_INIT_EXT) != 0 &&
         (request.flags & FUSE_MAX_PAGES) != 0 && (request.flags2 & over_io_uring) != 0;
}

bool accept_rings(std::span<const iovec> reply, std::size_t payload_size) {
  fuse_init_out answer{};
  if (reply.size() != 2 || reply[1].iov_len != sizeof answer) {
    return false;
  }
  std::memcpy(&answer, reply[1].iov_base, sizeof answer);
  const auto page_size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  answer.flags |= FUSE_INIT_EXT | FUSE_MAX_PAGES;
  answer.flags2 |= over_io_uring;
  answer.max_write = static_cast<std::uint32_t>(payload_size);
  answer.max_pages = static_cast<std::uint16_t>(payload_size / page_size);
  std::memcpy(reply[1].iov_base, &answer, sizeof answer);
  return true;
}

}  // namespace hypeman::fs
