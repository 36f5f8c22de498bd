#include "collector/kernel/proc_pid_stat.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"

namespace hypeman::tests {
namespace {

using collector::parse_proc_pid_stat;
using collector::read_proc_pid_stat;

// From a Cloud Hypervisor on Linux 6.1.
constexpr std::string_view real_text =
    "2077 (cloud-hyperviso) S 1 2077 2077 0 -1 1077936384 119431 0 12 0 2481 513 0 0 20 0 11 0 "
    "8812345 4330745856 108237 18446744073709551615 94215160197120 94215163527273 140732920755792 "
    "0 0 0 0 4096 81984 0 0 0 17 1 0 0 0 0 0 94215164053232 94215164234100 94215191175168 "
    "140732920762289 140732920762374 140732920762374 140732920762331 0\n";

/// The text with one field replaced. The number of the field is that of proc(5).
std::string with_field(std::size_t number, const std::string& value) {
  std::vector<std::string> fields;
  std::string field;
  for (const auto character : stat_text({})) {
    if (character == ' ' || character == '\n') {
      fields.push_back(std::exchange(field, {}));
    } else {
      field += character;
    }
  }
  fields.at(number - 1) = value;
  std::string text;
  for (const auto& each : fields) {
    text += (text.empty() ? "" : " ") + each;
  }
  return text + '\n';
}

TEST(ProcPidStat, ReadsStateTimesAndStart) {
  const auto stat = parse_proc_pid_stat(real_text);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->user_ticks, 2481U);
  EXPECT_EQ(stat->system_ticks, 513U);
  EXPECT_EQ(stat->start_time_ticks, 8812345U);
  EXPECT_TRUE(stat->alive());
}

TEST(ProcPidStat, CutsTheCommandNameAtTheLastParenthesis) {
  for (const std::string command :
       {") R 1 (", ") Z 0 0 0 0 0 0 0 0 0 0 9 9 9 9 9 9 9 9 (", "a b", " ", "", "()", "))))",
        "((((", "two\nlines", "\n", ")\n", ") ", "tab\there", "\xff\xfe"}) {
    const auto stat = parse_proc_pid_stat(stat_text({.command = command}));
    ASSERT_TRUE(stat) << '"' << command << '"';
    EXPECT_EQ(stat->state, 'S') << '"' << command << '"';
    EXPECT_EQ(stat->user_ticks, 2000U) << '"' << command << '"';
    EXPECT_EQ(stat->system_ticks, 994U) << '"' << command << '"';
    EXPECT_EQ(stat->start_time_ticks, 123456U) << '"' << command << '"';
  }
}

TEST(ProcPidStat, CountsBeyond32Bits) {
  constexpr std::uint64_t beyond = (std::uint64_t{1} << 32U) + 1;
  const auto stat = parse_proc_pid_stat(stat_text(
      {.user_ticks = beyond, .system_ticks = UINT64_MAX, .start_time_ticks = beyond * 2}));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->user_ticks, beyond);
  EXPECT_EQ(stat->system_ticks, UINT64_MAX);
  EXPECT_EQ(stat->start_time_ticks, beyond * 2);
}

TEST(ProcPidStat, ChildrenAreNotCounted) {
  constexpr std::size_t children_user_time = 16;
  const auto stat = parse_proc_pid_stat(with_field(children_user_time, "99999"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->user_ticks + stat->system_ticks, 2994U);
}

TEST(ProcPidStat, OnlyZombiesAndTheDeadAreNotAlive) {
  for (const char state : {'Z', 'X', 'x'}) {
    const auto stat = parse_proc_pid_stat(stat_text({.state = state}));
    ASSERT_TRUE(stat) << state;
    EXPECT_FALSE(stat->alive()) << state;
  }
  for (const char state : {'R', 'S', 'D', 'T', 't', 'I', 'P', 'K', 'W'}) {
    const auto stat = parse_proc_pid_stat(stat_text({.state = state}));
    ASSERT_TRUE(stat) << state;
    EXPECT_TRUE(stat->alive()) << state;
  }
}

TEST(ProcPidStat, FewerFieldsOfOlderKernelsAreAccepted) {
  const auto text = stat_text({.guest_ticks = 434343});
  const auto guest = text.find("434343 ");
  const auto stat = parse_proc_pid_stat(text.substr(0, guest) + "434343\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->guest_ticks, 434343U);
}

TEST(ProcPidStat, ATextThatEndsBeforeTheStartTimeIsRefused) {
  const auto text = stat_text({});
  const auto end_of_start_time = text.find("123456 ") + std::string{"123456"}.size();
  for (std::size_t length = 0; length <= end_of_start_time; ++length) {
    EXPECT_EQ(error_of(parse_proc_pid_stat(text.substr(0, length))), EBADMSG) << length;
  }
}

TEST(ProcPidStat, GarbageNumbersAreRefused) {
  for (const std::size_t number : {14U, 15U, 22U}) {
    for (const std::string value :
         {"x", "-1", "1.5", "0x10", "1e3", "+1", "18446744073709551616", "\xff"}) {
      EXPECT_EQ(error_of(parse_proc_pid_stat(with_field(number, value))), EBADMSG)
          << number << ": " << value;
    }
  }
}

TEST(ProcPidStat, AnEmptyFieldIsRefused) {
  for (const std::size_t number : {3U, 10U, 14U, 22U}) {
    EXPECT_EQ(error_of(parse_proc_pid_stat(with_field(number, ""))), EBADMSG) << number;
  }
}

TEST(ProcPidStat, AStateOfSeveralLettersIsRefused) {
  EXPECT_EQ(error_of(parse_proc_pid_stat(with_field(3, "SS"))), EBADMSG);
}

TEST(ProcPidStat, ATextWithoutACommandNameIsRefused) {
  constexpr std::string_view command_end = ") S";
  const auto numbers = real_text.substr(real_text.find(command_end) + command_end.size());
  for (const auto& text : {std::string{}, std::string{"\n"}, std::string{")"}, std::string{"1 (a)"},
                           "1 (a)S" + std::string{numbers}, "1 a S" + std::string{numbers},
                           std::string(4096, ' '), std::string(64, '\0')}) {
    EXPECT_EQ(error_of(parse_proc_pid_stat(text)), EBADMSG) << text;
  }
}

TEST(ProcPidStat, HasMajorFaultsAndGuestTime) {
  const auto stat = parse_proc_pid_stat(stat_text({.major_faults = 12, .guest_ticks = 43}));
  ASSERT_TRUE(stat) << stat.error().message();
  EXPECT_EQ(stat->major_faults, 12U);
  EXPECT_EQ(stat->guest_ticks, 43U);
}

TEST(ProcPidStat, ShowsTheNameOfTheThread) {
  using collector::command_name;
  EXPECT_EQ(command_name(stat_text({.command = "CPU 0/KVM"})), "CPU 0/KVM");
  EXPECT_EQ(command_name(stat_text({.command = "a) S 1 (b"})), "a) S 1 (b");
  EXPECT_EQ(command_name("4711 S 1\n"), "");
  EXPECT_EQ(command_name(") ("), "");
}

TEST(ProcPidStat, ReadsTheFileOfThisProcess) {
  const UniqueFd fd{::open("/proc/self/stat", O_RDONLY | O_CLOEXEC)};
  const auto stat = read_proc_pid_stat(fd.get());
  ASSERT_TRUE(stat) << stat.error().message();
  EXPECT_TRUE(stat->alive());
  EXPECT_GT(stat->start_time_ticks, 0U);
}

TEST(ProcPidStat, TheLongestTextThatAKernelCanWriteIsRead) {
  constexpr std::size_t longest_command = 64;
  std::string text = "4194304 (" + std::string(longest_command, ')') + ") S";
  for (int field = 4; field <= 52; ++field) {
    text += " 18446744073709551615";
  }
  const TemporaryDirectory directory;
  write_over(directory.path() / "stat", text + '\n');
  const UniqueFd fd{::open((directory.path() / "stat").c_str(), O_RDONLY | O_CLOEXEC)};
  const auto stat = read_proc_pid_stat(fd.get());
  ASSERT_TRUE(stat) << stat.error().message();
  EXPECT_EQ(stat->start_time_ticks, UINT64_MAX);
}

}  // namespace
}  // namespace hypeman::tests
