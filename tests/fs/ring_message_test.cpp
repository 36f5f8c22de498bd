#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "fs/ring/message.hpp"

namespace hypeman::tests {
namespace {

using fs::RingHeader;

constexpr std::uint64_t kernels_unique = 42;
constexpr std::uint64_t own_unique = 7;
constexpr std::size_t payload_size = 4096;

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(payload_size);
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

/// A request as the kernel writes it.
template <class Operation>
RingHeader request(std::uint32_t opcode, const Operation* operation, std::size_t payload) {
  RingHeader header{};
  const std::size_t operation_size = operation == nullptr ? 0 : sizeof *operation;
  const fuse_in_header in{
      .len = static_cast<std::uint32_t>(sizeof(fuse_in_header) + operation_size + payload),
      .opcode = opcode,
      .unique = kernels_unique,
      .uid = 1000};
  std::memcpy(header.in_out.data(), &in, sizeof in);
  if (operation != nullptr) {
    std::memcpy(header.operation.data(), operation, operation_size);
  }
  header.commit_id = kernels_unique;
  header.payload_size = static_cast<std::uint32_t>(payload);
  return header;
}

template <class Part>
Part part_of(const std::vector<std::byte>& message, std::size_t offset) {
  Part part{};
  std::memcpy(&part, message.data() + offset, sizeof part);
  return part;
}

class RingMessage : public ::testing::Test {
 protected:
  std::vector<std::byte> message = std::vector<std::byte>(fs::max_message_size(payload_size));
};

TEST_F(RingMessage, ARequestWithAStructureBecomesOnePieceOfMemory) {
  const fuse_read_in read{.fh = 5, .offset = 4096, .size = 512};
  const auto header = request(FUSE_READ, &read, 0);
  ASSERT_EQ(fs::copy_request(header, bytes_of(""), own_unique, message), 80U);
  const auto in = part_of<fuse_in_header>(message, 0);
  EXPECT_EQ(in.opcode, FUSE_READ);
  EXPECT_EQ(in.len, 80U);
  EXPECT_EQ(in.unique, own_unique);
  const auto copied = part_of<fuse_read_in>(message, sizeof in);
  EXPECT_EQ(copied.fh, 5U);
  EXPECT_EQ(copied.offset, 4096U);
  EXPECT_EQ(copied.size, 512U);
}

TEST_F(RingMessage, ARequestWithANameKeepsItsName) {
  constexpr std::string_view name{"metrics.prom", 13};  // with its NUL
  const auto header = request<fuse_read_in>(FUSE_LOOKUP, nullptr, name.size());
  ASSERT_EQ(fs::copy_request(header, bytes_of(name), own_unique, message),
            sizeof(fuse_in_header) + name.size());
  const auto* const text = reinterpret_cast<const char*>(message.data()) + sizeof(fuse_in_header);
  EXPECT_EQ(std::string_view(text, name.size()), name);
}

TEST_F(RingMessage, AStructureAndAPayloadFollowEachOther) {
  const fuse_getxattr_in getxattr{.size = 100};
  const auto header = request(FUSE_GETXATTR, &getxattr, 3);
  ASSERT_EQ(fs::copy_request(header, bytes_of("ab"), own_unique, message),
            sizeof(fuse_in_header) + sizeof getxattr + 3);
  EXPECT_EQ(message.at(sizeof(fuse_in_header) + sizeof getxattr), std::byte{'a'});
}

TEST_F(RingMessage, TheUserIsThatOfTheRequest) {
  EXPECT_EQ(fs::user_of(request<fuse_read_in>(FUSE_STATFS, nullptr, 0)), 1000U);
}

TEST_F(RingMessage, ASizeBeyondThePayloadIsRefusedAlsoIfTheMessageFits) {
  const auto header = request<fuse_read_in>(FUSE_STATFS, nullptr, payload_size + 64);
  const auto copied = fs::copy_request(header, bytes_of(""), own_unique, message);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().value(), EPROTO);
}

TEST_F(RingMessage, SizesThatContradictEachOtherAreRefused) {
  const auto refuses = [&](auto change) {
    const fuse_read_in read{};
    auto header = request(FUSE_READ, &read, 8);
    change(header);
    const auto copied = fs::copy_request(header, bytes_of(""), own_unique, message);
    return !copied && copied.error().value() == EPROTO;
  };
  const auto set_length = [](RingHeader& header, std::uint32_t length) {
    std::memcpy(header.in_out.data() + offsetof(fuse_in_header, len), &length, sizeof length);
  };
  EXPECT_FALSE(refuses([](RingHeader&) {}));
  EXPECT_TRUE(refuses([](RingHeader& header) { header.payload_size = payload_size + 1; }));
  EXPECT_TRUE(refuses([](RingHeader& header) { header.payload_size = 0xffffffff; }));
  EXPECT_TRUE(refuses([&](RingHeader& header) { set_length(header, 0); }));
  EXPECT_TRUE(refuses([&](RingHeader& header) { set_length(header, 47); }));
  EXPECT_TRUE(refuses([&](RingHeader& header) { set_length(header, 40 + 128 + 8 + 1); }));
  EXPECT_TRUE(refuses([&](RingHeader& header) { set_length(header, 0xffffffff); }));
}

class RingReply : public ::testing::Test {
 protected:
  /// Stores a reply of these parts.
  [[nodiscard]] Result<std::size_t> store(std::vector<std::string> parts) {
    std::vector<iovec> reply{{.iov_base = &out, .iov_len = sizeof out}};
    for (auto& part : parts) {
      reply.push_back({.iov_base = part.data(), .iov_len = part.size()});
    }
    return fs::store_reply(reply, header, payload);
  }
  [[nodiscard]] fuse_out_header stored() const {
    fuse_out_header result{};
    std::memcpy(&result, header.in_out.data(), sizeof result);
    return result;
  }

  fuse_out_header out{.len = 16, .error = 0, .unique = own_unique};
  RingHeader header = request<fuse_read_in>(FUSE_READ, nullptr, 0);
  std::vector<std::byte> payload = std::vector<std::byte>(8);
};

TEST_F(RingReply, HasTheUniqueOfTheKernelAndItsPartsInThePayload) {
  ASSERT_EQ(store({"ab", "", "cde"}), 5U);
  EXPECT_EQ(stored().unique, kernels_unique);
  EXPECT_EQ(header.payload_size, 5U);
  EXPECT_EQ(std::memcmp(payload.data(), "abcde", 5), 0);
}

TEST_F(RingReply, OfAnErrorHasNoPayload) {
  header.payload_size = 3;
  out.error = -ENOENT;
  ASSERT_EQ(store({}), 0U);
  EXPECT_EQ(stored().error, -ENOENT);
  EXPECT_EQ(header.payload_size, 0U);
}

TEST_F(RingReply, ThatFillsThePayloadFits) {
  EXPECT_EQ(store({"12345678"}), 8U);
}

TEST_F(RingReply, ThatIsTooLargeIsRefused) {
  EXPECT_EQ(store({"123456789"}).error().value(), EMSGSIZE);
  EXPECT_EQ(store({"12345", "6789"}).error().value(), EMSGSIZE);
}

TEST_F(RingReply, WithoutAHeaderIsRefused) {
  EXPECT_EQ(fs::store_reply({}, header, payload).error().value(), EPROTO);
  const std::array<iovec, 1> half{{{.iov_base = &out, .iov_len = 8}}};
  EXPECT_EQ(fs::store_reply(half, header, payload).error().value(), EPROTO);
}

TEST_F(RingReply, CanBeAnErrorOfTheRing) {
  header.payload_size = 3;
  fs::store_error(EIO, header);
  EXPECT_EQ(stored().error, -EIO);
  EXPECT_EQ(stored().unique, kernels_unique);
  EXPECT_EQ(header.payload_size, 0U);
}

/// A FUSE_INIT request with these flags.
std::vector<std::byte> init(std::uint32_t flags, std::uint32_t flags2) {
  const fuse_in_header header{.len = sizeof(fuse_in_header) + sizeof(fuse_init_in),
                              .opcode = FUSE_INIT};
  const fuse_init_in request{.flags = flags, .flags2 = flags2};
  std::vector<std::byte> message(header.len);
  std::memcpy(message.data(), &header, sizeof header);
  std::memcpy(message.data() + sizeof header, &request, sizeof request);
  return message;
}

constexpr std::uint32_t needed = FUSE_INIT_EXT | FUSE_MAX_PAGES;
constexpr std::uint32_t over_io_uring = 1U << 9U;

TEST(RingInit, OffersRingsOnlyWithTheFlags) {
  EXPECT_TRUE(fs::offers_rings(init(needed, over_io_uring)));
  EXPECT_FALSE(fs::offers_rings(init(needed, 0)));
  EXPECT_FALSE(fs::offers_rings(init(FUSE_MAX_PAGES, over_io_uring)));
  EXPECT_FALSE(fs::offers_rings(std::vector<std::byte>(40)));
}

TEST(RingInit, TheReplyAcceptsThemAndLimitsTheSizes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  fuse_out_header header{};
  fuse_init_out answer{.flags = 1, .max_write = 1U << 20U};
  const std::array<iovec, 2> reply{{{.iov_base = &header, .iov_len = sizeof header},
                                    {.iov_base = &answer, .iov_len = sizeof answer}}};
  ASSERT_TRUE(fs::accept_rings(reply, 7 * page));
  EXPECT_EQ(answer.flags, 1U | FUSE_INIT_EXT | FUSE_MAX_PAGES);
  EXPECT_EQ(answer.flags2, over_io_uring);
  EXPECT_EQ(answer.max_write, 7 * page);
  EXPECT_EQ(answer.max_pages, 7);
}

TEST(RingInit, AReplyWithAnErrorIsNotChanged) {
  fuse_out_header header{.error = -EPROTO};
  const std::array<iovec, 1> reply{{{.iov_base = &header, .iov_len = sizeof header}}};
  EXPECT_FALSE(fs::accept_rings(reply, payload_size));
}

}  // namespace
}  // namespace hypeman::tests
