#include "httpbridge/http/unsent_bodies.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace hypeman::httpbridge {
namespace {

Body body_of(std::size_t size) {
  return std::make_shared<const std::string>(size, 'x');
}

TEST(UnsentBodies, CountsASharedBodyOnce) {
  UnsentBodies unsent{10};
  const Body shared = body_of(6);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(unsent.has_room_for(shared));
    unsent.add(shared);
  }
  EXPECT_TRUE(unsent.has_room_for(body_of(4)));
  EXPECT_FALSE(unsent.has_room_for(body_of(5)));
  for (int i = 0; i < 99; ++i) {
    unsent.remove(shared);
  }
  EXPECT_FALSE(unsent.has_room_for(body_of(5)));
  unsent.remove(shared);
  EXPECT_TRUE(unsent.has_room_for(body_of(5)));
}

TEST(UnsentBodies, ASingleBodyMayHaveAnySize) {
  UnsentBodies unsent{10};
  const Body large = body_of(100);
  EXPECT_TRUE(unsent.has_room_for(large));
  unsent.add(large);
  EXPECT_FALSE(unsent.has_room_for(body_of(1)));
  unsent.remove(large);
  EXPECT_TRUE(unsent.has_room_for(body_of(1)));
}

}  // namespace
}  // namespace hypeman::httpbridge
