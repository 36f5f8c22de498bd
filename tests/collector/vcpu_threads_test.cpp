#include "collector/kernel/vcpu_threads.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>

#include "base/file.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

using collector::VcpuThreads;
using collector::VcpuTimes;

/// A thread of this process that has run for some time and then sleeps until it ends.
class NamedThread {
 public:
  explicit NamedThread(std::string name)
      : thread_{[this, name = std::move(name)] {
          ::pthread_setname_np(::pthread_self(), name.c_str());
          while (::clock() == 0) {  // until it has used CPU time
          }
          started_.set_value(::gettid());
          end_.get_future().wait();
        }} {
    tid_ = started_.get_future().get();
  }
  NamedThread(const NamedThread&) = delete;
  NamedThread& operator=(const NamedThread&) = delete;
  NamedThread(NamedThread&&) = delete;
  NamedThread& operator=(NamedThread&&) = delete;
  /// Waits until the kernel has removed the thread, which is after join().
  ~NamedThread() {
    end_.set_value();
    thread_.join();
    const auto directory = "/proc/self/task/" + std::to_string(tid_);
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(directory); }));
  }

 private:
  std::promise<pid_t> started_;
  std::promise<void> end_;
  std::thread thread_;
  pid_t tid_ = 0;
};

std::vector<unsigned> numbers(const Result<std::vector<VcpuTimes>>& times) {
  std::vector<unsigned> result;
  for (const auto& one : times.value()) {
    result.push_back(one.number);
  }
  return result;
}

/// Threads of this process.
class RealThreads : public ::testing::Test {
 protected:
  [[nodiscard]] auto read(std::uint64_t count) const { return threads_.read(self_.get(), count); }
  [[nodiscard]] std::size_t descriptors() const { return threads_.descriptors(); }
  void pass_a_second() { now_ += std::chrono::seconds{1}; }

 private:
  UniqueFd self_{open_directory("/proc/self").value()};
  VcpuThreads::Clock::time_point now_;
  VcpuThreads threads_{[this] { return now_; }};
};

TEST_F(RealThreads, AreFoundByTheNamesOfEachHypervisor) {
  for (const auto* const form : {"vcpu", "fc_vcpu ", "CPU "}) {
    const std::string suffix = form == std::string{"CPU "} ? "/KVM" : "";
    const NamedThread first{form + std::string{"1"} + suffix};
    const NamedThread second{form + std::string{"0"} + suffix};
    const NamedThread other{"vcpu-worker"};
    const UniqueFd self{open_directory("/proc/self").value()};
    const VcpuThreads threads;
    const auto times = threads.read(self.get(), 2);
    ASSERT_TRUE(times) << times.error().message();
    EXPECT_EQ(numbers(times), (std::vector{0U, 1U})) << form;
    for (const auto& one : *times) {
      EXPECT_GT(one.run_nanoseconds, 0U);
    }
  }
}

TEST_F(RealThreads, AreAbsentIfNothingTellsWhichTheyAre) {
  const NamedThread one{"CPU 0"};
  const NamedThread another{"vcpu"};
  EXPECT_TRUE(read(2).value().empty());
}

TEST_F(RealThreads, BeyondTheNumberOfVcpusAreNotShown) {
  const NamedThread zero{"vcpu0"};
  const NamedThread seven{"vcpu7"};
  EXPECT_EQ(numbers(read(7)), std::vector{0U});
  pass_a_second();
  EXPECT_EQ(numbers(read(8)), (std::vector{0U, 7U}));
  EXPECT_TRUE(read(0).value().empty());
}

TEST_F(RealThreads, ThatAppearLaterAreLookedForOncePerSecond) {
  const NamedThread zero{"vcpu0"};
  EXPECT_EQ(numbers(read(2)), std::vector{0U});
  const NamedThread one{"vcpu1"};
  EXPECT_EQ(numbers(read(2)), std::vector{0U});
  pass_a_second();
  EXPECT_EQ(numbers(read(2)), (std::vector{0U, 1U}));
  EXPECT_EQ(descriptors(), 2U);
}

TEST_F(RealThreads, TimesDoNotFallWhenAThreadEnds) {
  VcpuTimes before;
  {
    const NamedThread zero{"vcpu0"};
    before = read(1).value().at(0);
  }
  const auto after = read(1);
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_EQ(after->at(0), before);
  EXPECT_EQ(read(1), after);
}

TEST_F(RealThreads, TimesContinueInTheNextThreadOfTheVcpu) {
  VcpuTimes before;
  {
    const NamedThread zero{"vcpu0"};
    before = read(1).value().at(0);
  }
  const NamedThread again{"vcpu0"};
  EXPECT_EQ(read(1).value().at(0), before) << "the end of the thread was not seen yet";
  pass_a_second();
  const auto after = read(1).value().at(0);
  EXPECT_GT(after.run_nanoseconds, before.run_nanoseconds);
  EXPECT_EQ(descriptors(), 1U);
}

/// Threads in files.
class FakedThreads : public ::testing::Test {
 protected:
  static constexpr pid_t pid = 4711;

  void write(const FakeThread& thread) { proc_.write_thread(pid, thread); }
  [[nodiscard]] auto read(std::uint64_t count) const {
    const UniqueFd process{open_directory(proc_.process(pid)).value()};
    return VcpuThreads{}.read(process.get(), count);
  }

 private:
  FakeProc proc_;
};

TEST_F(FakedThreads, WithoutNamesAreThoseThatHaveRunGuestCode) {
  write({.tid = 4711, .guest_ticks = 0});
  write({.tid = 4800, .start_time_ticks = 20, .guest_ticks = 9, .run_nanoseconds = 2});
  write({.tid = 4900, .start_time_ticks = 10, .guest_ticks = 1, .run_nanoseconds = 1});
  const auto times = read(2);
  ASSERT_TRUE(times) << times.error().message();
  EXPECT_EQ(*times, (std::vector{VcpuTimes{.number = 0, .run_nanoseconds = 1},
                                 VcpuTimes{.number = 1, .run_nanoseconds = 2}}))
      << "not in the order of creation";
}

TEST_F(FakedThreads, AreAbsentUntilAllVcpusHaveRunGuestCode) {
  write({.tid = 4712, .guest_ticks = 5});
  EXPECT_TRUE(read(2).value().empty()) << "the numbers would be a guess";
  EXPECT_EQ(read(1).value().size(), 1U);
}

TEST_F(FakedThreads, OfTheSameNumberCountOnce) {
  write({.tid = 4712, .name = "vcpu0", .start_time_ticks = 2, .run_nanoseconds = 2});
  write({.tid = 4713, .name = "vcpu0", .start_time_ticks = 1, .run_nanoseconds = 1});
  EXPECT_EQ(read(2).value(), std::vector{(VcpuTimes{.number = 0, .run_nanoseconds = 1})});
}

TEST_F(FakedThreads, OfAProcessThatIsGoneAreAnError) {
  write({.tid = 4712, .name = "vcpu0"});
  const TemporaryDirectory empty;
  const UniqueFd process{open_directory(empty.path()).value()};
  EXPECT_EQ(error_of(VcpuThreads{}.read(process.get(), 1)), ESRCH);
}

}  // namespace
}  // namespace hypeman::tests
