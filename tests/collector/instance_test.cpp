#include "collector/instances/instance.hpp"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): SIGKILL and friends, with kill()
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/collector/samples.hpp"
#include "tests/collector/test_host.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/eventually.hpp"

namespace hypeman::tests {
namespace {

using collector::Instance;
using collector::Sample;

/// A sample of all sources of an instance, or the error.
Result<Sample> sample_of(Instance& instance) {
  return instance.record().map(
      [&](const auto& record) { return instance.sample(record, all_sources); });
}

constexpr auto interface = "hype-qilviffn";

void expect_stopped(const Sample& sample) {
  EXPECT_FALSE(sample.running);
  EXPECT_EQ(cpu_seconds(sample), 0.0);
  EXPECT_EQ(rss_bytes(sample), 0U);
  EXPECT_EQ(vms_bytes(sample), 0U);
  EXPECT_EQ(rx_bytes(sample), 0U);
  EXPECT_EQ(tx_bytes(sample), 0U);
}

/// A running instance with a TAP, in a fake /proc and /sys.
class FakedInstance : public ::testing::Test {
 protected:
  FakedInstance() {
    proc_.write(process());
    sys_.write(interface, /*rx_bytes=*/111, /*tx_bytes=*/222);
    data().write(running());
  }

  [[nodiscard]] static FakeProcess process() { return {}; }
  [[nodiscard]] static InstanceRecord running() {
    return {.id = std::string{first_id},
            .network_enabled = true,
            .pid = process().pid,
            .start_time_ticks = process().start_time_ticks,
            .boot_id = std::string{FakeProc::boot_id}};
  }
  [[nodiscard]] static InstanceRecord stopped() {
    return {.id = std::string{first_id}, .network_enabled = true};
  }

  [[nodiscard]] const FakeProc& proc() const { return proc_; }
  [[nodiscard]] const FakeSys& sys() const { return sys_; }
  [[nodiscard]] const DataDirectory& data() const { return host_.data(); }
  [[nodiscard]] const TestHost& host() const { return host_; }
  [[nodiscard]] Instance& instance() { return instance_; }
  [[nodiscard]] Sample sample() { return sample_of(instance_).value(); }

  [[nodiscard]] static double ticks_per_second() {
    return static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  [[nodiscard]] static std::uint64_t page_size() {
    return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }

 private:
  FakeProc proc_;
  FakeSys sys_;
  TestHost host_{proc_.path(), sys_.path()};
  Instance instance_{host_.host(), std::string{first_id}};
};

TEST_F(FakedInstance, IsMeasuredWhileItRuns) {
  const auto measured = sample();
  EXPECT_TRUE(measured.running);
  EXPECT_EQ(measured.record->id, first_id);
  EXPECT_EQ(measured.record->allocated_memory_bytes, 4294967296U);
  EXPECT_EQ(cpu_seconds(measured), 2994 / ticks_per_second());
  EXPECT_EQ(rss_bytes(measured), 100 * page_size());
  EXPECT_EQ(vms_bytes(measured), 1000 * page_size());
  EXPECT_EQ(rx_bytes(measured), 222U);
  EXPECT_EQ(tx_bytes(measured), 111U);
  EXPECT_EQ(host().log(), "");
}

TEST_F(FakedInstance, IsMeasuredAgainForEachSample) {
  ASSERT_TRUE(sample().running);
  auto later = process();
  later.user_ticks += 6;
  later.resident_pages = 5'000'000'000;
  proc().write(later);
  sys().write(interface, 112, 223);
  const auto measured = sample();
  EXPECT_EQ(cpu_seconds(measured), 3000 / ticks_per_second());
  EXPECT_EQ(rss_bytes(measured), 5'000'000'000 * page_size());
  EXPECT_EQ(rx_bytes(measured), 223U);
}

TEST_F(FakedInstance, SampleHasTheTimeOfTheMeasurement) {
  const auto before = std::chrono::system_clock::now();
  const auto measured = sample();
  EXPECT_GE(measured.time, before);
  EXPECT_LE(measured.time, std::chrono::system_clock::now());
}

TEST_F(FakedInstance, SaysWhenTheHostWasBootedIfAsked) {
  const auto record = instance().record().value();
  const auto first =
      instance().sample(record, collector::Source::proc_stat | collector::Source::boot_time);
  const auto second =
      instance().sample(record, collector::Source::proc_stat | collector::Source::boot_time);
  EXPECT_LT(std::chrono::abs(second.boot_time - first.boot_time), std::chrono::milliseconds{1});
  EXPECT_EQ(instance().sample(record, collector::Source::proc_stat).boot_time,
            std::chrono::system_clock::time_point{});
}

TEST_F(FakedInstance, ThatIsStoppedIsZeroAndKeepsItsAllocations) {
  data().write(stopped());
  const auto measured = sample();
  expect_stopped(measured);
  EXPECT_EQ(measured.record->allocated_memory_bytes, 4294967296U);
  EXPECT_EQ(measured.record->allocated_vcpus, 2U);
  EXPECT_EQ(host().log(), "");
}

TEST_F(FakedInstance, FirstSampleAfterAStopIsZero) {
  ASSERT_TRUE(sample().running);
  data().write(stopped());
  expect_stopped(sample());
}

TEST_F(FakedInstance, CrashIsZeroEvenIfTheTapRemains) {
  ASSERT_TRUE(sample().running);
  proc().remove(process().pid);
  auto zombie = process();
  zombie.state = 'Z';
  proc().write(zombie);
  // An open descriptor shows the old fake file. Only a new instance opens the new file.
  Instance fresh{host().host(), std::string{first_id}};
  expect_stopped(sample_of(fresh).value());
  EXPECT_EQ(host().log(), "");
}

TEST_F(FakedInstance, ZombieIsZeroEvenIfItsFilesAreOpen) {
  ASSERT_TRUE(sample().running);
  auto zombie = process();
  zombie.state = 'Z';
  proc().write(zombie);
  expect_stopped(sample());
  expect_stopped(sample());
}

TEST_F(FakedInstance, PidOfAnotherProcessIsZero) {
  auto stranger = process();
  ++stranger.start_time_ticks;
  proc().write(stranger);
  expect_stopped(sample());
}

TEST_F(FakedInstance, RestartIsMeasuredFromTheNewProcess) {
  ASSERT_TRUE(sample().running);
  FakeProcess second = process();
  second.pid = 4712;
  second.start_time_ticks += 1000;
  second.user_ticks = 3;
  second.system_ticks = 4;
  proc().write(second);
  auto record = running();
  record.pid = second.pid;
  record.start_time_ticks = second.start_time_ticks;
  data().write(record);
  EXPECT_EQ(cpu_seconds(sample()), 7 / ticks_per_second());
}

TEST_F(FakedInstance, RestartWithTheSamePidIsMeasuredFromTheNewProcess) {
  ASSERT_TRUE(sample().running);
  auto second = process();
  second.start_time_ticks += 1000;
  second.user_ticks = 3;
  second.system_ticks = 4;
  proc().replace(second);
  auto record = running();
  record.start_time_ticks = second.start_time_ticks;
  data().write(record);
  EXPECT_EQ(cpu_seconds(sample()), 7 / ticks_per_second());
}

TEST_F(FakedInstance, RestartUsesTheNewTap) {
  ASSERT_TRUE(sample().running);
  data().write(stopped());
  ASSERT_FALSE(sample().running);
  sys().remove(interface);
  sys().write(interface, 1, 2);
  data().write(running());
  const auto measured = sample();
  EXPECT_EQ(rx_bytes(measured), 2U);
  EXPECT_EQ(tx_bytes(measured), 1U);
}

TEST_F(FakedInstance, MissingTapFailsOnlyTheNetworkAndIsLoggedOnce) {
  sys().remove(interface);
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto measured = sample();
    EXPECT_TRUE(measured.running);
    EXPECT_EQ(cpu_seconds(measured), 2994 / ticks_per_second());
    EXPECT_TRUE(rss_bytes(measured));
    EXPECT_EQ(error_of(rx_bytes(measured)), ENODEV);
  }
  EXPECT_EQ(host().logged_lines(), 1U) << host().log();
  EXPECT_NE(host().log().find(first_id), std::string::npos) << host().log();
  EXPECT_NE(host().log().find("network"), std::string::npos) << host().log();
}

TEST_F(FakedInstance, TapThatTheKernelDeletesIsMissingAndLoggedOnce) {
  const auto counter = sys().statistics(interface) / "tx_bytes";
  for (int attempt = 0; attempt < 3; ++attempt) {
    sys().remove(interface);
    EXPECT_EQ(error_of(rx_bytes(sample())), ENODEV);
    sys().write(interface, 1, 2);
    std::filesystem::remove(counter);
    // A file of an interface that answers EINVAL, as all files of an interface do in that moment.
    std::filesystem::create_symlink("/sys/class/net/lo/speed", counter);
    EXPECT_EQ(error_of(rx_bytes(sample())), ENODEV);
  }
  EXPECT_EQ(host().logged_lines(), 1U) << host().log();
}

TEST_F(FakedInstance, SaysWithoutASystemCallWhetherItsProcessMustBeChecked) {
  const auto record = instance().record().value();
  EXPECT_TRUE(instance().may_wait(*record));
  ASSERT_TRUE(sample().running);
  EXPECT_FALSE(instance().may_wait(*record));
  auto restarted = *record;
  ++restarted.process->start_time_ticks;
  EXPECT_TRUE(instance().may_wait(restarted));
  restarted.process.reset();
  EXPECT_FALSE(instance().may_wait(restarted));
}

TEST_F(FakedInstance, TapThatAppearsLaterIsMeasured) {
  sys().remove(interface);
  ASSERT_EQ(error_of(rx_bytes(sample())), ENODEV);
  sys().write(interface, 1, 2);
  const auto measured = sample();
  EXPECT_EQ(rx_bytes(measured), 2U);
}

TEST_F(FakedInstance, WithoutNetworkIgnoresAnExistingTap) {
  auto record = running();
  record.network_enabled = false;
  data().write(record);
  const auto measured = sample();
  EXPECT_TRUE(measured.running);
  EXPECT_EQ(rx_bytes(measured), 0U);
  EXPECT_EQ(tx_bytes(measured), 0U);
}

TEST_F(FakedInstance, UnreadableProcessIsNotShownAsStopped) {
  write_over(proc().process(process().pid) / "stat", "nonsense\n");
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto measured = sample();
    EXPECT_TRUE(measured.running);
    EXPECT_EQ(error_of(cpu_seconds(measured)), EBADMSG);
    EXPECT_EQ(error_of(rss_bytes(measured)), EBADMSG);
    EXPECT_TRUE(rx_bytes(measured));
  }
  EXPECT_EQ(host().logged_lines(), 2U) << host().log();  // once per part
}

TEST_F(FakedInstance, IsNotShownAsStoppedIfNoThreadIsLeftToCheckIt) {
  const auto release = std::make_shared<std::latch>(1);
  while (host().host().procfs.threads->run([release] { release->wait(); })) {
  }
  auto checked = process();
  checked.command_line = command_line({"vmm", data().socket(first_id)});
  proc().replace(checked);
  auto record = running();
  record.socket_path = data().socket(first_id);
  data().write(record);
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto measured = sample();
    EXPECT_TRUE(measured.running);
    EXPECT_EQ(error_of(cpu_seconds(measured)), EAGAIN);
  }
  EXPECT_EQ(host().logged_lines(), 2U) << host().log();  // once per part
  EXPECT_NE(host().log().find("thread"), std::string::npos) << host().log();
  release->count_down();
  EXPECT_TRUE(eventually([&] { return cpu_seconds(sample()).has_value(); }));
}

TEST_F(FakedInstance, ExitingProcessFailsOnlyTheMemory) {
  auto exiting = process();
  exiting.size_pages = 0;
  exiting.resident_pages = 0;
  proc().write(exiting);
  const auto measured = sample();
  EXPECT_TRUE(measured.running);
  EXPECT_EQ(cpu_seconds(measured), 2994 / ticks_per_second());
  EXPECT_EQ(error_of(rss_bytes(measured)), ESRCH);
}

TEST_F(FakedInstance, IsStillMeasuredIfItsMetadataBreaks) {
  ASSERT_TRUE(sample().running);
  data().write_in_place(first_id, R"({"Id": )");
  EXPECT_TRUE(sample().running);
}

TEST_F(FakedInstance, IsNotFoundAfterItsRemoval) {
  ASSERT_TRUE(sample().running);
  data().remove(first_id);
  EXPECT_EQ(error_of(sample_of(instance())), ENOENT);
}

TEST_F(FakedInstance, IsNotFoundIfItsDirectoryIsNotAnInstance) {
  data().write_text(first_id, metadata_json({.id = std::string{second_id}}));
  EXPECT_EQ(error_of(sample_of(instance())), ENOENT);
  auto pending = running();
  pending.pending_delete_at = "2026-01-02T03:04:05Z";
  data().write(pending);
  EXPECT_EQ(error_of(sample_of(instance())), ENOENT);
}

TEST_F(FakedInstance, CanBeMeasuredInParallelDuringRestarts) {
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  constexpr int count = 4;
  std::vector<std::thread> readers;
  readers.reserve(count);
  for (int i = 0; i < count; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const auto measured = sample_of(instance());
        if (!measured ||
            (measured->running && cpu_seconds(*measured) != 2994 / ticks_per_second()) ||
            (!measured->running && cpu_seconds(*measured) != 0.0)) {
          ++wrong;
        }
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    data().write(i % 2 == 0 ? stopped() : running());
  }
  done = true;
  std::ranges::for_each(readers, &std::thread::join);
  EXPECT_EQ(wrong, 0);
}

TEST(RealInstance, AgreesWithTheKernel) {
  const TestHost host;
  const auto socket = host.data().socket(first_id);
  auto process = start_stand_in(socket, /*busy=*/true);
  host.data().write(running_record(first_id, process.pid(), socket));
  Instance instance{host.host(), std::string{first_id}};
  const auto before = cpu_ticks(process.pid());
  const auto sample = sample_of(instance);
  const auto after = cpu_ticks(process.pid());
  ASSERT_TRUE(sample) << sample.error().message();
  EXPECT_TRUE(sample->running);
  const auto ticks = cpu_seconds(*sample).value() * static_cast<double>(::sysconf(_SC_CLK_TCK));
  EXPECT_GE(ticks, static_cast<double>(before));
  EXPECT_LE(ticks, static_cast<double>(after));
}

TEST(RealInstance, NextSampleShowsAKillAndARestart) {
  const TestHost host;
  const auto socket = host.data().socket(first_id);
  auto first = start_stand_in(socket);
  host.data().write(running_record(first_id, first.pid(), socket));
  Instance instance{host.host(), std::string{first_id}};
  ASSERT_TRUE(sample_of(instance).value().running);

  first.send_signal(SIGKILL);
  ASSERT_TRUE(first.wait(std::chrono::seconds{10}));
  expect_stopped(sample_of(instance).value());

  const auto second = start_stand_in(socket);
  host.data().write(running_record(first_id, second.pid(), socket));
  EXPECT_TRUE(sample_of(instance).value().running);
  EXPECT_EQ(host.log(), "");
}

}  // namespace
}  // namespace hypeman::tests
