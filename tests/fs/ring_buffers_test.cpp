#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "fs/ring/buffers.hpp"

namespace hypeman::tests {
namespace {

using fs::Buffers;

const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

/// How many pages of an entry are in memory.
std::size_t resident_pages(const Buffers& buffers, std::size_t entry) {
  auto* const start = reinterpret_cast<std::byte*>(&buffers.header(entry));
  const auto pages = Buffers::payload_size() / page + 1;
  std::vector<unsigned char> resident(pages);
  EXPECT_EQ(::mincore(start, pages * page, resident.data()), 0);
  return static_cast<std::size_t>(
      std::ranges::count_if(resident, [](unsigned char state) { return (state & 1U) != 0; }));
}

TEST(RingBuffers, EntriesDoNotOverlap) {
  auto buffers = Buffers::create(3);
  ASSERT_TRUE(buffers);
  for (std::size_t entry = 0; entry < 3; ++entry) {
    buffers->header(entry).commit_id = entry;
    std::ranges::fill(buffers->payload(entry), static_cast<std::byte>(entry));
  }
  for (std::size_t entry = 0; entry < 3; ++entry) {
    EXPECT_EQ(buffers->header(entry).commit_id, entry);
    EXPECT_TRUE(std::ranges::all_of(buffers->payload(entry), [entry](std::byte byte) {
      return byte == static_cast<std::byte>(entry);
    }));
  }
}

TEST(RingBuffers, AnEntryTakesNoMemoryBeforeItIsUsed) {
  const auto buffers = Buffers::create(2);
  ASSERT_TRUE(buffers);
  EXPECT_EQ(resident_pages(*buffers, 0), 0U);
}

TEST(RingBuffers, AShortPayloadSharesTheFirstPageWithTheHeader) {
  const auto buffers = Buffers::create(1);
  ASSERT_TRUE(buffers);
  const auto room = page - sizeof(fs::RingHeader);
  EXPECT_FALSE(Buffers::is_large(room));
  EXPECT_TRUE(Buffers::is_large(room + 1));
  buffers->header(0).commit_id = 1;
  std::ranges::fill(buffers->payload(0).first(room), std::byte{1});
  EXPECT_EQ(resident_pages(*buffers, 0), 1U);
}

TEST(RingBuffers, TheMemoryOfALargePayloadIsGivenBack) {
  const auto buffers = Buffers::create(1);
  ASSERT_TRUE(buffers);
  std::ranges::fill(buffers->payload(0), std::byte{1});
  EXPECT_GT(resident_pages(*buffers, 0), 1U);
  buffers->release_large(0);
  EXPECT_EQ(resident_pages(*buffers, 0), 1U);
  EXPECT_EQ(buffers->payload(0).front(), std::byte{1});
}

}  // namespace
}  // namespace hypeman::tests
