// Look-up of instances and the responses, over a real socket.

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>

#include "tests/httpbridge/support/bridge_test.hpp"
#include "tests/httpbridge/support/eventually.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"

namespace hypeman::httpbridge::testing {
namespace {

namespace fs = std::filesystem;

class LookUpTest : public BridgeTest {
 protected:
  void expect_not_found(const std::string& target) {
    SCOPED_TRACE(target);
    expect_error(get(target), 404, "not_found", "resource not found");
  }
};

TEST_P(LookUpTest, FindsByIdNameAndPrefix) {
  start();
  for (const char* wanted : {web_id, web_name, "qil", "qilviffnqzck2jrim1x6s2b"}) {
    expect_stats(get(stats_path(wanted)), web_id);
  }
  expect_stats(get(stats_path(lone_name)), lone_id);
  expect_stats(get(stats_path("z")), lone_id);
}

TEST_P(LookUpTest, SeveralMatchesAreAConflict) {
  start();
  for (const char* wanted : {"q", "qi"}) {
    const auto response = get(stats_path(wanted));
    expect_error(response, 409, "ambiguous", "multiple resources match, use full ID");
    EXPECT_EQ(response->header("x-should-retry"), "false");
  }
}

TEST_P(LookUpTest, PrefersAnIdToANameToAPrefix) {
  const std::string first = "aaaaaaaaaaaaaaaaaaaaaaaa";
  const std::string second = "bbbbbbbbbbbbbbbbbbbbbbbb";
  tree().add(first, "zz");
  tree().add(second, first);
  tree().add("cccccccccccccccccccccccc", "aa");
  start();
  expect_stats(get(stats_path(first)), first);
  expect_stats(get(stats_path("aa")), "cccccccccccccccccccccccc");
  expect_stats(get(stats_path("aaa")), first);
}

TEST_P(LookUpTest, UnknownInstancesAreNotFound) {
  start();
  for (const char* wanted : {"qilviffnqzck2jrim1x6s2b2", "nobody", "qilviffnqzck2jrim1x6s2b1x", "y",
                             "QIL", "b", "by-name", "metrics.prom", "stats.json", ""}) {
    expect_not_found(stats_path(wanted));
  }
  for (const char* target : {"/instances", "/instances/x", "/favicon.ico"}) {
    expect_not_found(target);
  }
}

TEST_P(LookUpTest, RefusesEverySpellingOfAPathTraversal) {
  start();
  for (const char* segment : {"..",
                              "%2e%2e",
                              "%2e.",
                              "%252e%252e",
                              "..%2f..%2fetc%2fpasswd",
                              "%2e%2e%2fby-name%2fdb",
                              "..%5c..",
                              "%2fetc%2fpasswd",
                              "%00",
                              "qil%00",
                              "qilviffnqzck2jrim1x6s2b1%00.json",
                              "%c0%ae%c0%ae",
                              "%uff0e%uff0e",
                              ".",
                              "%2e",
                              "by-name%2fdb",
                              "qilviffnqzck2jrim1x6s2b1%2f",
                              "..;",
                              "%",
                              "%2",
                              "%gg"}) {
    expect_not_found(stats_path(segment));
  }
  for (const char* target :
       {"/../etc/passwd", "/instances/../../etc/passwd", "/instances/../stats",
        "/instances/db/../../etc/stats", "//etc/passwd", "/instances/by-name/db/stats",
        "/instances//etc/passwd/stats", "/etc/passwd", "/instances/db/stats/../../../x",
        "/./metrics", "http://x/../../etc/passwd"}) {
    expect_not_found(target);
  }
  expect_not_found(stats_path(std::string(3000, 'a')));
  expect_not_found("/instances/" + std::string(1000, '.') + "/stats");
}

TEST_P(LookUpTest, DecodesTheTargetOnce) {
  start();
  expect_stats(get("/instances/%71%69%6C/stats"), web_id);
  expect_stats(get("/%69nstances/my%2Dweb-server/stats?query=%2e%2e"), web_id);
  expect_not_found("/instances/%2571il/stats");
}

TEST_P(LookUpTest, ShowsChangesImmediately) {
  start();
  HttpClient client{address()};
  const std::string id = "nnnnnnnnnnnnnnnnnnnnnnnn";
  const auto ask = [&](const std::string& wanted) {
    return client.get(stats_path(wanted), good_key());
  };
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(ask(id)->status, 404);
    tree().add(id, "new");
    expect_stats(ask(id), id);
    expect_stats(ask("new"), id);
    tree().resize(id, "new", 1000 + round);
    expect_stats(ask(id), id);
    EXPECT_NE(ask("n")->body.find(std::to_string(1000 + round)), std::string::npos);
    tree().rename(id, "new", "newer");
    EXPECT_EQ(ask("new")->status, 404);
    expect_stats(ask("newer"), id);
    tree().remove(id, "newer");
  }
}

/// The daemon counts its reads, so two reads of its own metrics differ.
std::string without_own_metrics(const std::string& text) {
  std::string rest;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("hypeman_statsfs_")) {
      rest += line + "\n";
    }
  }
  return rest;
}

TEST_P(LookUpTest, ServesMetrics) {
  start();
  const auto response = get("/metrics");
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(response->header("cache-control"), "no-store");
  EXPECT_EQ(without_own_metrics(response->body),
            without_own_metrics(read_file(tree().directory() / "metrics.prom")));
}

TEST_P(LookUpTest, HealthNeedsNoKey) {
  start();
  for (const char* path : {"/healthz", "/health"}) {
    const auto response = testing::get(address(), path);
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->header("cache-control"), "no-store");
  }
}

TEST_P(LookUpTest, AnAbsentMountIsUnavailableUntilItReturns) {
  start();
  HttpClient client{address()};
  expect_stats(client.get(stats_path(web_id), good_key()), web_id);
  for (int round = 0; round < 3; ++round) {
    tree().vanish();
    for (const std::string& target :
         {stats_path(web_id), stats_path(web_name), stats_path("q"), stats_path("absent"),
          std::string{"/stats"}, std::string{"/metrics"}, std::string{"/healthz"}}) {
      SCOPED_TRACE(target);
      expect_error(client.get(target, good_key()), 503, "unavailable",
                   "statistics are not available at the moment");
    }
    tree().come_back();
    expect_stats(client.get(stats_path(web_id), good_key()), web_id);
    expect_stats(client.get(stats_path(web_name), good_key()), web_id);
    EXPECT_EQ(client.get("/healthz")->status, 200);
    EXPECT_EQ(client.get("/metrics", good_key())->status, 200);
  }
}

TEST_P(LookUpTest, StartsBeforeTheMountExists) {
  tree().vanish();
  start();
  EXPECT_EQ(get(stats_path(web_id))->status, 503);
  tree().come_back();
  expect_stats(get(stats_path(web_id)), web_id);
}

TEST_P(LookUpTest, AnAbsentIdIsNoPrefix) {
  start();
  const std::string id = "nnnnnnnnnnnnnnnnnnnnnnnn";
  tree().add(id, "long-name");
  expect_stats(get(stats_path(id)), id);
  expect_not_found(stats_path("nnnnnnnnnnnnnnnnnnnnnnnm"));
  expect_not_found(stats_path("nnnnnnnnnnnnnnnnnnnnnnnnn"));
}

TEST_P(LookUpTest, DeletedInstancesLeaveNothingBehind) {
  start();
  HttpClient client{address()};
  constexpr int rounds = 40;
  const auto id_of = [](int number) { return fmt::format("d{:023}", number); };
  expect_stats(client.get(stats_path(web_id), good_key()), web_id);
  const std::size_t before = bridge().open_descriptors();
  for (int i = 0; i < rounds; ++i) {
    tree().add(id_of(i), fmt::format("d{}", i));
    EXPECT_EQ(client.get(stats_path(id_of(i)), good_key())->status, 200);
  }
  for (int i = 0; i < rounds; ++i) {
    tree().remove(id_of(i), fmt::format("d{}", i));
  }
  for (int i = 0; i < 8 * (rounds + 2); ++i) {
    expect_stats(client.get(stats_path(web_id), good_key()), web_id);
  }
  EXPECT_LE(bridge().open_descriptors(), before);
}

class AllStatsTest : public LookUpTest {};

TEST_P(AllStatsTest, AreTheBytesOfInstancesJson) {
  start();
  HttpClient client{address()};
  const std::string id = "nnnnnnnnnnnnnnnnnnnnnnnn";
  for (const bool is_added : {false, true}) {
    if (is_added) {
      tree().add(id, "new");
    }
    const auto response = client.get("/stats", good_key());
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->header("content-type"), "application/json");
    EXPECT_EQ(response->header("cache-control"), "no-store");
    EXPECT_EQ(response->body, read_file(tree().directory() / "instances.json"));
    EXPECT_NE(response->body.find(fmt::format("\"{}\"", web_id)), std::string::npos);
    EXPECT_EQ(response->body.find(id) != std::string::npos, is_added);
  }
}

INSTANTIATE_TEST_SUITE_P(Trees, AllStatsTest, ::testing::ValuesIn(served_trees()), name_of);

INSTANTIATE_TEST_SUITE_P(Trees, LookUpTest, ::testing::ValuesIn(served_trees()), name_of);

class DuplicateNameTest : public LookUpTest {};

TEST_P(DuplicateNameTest, IsAConflict) {
  const std::string first = "ssssssssssssssssssssssss";
  tree().add(first, "same");
  tree().add("tttttttttttttttttttttttt", "same");
  tree().add("sameaaaaaaaaaaaaaaaaaaaa", "other");  // no prefix is searched
  start();
  const auto response = get(stats_path("same"));
  expect_error(response, 409, "ambiguous", "multiple resources match, use full ID");
  EXPECT_EQ(response->header("x-should-retry"), "false");
  expect_stats(get(stats_path(first)), first);
  tree().remove("tttttttttttttttttttttttt", "same");
  expect_stats(get(stats_path("same")), first);
}

INSTANTIATE_TEST_SUITE_P(RealMount, DuplicateNameTest, ::testing::Values(real_mount()), name_of);

/// What the daemon does for a request.
class DaemonWorkTest : public tests::EndToEndTest {
 protected:
  /// How often the daemon reads the CPU time of its VM while `action` runs.
  template <typename Action>
  std::ptrdiff_t reads_of_cpu_time(const tests::StatsMount& mount, Action action) {
    const std::string trace = place_.path() / "trace";
    auto strace =
        tests::ChildProcess::spawn({"strace", "-f", "-y", "-qq", "-o", trace, "-e", "trace=pread64",
                                    "-p", std::to_string(mount.worker_pid())});
    EXPECT_TRUE(eventually([&] { return all_threads_are_traced(mount.worker_pid()); }));
    action();
    strace.send_signal(SIGTERM);
    EXPECT_TRUE(strace.wait(std::chrono::seconds{10}));
    std::ifstream lines{trace};
    std::ptrdiff_t count = 0;
    for (std::string line; std::getline(lines, line);) {
      count += static_cast<std::ptrdiff_t>(line.find("/stat>") != std::string::npos);
    }
    return count;
  }

 private:
  static bool all_threads_are_traced(pid_t pid) {
    const fs::path tasks = fmt::format("/proc/{}/task", pid);
    return std::all_of(fs::directory_iterator{tasks}, {}, [](const fs::directory_entry& task) {
      return read_file(task.path() / "status").find("TracerPid:\t0") == std::string::npos;
    });
  }

  TemporaryDirectory place_;
};

TEST_F(DaemonWorkTest, AScrapeSamplesTheHostOnce) {
  const std::string id = "mmmmmmmmmmmmmmmmmmmmmmmm";
  const tests::DataDirectory data;
  const auto process = tests::start_stand_in(data.socket(id));
  data.write(tests::running_record(id, process.pid(), data.socket(id)));
  const tests::StatsMount mount{data.path()};
  BridgeProcess bridge{{"--listen", "127.0.0.1:0", "--no-auth", "--stats-dir", mount.path()}};
  const std::string address = bridge.address();
  EXPECT_EQ(testing::get(address, "/metrics")->status, 200);  // opens the kernel files
  EXPECT_EQ(
      reads_of_cpu_time(mount, [&] { EXPECT_EQ(testing::get(address, "/metrics")->status, 200); }),
      1);
}

/// A tree with content that hypeman-statsfs never creates.
class ForeignTreeTest : public LookUpTest {};

TEST_P(ForeignTreeTest, RefusesLinksOutOfTheMount) {
  const fs::path outside = path_of("outside");
  fs::create_directory(outside);
  write_file(outside / "stats.json", "not for you");
  write_file(outside / "metrics.prom", "not for you");
  const fs::path root = tree().directory();
  fs::create_directory_symlink(outside, root / "linked");
  fs::create_directory(root / "inner");
  fs::create_symlink(outside / "stats.json", root / "inner" / "stats.json");
  fs::create_directory_symlink(outside, root / "by-name" / "out");
  fs::create_directory_symlink("../../outside", root / "by-name" / "up");
  fs::remove(root / "metrics.prom");
  fs::create_symlink(outside / "metrics.prom", root / "metrics.prom");
  start();
  for (const char* wanted : {"linked", "link", "inner", "inn", "out", "up"}) {
    expect_not_found(stats_path(wanted));
  }
  EXPECT_EQ(get("/metrics")->status, 503);
}

TEST_P(ForeignTreeTest, WhatTheBridgeMayNotReadIsUnavailable) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "requires root, which can give the files to another user";
  }
  constexpr uid_t other = 65534;
  ASSERT_EQ(::chown(tree().directory().c_str(), other, other), 0);
  fs::permissions(tree().directory(), fs::perms::owner_all | fs::perms::group_all);
  start_exactly({"--listen", "127.0.0.1:0", "--no-auth", "--stats-dir", tree().directory()}, {},
                BridgeProcess::Rights::only_its_own_files);
  for (const std::string& target :
       {stats_path(web_id), stats_path(web_name), stats_path("q"), stats_path("absent"),
        std::string{"/stats"}, std::string{"/metrics"}, std::string{"/healthz"},
        std::string{"/health"}}) {
    SCOPED_TRACE(target);
    expect_error(testing::get(address(), target), 503, "unavailable",
                 "the bridge has no permission to read the statistics");
  }
  EXPECT_TRUE(bridge().logs(fmt::format("<3>cannot read the statistics at {}: Permission denied; ",
                                        tree().directory().string())))
      << bridge().log();
  fs::permissions(tree().directory(), fs::perms::all);
  expect_stats(testing::get(address(), stats_path(web_id)), web_id);
  EXPECT_TRUE(bridge().logs("are available again"));
}

TEST_P(ForeignTreeTest, AnInstanceThatCannotBeReadIsAnInternalError) {
  write_file(tree().directory() / web_id / "stats.json", std::string(64 << 10, 'x'));
  start();
  expect_error(get(stats_path(web_id)), 500, "internal_error", "failed to resolve resource");
}

TEST_P(ForeignTreeTest, AHiddenInstanceIsNoMatch) {
  const std::string hidden = "zhhhhhhhhhhhhhhhhhhhhhhh";
  fs::create_directory(tree().directory() / hidden);
  start();
  expect_not_found(stats_path(hidden));
  expect_not_found(stats_path("zh"));
  expect_stats(get(stats_path("z")), lone_id);
}

TEST_P(ForeignTreeTest, ClientsThatDoNotReadShareABody) {
  constexpr std::size_t body_bytes = std::size_t{60} << 20;
  write_file(tree().directory() / "metrics.prom", std::string(body_bytes, 'm'));
  start();
  std::vector<HttpClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(address());
    EXPECT_EQ(clients.back().get("/healthz")->status, 200);
  }
  // The bridge sees all requests at the same time, so they share a read.
  bridge().signal(SIGSTOP);
  for (HttpClient& client : clients) {
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n" + good_key() + "\r\n");
  }
  bridge().signal(SIGCONT);
  for (HttpClient& client : clients) {
    const auto response = client.receive();
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 200);
  }
}

TEST_P(ForeignTreeTest, ClientsThatDoNotReadDoNotPreventThatOthersAreServed) {
  constexpr std::size_t body_bytes = std::size_t{60} << 20;
  write_file(tree().directory() / "metrics.prom", std::string(body_bytes, 'm'));
  start();
  std::vector<HttpClient> silent;
  for (int i = 0; i < 10; ++i) {
    silent.emplace_back(address());
    silent.back().send("GET /metrics HTTP/1.1\r\nHost: x\r\n" + good_key() + "\r\n");
    char first = 0;  // of its own response: the next client shares no read with it
    EXPECT_EQ(::recv(silent.back().fd(), &first, 1, MSG_PEEK), 1);
  }
  const auto response = get("/metrics");
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body.size(), body_bytes);
}

TEST_P(ForeignTreeTest, SpecialFilesDoNotBlock) {
  fs::create_directory(tree().directory() / "fifo");
  ASSERT_EQ(::mkfifo((tree().directory() / "fifo" / "stats.json").c_str(), 0600), 0);
  start();
  expect_not_found(stats_path("fifo"));
}

TEST_P(ForeignTreeTest, AWholeHostFileThatAnOlderDaemonLacksIsUnavailable) {
  start();
  for (const auto& [route, name] :
       {std::pair{"/stats", "instances.json"}, std::pair{"/metrics", "metrics.prom"}}) {
    SCOPED_TRACE(route);
    const fs::path file = tree().directory() / name;
    fs::rename(file, path_of(name));
    for (int i = 0; i < 3; ++i) {
      expect_error(get(route), 503, "unavailable", "statistics are not available at the moment");
      expect_stats(get(stats_path(web_id)), web_id);
    }
    const std::string line = fmt::format("<3>the statistics at {} have no {}; the daemon is older",
                                         tree().directory().string(), name);
    ASSERT_TRUE(bridge().logs(line)) << bridge().log();
    const std::string log = bridge().log();
    EXPECT_EQ(log.find(line), log.rfind(line)) << "it is logged for each request";
    fs::rename(path_of(name), file);
    EXPECT_EQ(get(route)->status, 200);
  }
}

TEST_P(ForeignTreeTest, AnAbsentMountIsLoggedOnce) {
  tree().vanish();
  fs::create_directory(tree().directory());
  start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(get(stats_path(web_id))->status, 503);
  }
  const std::string line = fmt::format(
      "<3>cannot read the statistics at {}: No such file or directory; mount hypeman-statsfs "
      "there; "
      "the bridge answers 503\n",
      tree().directory().string());
  ASSERT_TRUE(bridge().logs(line)) << bridge().log();
  const std::string log = bridge().log();
  EXPECT_EQ(log.find(line), log.rfind(line));
  fs::remove(tree().directory());
  tree().come_back();
}

TEST_P(ForeignTreeTest, AnEmptyMountPointIsUnavailable) {
  tree().vanish();
  fs::create_directory(tree().directory());
  start();
  EXPECT_EQ(get(stats_path(web_id))->status, 503);
  EXPECT_EQ(get("/healthz")->status, 503);
  fs::remove(tree().directory());
  tree().come_back();
  expect_stats(get(stats_path(web_id)), web_id);
}

INSTANTIATE_TEST_SUITE_P(PlainDirectory, ForeignTreeTest, ::testing::Values(plain_directory()),
                         name_of);

}  // namespace
}  // namespace hypeman::httpbridge::testing
