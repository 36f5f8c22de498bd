#include "fs/tree/tree.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "collector/instances/instances.hpp"
#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/collector/test_host.hpp"

namespace hypeman::tests {
namespace {

using fs::Attributes;
using fs::Inode;
using fs::Tree;

constexpr Inode root = 1;
constexpr fs::Reader reader{.user = 1000, .thread = 1234};
constexpr auto interface = "hype-qilviffn";

/// A tree with one running VM in a fake /proc and /sys, without a mount.
class TreeTest : public ::testing::Test {
 protected:
  TreeTest() {
    proc_.write(FakeProcess{});
    proc_.write_thread(FakeProcess{}.pid,
                       {.tid = 4800, .name = "vcpu0", .run_nanoseconds = 3'000'000'000});
    proc_.write_thread(FakeProcess{}.pid,
                       {.tid = 4801, .name = "vcpu1", .wait_nanoseconds = 250'000'000});
    sys_.write(interface, /*rx_bytes=*/111, /*tx_bytes=*/222);
    host_.data().write(running());
  }

  [[nodiscard]] static InstanceRecord running() {
    const FakeProcess process;
    return {.id = std::string{first_id},
            .name = "web",
            .network_enabled = true,
            .pid = process.pid,
            .start_time_ticks = process.start_time_ticks,
            .boot_id = std::string{FakeProc::boot_id}};
  }

  /// The inode of a path, found with one look-up per component.
  [[nodiscard]] Result<Inode> look_up(const std::filesystem::path& path) {
    Inode inode = root;
    for (const auto& component : path) {
      const auto found = tree_.look_up(inode, component.native());
      if (!found) {
        return tl::unexpected{found.error()};
      }
      inode = found->st_ino;
    }
    return inode;
  }
  [[nodiscard]] Inode inode(const std::filesystem::path& path) { return look_up(path).value(); }
  [[nodiscard]] static std::filesystem::path file(std::string_view name) {
    return std::filesystem::path{first_id} / name;
  }

  /// The content of a file, or the error of open or read.
  [[nodiscard]] std::string content(const std::filesystem::path& path) {
    const auto opened =
        look_up(path).and_then([&](Inode found) { return tree_.open(found, reader); });
    if (!opened) {
      return opened.error().message();
    }
    const auto slice = tree_.read(**opened, 0, 1 << 20U, reader);
    return slice ? std::string{slice->bytes} : slice.error().message();
  }

  [[nodiscard]] std::vector<std::string> listing(Inode directory) {
    std::vector<std::string> names;
    const auto listed = list(directory).value();
    for (std::size_t index = 0; index < listed->size(); ++index) {
      names.emplace_back(listed->at(index).name);
    }
    return names;
  }
  [[nodiscard]] Result<std::shared_ptr<const fs::Listing>> list(Inode directory) {
    return tree_.open_directory(directory, reader).and_then([&](const auto& opened) {
      return tree_.list(*opened, 0, reader);
    });
  }

  /// Makes every kernel file of the VM unreadable, so that a new sample is an error.
  void break_kernel_files() {
    proc_.remove(FakeProcess{}.pid);
    write_over(proc_.process(FakeProcess{}.pid) / "stat", "nonsense\n");
    write_over(proc_.process(FakeProcess{}.pid) / "statm", "nonsense\n");
    sys_.remove(interface);
  }

  [[nodiscard]] Tree& tree() { return tree_; }
  [[nodiscard]] const TestHost& host() const { return host_; }
  [[nodiscard]] const FakeProc& proc() const { return proc_; }

 private:
  FakeProc proc_;
  FakeSys sys_;
  TestHost host_{proc_.path(), sys_.path()};
  collector::Instances instances_{host_.host()};
  Tree tree_{instances_, {}};
};

TEST_F(TreeTest, HasTheDocumentedLayout) {
  EXPECT_EQ(listing(root),
            (std::vector<std::string>{".", "..", "by-name", "instances.json", "metrics.prom",
                                      "summary", std::string{first_id}}));
  EXPECT_EQ(listing(inode("by-name")), (std::vector<std::string>{".", "..", "web"}));
  const auto files = listing(inode(first_id));
  EXPECT_EQ(files.front(), ".");
  EXPECT_EQ(files.back(), "vcpus");
  EXPECT_EQ(listing(inode(file("vcpus"))), (std::vector<std::string>{".", "..", "0", "1"}));
  EXPECT_EQ(listing(inode(file("vcpus/1"))),
            (std::vector<std::string>{".", "..", "cpu_seconds", "wait_seconds"}));
}

TEST_F(TreeTest, ListingAndLookUpGiveTheSameNumber) {
  for (const auto& directory :
       {std::filesystem::path{}, std::filesystem::path{first_id}, file("vcpus"), file("vcpus/1")}) {
    const auto listed = list(inode(directory)).value();
    for (std::size_t index = 0; index < listed->size(); ++index) {
      const auto entry = listed->at(index);
      if (entry.name != "." && entry.name != "..") {
        EXPECT_EQ(entry.inode, inode(directory / entry.name)) << entry.name;
      }
    }
  }
}

TEST_F(TreeTest, ReadsAValueOfTheVm) {
  EXPECT_EQ(content(file("instance_name")), "web\n");
  EXPECT_EQ(content(file("network_rx_bytes")), "222\n");
  EXPECT_EQ(tree().read_link(inode("by-name/web")), "../" + std::string{first_id});
}

TEST_F(TreeTest, ReadsTheValuesOfEachVcpu) {
  EXPECT_EQ(content(file("vcpus/0/cpu_seconds")), "3\n");
  EXPECT_EQ(content(file("vcpus/1/wait_seconds")), "0.25\n");
  EXPECT_EQ(content(file("cpu_wait_seconds")), "0.25\n");
}

TEST_F(TreeTest, AVcpuWithoutAThreadIsNotThere) {
  auto record = running();
  record.vcpus = 3;
  host().data().write(record);
  EXPECT_EQ(listing(inode(file("vcpus"))), (std::vector<std::string>{".", "..", "0", "1"}));
  const auto directory = inode(file("vcpus/2"));
  EXPECT_EQ(error_of(tree().attributes(directory, reader)), ENOENT);
  EXPECT_EQ(error_of(tree().exists(directory)), ENOENT);
  EXPECT_EQ(error_of(tree().open_directory(directory, reader)), ENOENT);
  EXPECT_EQ(content(file("vcpus/2/cpu_seconds")), "No such file or directory");
  for (const auto* name : {"3", "00", "+0", "x", "8192", "65536", ""}) {
    EXPECT_EQ(error_of(look_up(file("vcpus") / name)), ENOENT) << name;
  }
}

TEST_F(TreeTest, VcpusAreAbsentWhileTheVmDoesNotRun) {
  const auto directory = inode(file("vcpus"));
  auto stopped = running();
  stopped.pid.reset();
  host().data().write(stopped);
  EXPECT_EQ(error_of(look_up(file("vcpus"))), ENOENT);
  EXPECT_EQ(error_of(tree().attributes(directory, reader)), ENOENT);
  EXPECT_EQ(listing(inode(first_id)).back(), "stats.json");
}

TEST_F(TreeTest, FilesOfTheWholeHostHaveTheSizeThatStatShows) {
  for (const auto* name : {"instances.json", "metrics.prom", "summary"}) {
    const auto size = tree().attributes(inode(name), reader).value().st_size;
    EXPECT_EQ(static_cast<off_t>(content(name).size()), size) << name;
  }
}

TEST_F(TreeTest, CountsItsReadsAndTheirErrors) {
  host().data().write({.id = std::string{second_id}});
  static_cast<void>(content(file("cpu_seconds")));
  static_cast<void>(content(std::filesystem::path{second_id} / "start_time_seconds"));
  break_kernel_files();
  static_cast<void>(content(file("network_rx_bytes")));
  tree().own_metrics().set_transport("test");
  const auto text = content("metrics.prom");
  EXPECT_NE(text.find("hypeman_statsfs_build_info{version=\""), std::string::npos) << text;
  EXPECT_NE(text.find("hypeman_statsfs_transport_info{transport=\"test\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("\nhypeman_statsfs_reads_total 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("hypeman_statsfs_errors_total{error=\"no_such_device\"} 1\n"),
            std::string::npos)
      << text;
}

TEST_F(TreeTest, RefusesOtherPaths) {
  EXPECT_EQ(error_of(look_up("absent")), ENOENT);
  EXPECT_EQ(error_of(look_up(file("absent"))), ENOENT);
  EXPECT_EQ(error_of(look_up("by-name/absent")), ENOENT);
  EXPECT_EQ(error_of(look_up(file("cpu_seconds") / "x")), ENOTDIR);
  EXPECT_EQ(error_of(tree().open(root, reader)), EISDIR);
  EXPECT_EQ(error_of(tree().open_directory(inode("metrics.prom"), reader)), ENOTDIR);
}

TEST_F(TreeTest, ALookUpMeasuresNothing) {
  break_kernel_files();
  for (const auto* name : {"cpu_seconds", "stats.json"}) {
    EXPECT_EQ(error_of(look_up(file(name))), 0) << name;
  }
  EXPECT_EQ(error_of(look_up("metrics.prom")), 0);
  EXPECT_EQ(host().log(), "");
}

TEST_F(TreeTest, StatOfStatsJsonShowsItsSizeWithoutMeasuring) {
  const auto size = content(file("stats.json")).size();
  const auto number = inode(file("stats.json"));
  break_kernel_files();
  EXPECT_EQ(tree().attributes(number, reader).value().st_size, static_cast<off_t>(size));
  EXPECT_EQ(host().log(), "");
}

TEST_F(TreeTest, AFileReadsOnlyTheKernelFilesOfItsRow) {
  write_over(proc().process(FakeProcess{}.pid) / "statm", "nonsense\n");
  EXPECT_EQ(content(file("cpu_seconds")).back(), '\n');
  EXPECT_EQ(content(file("network_tx_bytes")), "111\n");
  EXPECT_EQ(content(file("allocated_vcpus")), "2\n");
  EXPECT_EQ(host().log(), "");
  EXPECT_EQ(content(file("memory_rss_bytes")), "Bad message");
}

TEST_F(TreeTest, ReadHasTheSizeThatStatShowed) {
  const auto number = inode(file("cpu_seconds"));
  const auto told = tree().attributes(number, reader).value().st_size;
  EXPECT_EQ(static_cast<off_t>(content(file("cpu_seconds")).size()), told);
}

TEST_F(TreeTest, EveryCallFailsForARemovedVm) {
  const auto directory = inode(first_id);
  const auto value = inode(file("cpu_seconds"));
  const auto opened = tree().open(value, reader).value();
  host().data().remove(first_id);
  EXPECT_EQ(error_of(tree().attributes(directory, reader)), ENOENT);
  EXPECT_EQ(error_of(tree().attributes(value, reader)), ENOENT);
  EXPECT_EQ(error_of(tree().open(value, reader)), ENOENT);
  EXPECT_EQ(error_of(list(directory)), ENOENT);
  EXPECT_EQ(error_of(tree().read(*opened, 0, 100, reader)), ENOENT);
}

TEST_F(TreeTest, LaterOffsetsContinueTheSample) {
  const auto opened = tree().open(inode(file("network_rx_bytes")), reader).value();
  EXPECT_EQ(tree().read(*opened, 0, 2, reader).value().bytes, "22");
  host().data().remove(first_id);
  EXPECT_EQ(tree().read(*opened, 2, 100, reader).value().bytes, "2\n");
  EXPECT_EQ(tree().read(*opened, 4, 100, reader).value().bytes, "");
}

TEST_F(TreeTest, OnlyAReadThatContinuesATextNeverWaits) {
  const auto opened = tree().open(inode("metrics.prom"), reader).value();
  EXPECT_TRUE(tree().read_may_wait(*opened, 0));
  EXPECT_TRUE(tree().read_may_wait(*opened, 1)) << "there is no text yet";
  ASSERT_TRUE(tree().read(*opened, 0, 10, reader));
  EXPECT_TRUE(tree().read_may_wait(*opened, 0));
  EXPECT_FALSE(tree().read_may_wait(*opened, 10));
  const auto rest = tree().read(*opened, 10, 1 << 20U, reader).value().bytes.size();
  EXPECT_FALSE(tree().read_may_wait(*opened, 10 + rest));
  EXPECT_EQ(tree().read(*opened, 10 + rest, 10, reader).value().bytes, "");
  EXPECT_TRUE(tree().read_may_wait(*opened, 10)) << "the text was read to its end";
}

TEST_F(TreeTest, ShowsTheOptionsModeAndGroup) {
  collector::Instances instances{host().host()};
  Tree restricted{instances, {.file_mode = 0440, .group = 7}};
  const auto directory = restricted.attributes(root, reader).value();
  EXPECT_EQ(directory.st_mode, static_cast<mode_t>(S_IFDIR | 0550));
  EXPECT_EQ(directory.st_gid, 7U);
  EXPECT_EQ(restricted.look_up(root, "metrics.prom").value().st_mode,
            static_cast<mode_t>(S_IFREG | 0440));
}

}  // namespace
}  // namespace hypeman::tests
