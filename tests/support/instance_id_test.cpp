#include "tests/support/instance_id.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

namespace hypeman::tests {
namespace {

TEST(InstanceId, HasHypemansFormat) {
  const std::string id = own_instance_id('q');
  EXPECT_EQ(id.size(), 24U);
  EXPECT_EQ(id.front(), 'q');
  EXPECT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789"), std::string::npos) << id;
}

TEST(InstanceId, IsTheSameThroughoutAProcess) {
  EXPECT_EQ(own_instance_id('q'), own_instance_id('q'));
  EXPECT_NE(tap_of(own_instance_id('q')), tap_of(own_instance_id('t')));
}

TEST(InstanceId, DiffersInAnotherProcess) {
  const std::string tap = tap_of(own_instance_id('q'));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::_exit(tap_of(own_instance_id('q')) == tap ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace hypeman::tests
