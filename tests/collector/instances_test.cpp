#include "collector/instances/instances.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/collector/error_of.hpp"
#include "tests/collector/fake_kernel.hpp"
#include "tests/collector/samples.hpp"
#include "tests/collector/test_host.hpp"

namespace hypeman::tests {
namespace {

using collector::Instances;
namespace filesystem = std::filesystem;
using IdsByName = std::map<std::string, std::string, std::less<>>;

class InstancesTest : public ::testing::Test {
 protected:
  [[nodiscard]] const DataDirectory& data() const { return host_.data(); }
  [[nodiscard]] const TestHost& host() const { return host_; }
  [[nodiscard]] Instances& instances() { return instances_; }

  void add(std::string_view id, const std::string& name) {
    data().write({.id = std::string{id}, .name = name});
  }
  [[nodiscard]] std::vector<std::string> listed() {
    std::vector<std::string> ids;
    const auto all = instances_.list().value();
    ids.reserve(all->size());
    for (const auto& found : *all) {
      ids.push_back(found.record->id);
    }
    return ids;
  }
  [[nodiscard]] IdsByName names() { return instances_.names().value()->unique(); }
  /// The ID of the instance with this name, or the error.
  [[nodiscard]] std::string owner(std::string_view name) {
    const auto found = instances_.find_by_name(name);
    return found ? found->record->id : found.error().message();
  }

 private:
  TestHost host_;
  Instances instances_{host_.host()};
};

using Ids = std::vector<std::string>;

TEST_F(InstancesTest, AreNoneInAnEmptyDataDirectory) {
  EXPECT_EQ(listed(), Ids{});
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(error_of(instances().find(first_id)), ENOENT);
  EXPECT_EQ(error_of(instances().find_by_name("web")), ENOENT);
}

TEST_F(InstancesTest, AreNoneWithoutAGuestsDirectory) {
  filesystem::remove(data().guests());
  EXPECT_EQ(listed(), Ids{});
  EXPECT_TRUE(names().empty());
  filesystem::create_directory(data().guests());
  add(first_id, "web");
  EXPECT_EQ(listed(), Ids{std::string{first_id}});
}

TEST_F(InstancesTest, AreListedById) {
  add(third_id, "c");
  add(first_id, "b");
  add(second_id, "a");
  EXPECT_EQ(listed(), (Ids{std::string{first_id}, std::string{second_id}, std::string{third_id}}));
}

TEST_F(InstancesTest, AreFoundByIdOnly) {
  add(first_id, "web");
  const auto found = instances().find(first_id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->record->id, first_id);
  EXPECT_EQ(found->instance->id(), first_id);
  EXPECT_EQ(error_of(instances().find("web")), ENOENT);
  EXPECT_EQ(error_of(instances().find(first_id.substr(0, 8))), ENOENT);
  EXPECT_EQ(error_of(instances().find(second_id)), ENOENT);
}

TEST_F(InstancesTest, AreTheSameObjectEachTime) {
  add(first_id, "web");
  const auto first = instances().find(first_id).value().instance;
  EXPECT_EQ(instances().find(first_id).value().instance, first);
  EXPECT_EQ(instances().list().value()->at(0).instance, first);
}

TEST_F(InstancesTest, InvalidIdsAreNotLookedUp) {
  for (const std::string text : {"", ".", "..", "/", "../guests", "a/b", "by-name", "UPPER"}) {
    EXPECT_EQ(error_of(instances().find(text)), ENOENT) << text;
  }
  EXPECT_EQ(error_of(instances().find(std::string{first_id} + "/../" + std::string{first_id})),
            ENOENT);
  EXPECT_EQ(error_of(instances().find(std::string_view("ab\0", 3))), ENOENT);
}

TEST_F(InstancesTest, AppearAndDisappearAtOnce) {
  add(first_id, "web");
  ASSERT_EQ(listed(), Ids{std::string{first_id}});
  add(second_id, "db");
  EXPECT_TRUE(instances().find(second_id));
  EXPECT_EQ(listed(), (Ids{std::string{first_id}, std::string{second_id}}));
  data().remove(first_id);
  EXPECT_EQ(error_of(instances().find(first_id)), ENOENT);
  EXPECT_EQ(owner("web"), "No such file or directory");
  EXPECT_EQ(listed(), Ids{std::string{second_id}});
  add(first_id, "web");
  EXPECT_TRUE(instances().find(first_id));
  EXPECT_EQ(owner("web"), first_id);
}

TEST_F(InstancesTest, BadOnesDoNotHideGoodOnes) {
  add(second_id, "web");
  data().write_text("broken", "{\"Id\": ");
  data().write_text("empty", "");
  data().write_text("nested", std::string(500'000, '['));
  data().write_text("huge", std::string(std::size_t{2} << 20U, ' '));
  data().write_text("wrongtype", R"({"Id": "wrongtype", "Size": "large"})");
  data().write_text("absurd", R"({"Id": "absurd", "Size": 1e400})");
  data().write_text("notitsid", metadata_json({.id = std::string{first_id}, .name = "web"}));
  data().write_text("wildname", R"({"Id": "wildname", "Name": "../../etc/passwd"})");
  filesystem::create_directory(data().instance("nofile"));
  for (const auto* id : {"fifo", "directory", "symlink"}) {
    filesystem::create_directory(data().instance(id));
  }
  ASSERT_EQ(::mkfifo(data().metadata("fifo").c_str(), 0644), 0);
  filesystem::create_directory(data().metadata("directory"));
  filesystem::create_symlink("/etc/passwd", data().metadata("symlink"));
  filesystem::create_directory_symlink(data().instance(second_id), data().instance("linked"));
  filesystem::create_directory_symlink("/", data().instance("root"));
  filesystem::create_directory_symlink("loop", data().instance("loop"));
  write_over(data().instance("file"), "");
  filesystem::create_directory(data().guests() / "not an ID");
  filesystem::create_directory(data().guests() / "..hidden");
  filesystem::create_directory(data().guests() / "\xff\n");

  EXPECT_EQ(listed(), (Ids{std::string{second_id}, "wildname"}));
  EXPECT_EQ(names(), (IdsByName{{"web", std::string{second_id}}}));
  EXPECT_EQ(owner("web"), second_id);
  for (const auto* id :
       {"broken", "empty", "nested", "huge", "wrongtype", "absurd", "notitsid", "nofile", "fifo",
        "directory", "symlink", "linked", "root", "loop", "file"}) {
    EXPECT_EQ(error_of(instances().find(id)), ENOENT) << id;
  }

  const auto logged = host().logged_lines();
  EXPECT_EQ(logged, 9U) << host().log();
  EXPECT_EQ(listed(), (Ids{std::string{second_id}, "wildname"}));
  EXPECT_EQ(host().logged_lines(), logged) << "logged once, not per listing";
}

TEST_F(InstancesTest, OneThatBecomesValidIsListed) {
  data().write_text(first_id, "{");
  ASSERT_EQ(listed(), Ids{});
  add(first_id, "web");
  EXPECT_EQ(listed(), Ids{std::string{first_id}});
}

TEST_F(InstancesTest, PendingDeleteHidesFromEveryLookUp) {
  add(first_id, "web");
  ASSERT_EQ(owner("web"), first_id);
  data().write(
      {.id = std::string{first_id}, .name = "web", .pending_delete_at = "2026-01-02T00:00:00Z"});
  EXPECT_EQ(error_of(instances().find(first_id)), ENOENT);
  EXPECT_EQ(owner("web"), "No such file or directory");
  EXPECT_EQ(listed(), Ids{});
  EXPECT_TRUE(names().empty());
}

TEST_F(InstancesTest, AreStillListedDuringAFork) {
  add(first_id, "web");
  ASSERT_EQ(listed(), Ids{std::string{first_id}});
  const auto renamed = renamed_by_fork(data().instance(first_id));
  filesystem::rename(data().instance(first_id), renamed);
  EXPECT_EQ(listed(), Ids{std::string{first_id}});
  filesystem::create_directory_symlink(renamed, data().instance(first_id));
  EXPECT_EQ(listed(), Ids{std::string{first_id}});
  EXPECT_EQ(owner("web"), first_id);
  filesystem::remove(data().instance(first_id));
  filesystem::rename(renamed, data().instance(first_id));
  EXPECT_EQ(listed(), Ids{std::string{first_id}});
}

TEST_F(InstancesTest, ANameLeadsToItsInstance) {
  add(first_id, "web");
  add(second_id, "db");
  EXPECT_EQ(owner("web"), first_id);
  EXPECT_EQ(owner("db"), second_id);
  EXPECT_EQ(owner("we"), "No such file or directory");
  EXPECT_EQ(owner(first_id), "No such file or directory");
  EXPECT_EQ(names(), (IdsByName{{"db", std::string{second_id}}, {"web", std::string{first_id}}}));
}

TEST_F(InstancesTest, ARenameReplacesTheOldNameAtOnce) {
  add(first_id, "web");
  ASSERT_EQ(owner("web"), first_id);
  add(first_id, "api");
  EXPECT_EQ(owner("api"), first_id);
  EXPECT_EQ(owner("web"), "No such file or directory");
}

TEST_F(InstancesTest, ANameCanMoveToAnotherInstance) {
  add(first_id, "web");
  ASSERT_EQ(owner("web"), first_id);
  add(first_id, "old-web");
  add(second_id, "web");
  EXPECT_EQ(owner("web"), second_id);
  EXPECT_EQ(owner("old-web"), first_id);
}

TEST_F(InstancesTest, ANameOfSeveralLeadsToNoneOfThem) {
  add(first_id, "web");
  ASSERT_EQ(owner("web"), first_id);
  add(second_id, "web");
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_EQ(error_of(instances().find_by_name("web")), ENOTUNIQ);
    EXPECT_TRUE(names().empty());
  }
  EXPECT_EQ(host().logged_lines(), 1U) << host().log();
  EXPECT_NE(host().log().find("name web"), std::string::npos) << host().log();
  data().remove(second_id);
  EXPECT_EQ(owner("web"), first_id);
  EXPECT_EQ(names().at("web"), first_id);
}

TEST_F(InstancesTest, ADirectoryLeftOverFromAForkDoesNotKeepADeletedInstance) {
  add(first_id, "web");
  ASSERT_EQ(listed(), Ids{std::string{first_id}});
  const auto hour_ago = std::chrono::system_clock::now() - std::chrono::hours{1};
  filesystem::rename(data().instance(first_id),
                     renamed_by_fork(data().instance(first_id), hour_ago));
  EXPECT_EQ(error_of(instances().find(first_id)), ENOENT);
  EXPECT_EQ(listed(), Ids{});
}

TEST_F(InstancesTest, AreFoundInADataDirectoryThatReplacesTheOldOne) {
  add(first_id, "web");
  ASSERT_EQ(listed(), Ids{std::string{first_id}});
  const auto old = data().path().string() + ".old";
  filesystem::rename(data().path(), old);
  EXPECT_EQ(listed(), Ids{});
  EXPECT_EQ(error_of(instances().find(first_id)), ENOENT);
  filesystem::create_directories(data().guests());
  add(second_id, "db");
  EXPECT_EQ(listed(), Ids{std::string{second_id}});
  filesystem::remove_all(old);
}

TEST_F(InstancesTest, DeletedOnesAreForgottenWithoutAListing) {
  std::vector<std::weak_ptr<collector::Instance>> deleted;
  constexpr int cycles = 500;
  for (int cycle = 0; cycle < cycles; ++cycle) {
    const auto id = "vm" + std::to_string(cycle);
    add(id, "web");
    deleted.emplace_back(instances().find(id).value().instance);
    data().remove(id);
  }
  EXPECT_LT(std::ranges::count_if(deleted, [](const auto& one) { return !one.expired(); }), 100);
  // Every other call helps to forget the rest.
  add(first_id, "web");
  for (int call = 0; call < 100 * cycles; ++call) {
    static_cast<void>(instances().find(first_id));
  }
  EXPECT_TRUE(std::ranges::all_of(deleted, [](const auto& one) { return one.expired(); }));
}

TEST_F(InstancesTest, NamesThatHypemanDoesNotAllowGetNoLink) {
  add(first_id, "Web Server");
  add(second_id, "..");
  add(third_id, "");
  EXPECT_TRUE(names().empty());
  for (const auto* name : {"Web Server", "..", "", ".", "a/b"}) {
    EXPECT_EQ(owner(name), "No such file or directory") << name;
  }
  EXPECT_EQ(listed().size(), 3U);
}

TEST_F(InstancesTest, ADataDirectoryThatCannotBeListedIsAnError) {
  filesystem::remove(data().guests());
  write_over(data().guests(), "");
  EXPECT_EQ(error_of(instances().list()), ENOTDIR);
  EXPECT_EQ(error_of(instances().names()), ENOTDIR);
  EXPECT_EQ(error_of(instances().find_by_name("web")), ENOTDIR);
}

TEST_F(InstancesTest, AllowParallelCallsDuringChanges) {
  add(first_id, "web");
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  constexpr int count = 4;
  std::vector<std::thread> readers;
  readers.reserve(count);
  for (int i = 0; i < count; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        const auto found = instances().find_by_name("web");
        if (!found || found->record->id != first_id || !instances().find(first_id) ||
            !instances().list()) {
          ++wrong;
        }
        static_cast<void>(instances().find(second_id));
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    add(second_id, "db-" + std::to_string(i));
    data().remove(second_id);
  }
  done = true;
  std::ranges::for_each(readers, &std::thread::join);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(listed(), Ids{std::string{first_id}});
}

/// More instances than one thread measures, in a fake /proc. Half of them run.
class ManyInstances : public ::testing::Test {
 protected:
  static constexpr int count = 500;

  ManyInstances() {
    for (int number = 0; number < count; ++number) {
      const FakeProcess process{.pid = first_pid + number,
                                .user_ticks = static_cast<std::uint64_t>(number)};
      proc_.write(process);
      InstanceRecord record{.id = id(number)};
      if (number % 2 == 0) {
        record.pid = process.pid;
        record.start_time_ticks = process.start_time_ticks;
        record.boot_id = std::string{FakeProc::boot_id};
      }
      host_.data().write(record);
    }
  }

  [[nodiscard]] static std::string id(int number) { return "vm" + std::to_string(10000 + number); }
  [[nodiscard]] const FakeProc& proc() const { return proc_; }
  [[nodiscard]] const TestHost& host() const { return host_; }
  [[nodiscard]] std::vector<collector::Sample> samples() {
    auto samples = Instances::samples(*instances_.list().value(), all_sources);
    std::erase_if(samples, [](const auto& sample) { return !sample.running; });
    return samples;
  }

  static constexpr pid_t first_pid = 100000;

 private:
  FakeProc proc_;
  TestHost host_{proc_.path()};
  Instances instances_{host_.host()};
};

TEST_F(ManyInstances, AreSampledInOrderOfIdIfTheyRun) {
  for (int again = 0; again < 2; ++again) {
    const auto all = samples();
    ASSERT_EQ(all.size(), static_cast<std::size_t>(count / 2));
    for (std::size_t index = 0; index < all.size(); ++index) {
      const auto number = static_cast<int>(2 * index);
      EXPECT_EQ(all[index].record->id, id(number));
      EXPECT_EQ(cpu_seconds(all[index]),
                (number + 994.0) / static_cast<double>(::sysconf(_SC_CLK_TCK)));
    }
  }
}

TEST_F(ManyInstances, AreSampledWithoutTheOneThatHasEnded) {
  ASSERT_EQ(samples().size(), static_cast<std::size_t>(count / 2));
  proc().write({.pid = first_pid + 100, .state = 'Z'});
  host().data().remove(id(102));
  const auto all = samples();
  EXPECT_EQ(all.size(), static_cast<std::size_t>(count / 2 - 2));
  EXPECT_TRUE(std::ranges::none_of(
      all, [](const auto& s) { return s.record->id == id(100) || s.record->id == id(102); }));
}

}  // namespace
}  // namespace hypeman::tests
