// Clients that are slow, numerous or silent, or that never stop sending. The bridge still serves
// other clients, and it frees all resources when the connections end.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "tests/httpbridge/support/bridge_test.hpp"
#include "tests/httpbridge/support/eventually.hpp"

namespace hypeman::httpbridge::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Sanitizers keep freed memory. GCC defines a macro for each of them, Clang has features.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool freed_memory_returns = false;
#elif defined(__has_feature)
constexpr bool freed_memory_returns =
    !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool freed_memory_returns = true;
#endif

class HostileClientTest : public BridgeTest {
 protected:
  [[nodiscard]] static std::string request_for(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + good_key() + "\r\n";
  }

  /// After this time the bridge ends a request that does not arrive.
  static constexpr std::chrono::seconds time_limit = 4s;
  [[nodiscard]] static std::vector<std::string> with_time_limit() {
    return {"--request-timeout", std::to_string(time_limit.count())};
  }

  /// A well-behaved client on a new connection does not wait until the time limit
  /// ends the requests of others.
  void expect_served_meanwhile() {
    const auto begin = Clock::now();
    expect_stats(get(stats_path(web_id)), web_id);
    EXPECT_LT(Clock::now() - begin, time_limit);
  }

  void record_resources() {
    expect_served_meanwhile();
    EXPECT_TRUE(eventually([&] { return connections_of_others() == 0; }));
    descriptors_ = bridge().open_descriptors();
    memory_ = bridge().resident_bytes();
  }

  void expect_recorded_resources() {
    constexpr std::size_t slack = std::size_t{8} << 20;  // free memory of the allocator
    EXPECT_TRUE(eventually([&] { return bridge().open_descriptors() <= descriptors_; }))
        << bridge().open_descriptors() << " descriptors, before: " << descriptors_;
    if (freed_memory_returns) {
      EXPECT_LT(bridge().resident_bytes(), memory_ + slack);
    }
  }

  std::vector<HttpClient> connect(std::size_t count) {
    std::vector<HttpClient> clients;
    clients.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      clients.emplace_back(address());
    }
    return clients;
  }

 private:
  std::size_t connections_of_others() {
    // The bridge has closed all earlier connections when the count no longer falls.
    const std::size_t before = bridge().open_descriptors();
    std::this_thread::sleep_for(50ms);
    return before - bridge().open_descriptors();
  }

  std::size_t descriptors_ = 0;
  std::size_t memory_ = 0;
};

TEST_P(HostileClientTest, ASlowClientDoesNotDelayOthers) {
  start(with_time_limit());
  record_resources();
  {
    HttpClient slow{address()};
    const std::string request = request_for(stats_path(web_id));
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < request.size() && Clock::now() - begin < time_limit + 900ms; ++i) {
      slow.send(request.substr(i, 1));
      expect_served_meanwhile();
      std::this_thread::sleep_for(500ms);
    }
    expect_error(slow.receive(), 408, "request_timeout", "the request took too long to arrive");
    EXPECT_TRUE(slow.ends());
  }
  expect_recorded_resources();
}

TEST_P(HostileClientTest, ThousandsOfIdleConnectionsDoNotDelayOthers) {
  constexpr rlim_t needed = 4000;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < needed) {
    GTEST_SKIP() << "needs " << needed << " open files, the limit is " << limit.rlim_cur;
  }
  start();
  record_resources();
  {
    auto idle = connect(2500);
    for (std::size_t i = 0; i < idle.size(); i += 2) {
      idle[i].send("GET ");  // every other request stays incomplete
    }
    expect_served_meanwhile();
    expect_stats(idle[1].get(stats_path(web_id), good_key()), web_id);
  }
  expect_recorded_resources();
}

TEST_P(HostileClientTest, AtTheLimitTheLongestIdleConnectionIsClosed) {
  start({"--max-connections", "50"});
  record_resources();
  {
    auto idle = connect(200);
    expect_served_meanwhile();
    EXPECT_TRUE(idle.front().ends());
    expect_stats(idle.back().get(stats_path(web_id), good_key()), web_id);
    EXPECT_LE(bridge().open_descriptors(), 100U);
  }
  expect_recorded_resources();
}

TEST_P(HostileClientTest, UnfinishedRequestsDoNotBlockNewConnections) {
  start({"--max-connections", "50"});
  record_resources();
  {
    auto unfinished = connect(200);
    for (HttpClient& client : unfinished) {
      client.send("GET /healthz HTTP/1.1\r\n");
    }
    for (int i = 0; i < 10; ++i) {
      expect_served_meanwhile();
    }
  }
  expect_recorded_resources();
}

TEST_P(HostileClientTest, IdleConnectionsAreClosedAfterTheTimeout) {
  start({"--idle-timeout", "1"});
  HttpClient silent{address()};
  EXPECT_TRUE(silent.ends());
  HttpClient once{address()};
  expect_stats(once.get(stats_path(web_id), good_key()), web_id);
  EXPECT_TRUE(once.ends());
}

TEST_P(HostileClientTest, LargeHeadersDoNotKeepMemory) {
  start(with_time_limit());
  record_resources();
  {
    auto clients = connect(50);
    const std::string large =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n";
    for (HttpClient& client : clients) {
      client.send(large);
      expect_served_meanwhile();
      EXPECT_EQ(client.receive()->status, 431);
    }
  }
  expect_recorded_resources();
}

TEST_P(HostileClientTest, ARequestThatNeverEndsIsRefused) {
  start(with_time_limit());
  record_resources();
  for (const std::string& begin :
       {std::string{"GET /"}, std::string{"GET /metrics HTTP/1.1\r\nHost: x\r\nX: "},
        std::string{"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"},
        std::string{"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4096\r\n\r\n"}}) {
    SCOPED_TRACE(begin);
    HttpClient client{address()};
    const bool chunked = begin.find("chunked") != std::string::npos;
    const std::string more = chunked ? "400\r\n" + std::string(0x400, 'x') + "\r\n"
                                     : "x: " + std::string(0x400, 'x') + "\r\n";
    bool open = client.send(begin);
    const auto deadline = Clock::now() + 10s;
    if (begin.find("Length") == std::string::npos) {
      while (open && Clock::now() < deadline) {
        open = client.send(more);
      }
      EXPECT_FALSE(open);
    } else {
      EXPECT_EQ(client.receive()->status, 408);
    }
    expect_served_meanwhile();
  }
  expect_recorded_resources();
}

TEST_P(HostileClientTest, ClientsThatNeverReadAreDisconnected) {
  start(with_time_limit());
  record_resources();
  {
    auto silent = connect(20);
    constexpr timeval moment{0, 100'000};
    constexpr int little = 16384;  // small buffers fill up after few requests
    std::string requests;
    for (int i = 0; i < 200; ++i) {
      requests += request_for(stats_path(web_id));
    }
    for (HttpClient& client : silent) {
      // Sends until the bridge stops reading because it cannot send its responses.
      ::setsockopt(client.fd(), SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment));
      ::setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
      ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
      for (int i = 0; i < 100 && client.send(requests); ++i) {
      }
    }
    expect_served_meanwhile();
    // The bridge first answers the requests that it has received until the buffers are full. On a
    // busy machine this takes longer than the time limit.
    EXPECT_TRUE(eventually([&] { return bridge().open_descriptors() < 20; }, 60s));
    expect_served_meanwhile();
  }
  expect_recorded_resources();
}

INSTANTIATE_TEST_SUITE_P(Trees, HostileClientTest, ::testing::ValuesIn(served_trees()), name_of);

/// Large responses over a unix socket, whose buffers hold only a small part of them.
class LargeResponseTest : public HostileClientTest {
 protected:
  static constexpr std::size_t body_bytes = std::size_t{5} << 20;

  void SetUp() override {
    HostileClientTest::SetUp();
    write_file(tree().directory() / "instances.json", std::string(body_bytes, 'x'));
    start_exactly({"--listen", "unix:" + path_of("socket"), "--jwt-secret-file", secret_file(),
                   "--stats-dir", tree().directory(), "--request-timeout", "1"});
  }
  [[nodiscard]] HttpClient ask() const {
    HttpClient client{address()};
    client.send(request_for("/stats"));
    return client;
  }
};

TEST_P(LargeResponseTest, AreNotCutWhileASlowClientReads) {
  HttpClient slow = ask();
  // Waits between its reads for much longer in total than the time limit of a small response.
  std::string received;
  std::string chunk(std::size_t{64} << 10, '\0');
  while (received.size() < body_bytes) {
    std::this_thread::sleep_for(50ms);
    const ssize_t count = ::recv(slow.fd(), chunk.data(), chunk.size(), 0);
    ASSERT_GT(count, 0) << "cut after " << received.size() << " bytes";
    received.append(chunk, 0, static_cast<std::size_t>(count));
  }
  EXPECT_TRUE(received.starts_with("HTTP/1.1 200 "));
}

TEST_P(LargeResponseTest, AreCutWhenTheClientStopsReading) {
  record_resources();
  HttpClient silent = ask();
  char first = 0;
  ASSERT_EQ(::recv(silent.fd(), &first, 1, MSG_PEEK), 1);
  expect_recorded_resources();
  EXPECT_FALSE(silent.receive().has_value());
}

TEST_P(LargeResponseTest, AreCountedAtTheStopDeadlineAndIdleConnectionsAreNot) {
  auto idle = connect(3);
  for (HttpClient& client : idle) {
    EXPECT_EQ(client.get("/healthz")->status, 200);
  }
  HttpClient silent = ask();
  char first = 0;
  ASSERT_EQ(::recv(silent.fd(), &first, 1, MSG_PEEK), 1);
  bridge().signal(SIGTERM);
  EXPECT_EQ(bridge().wait(), 0);
  EXPECT_TRUE(bridge().logs("<4>stopped with unfinished requests: 1\n")) << bridge().log();
}

INSTANTIATE_TEST_SUITE_P(PlainDirectory, LargeResponseTest, ::testing::Values(plain_directory()),
                         name_of);

/// A FUSE mount on top of the tree. Its daemon never answers and can be ended.
class HungMount {
 public:
  explicit HungMount(std::filesystem::path at)
      : at_(std::move(at)), device_(::open("/dev/fuse", O_RDWR | O_CLOEXEC)) {
    const std::string options =
        fmt::format("fd={},rootmode=40000,user_id=0,group_id=0", device_.get());
    mounted_ = ::mount("hung", at_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
  }
  ~HungMount() { unmount(); }
  HungMount(const HungMount&) = delete;
  HungMount& operator=(const HungMount&) = delete;
  HungMount(HungMount&&) = delete;
  HungMount& operator=(HungMount&&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  void end_daemon() { device_ = UniqueFd{}; }
  void unmount() {
    if (mounted_) {
      ::umount2(at_.c_str(), MNT_DETACH);
      mounted_ = false;
    }
  }

 private:
  std::filesystem::path at_;
  UniqueFd device_;
  bool mounted_ = false;
};

class HungMountTest : public HostileClientTest {};

TEST_P(HungMountTest, DoesNotDelayOtherRequestsAndTheBridgeRecovers) {
  start({"--request-timeout", "2"});
  HttpClient before{address()};
  expect_stats(before.get(stats_path(web_id), good_key()), web_id);

  HungMount mount{tree().directory()};
  if (!mount.mounted()) {
    GTEST_SKIP() << "requires root and /dev/fuse";
  }
  auto stuck = connect(40);
  for (std::size_t i = 0; i < stuck.size(); ++i) {
    stuck[i].send(request_for(i == 0 ? "/stats" : stats_path("x" + std::to_string(i))));
  }
  const auto begin = Clock::now();
  EXPECT_EQ(testing::get(address(), stats_path(web_id))->status, 401);
  EXPECT_EQ(get("/nowhere")->status, 404);
  EXPECT_LT(Clock::now() - begin, 2s) << "they waited for the time limit of the others";
  for (HttpClient& client : stuck) {
    expect_error(client.receive(), 503, "unavailable",
                 "statistics are not available at the moment");
  }
  EXPECT_EQ(get("/healthz")->status, 503);
  EXPECT_LT(Clock::now() - begin, 9s);
  EXPECT_TRUE(bridge().logs("<3>the mounted statistics have not answered a read in time"));

  mount.end_daemon();
  EXPECT_EQ(before.get(stats_path(web_id), good_key())->status, 503);
  EXPECT_TRUE(bridge().logs("Transport endpoint is not connected; the daemon has ended"));
  EXPECT_EQ(get("/healthz")->status, 503);
  mount.unmount();
  EXPECT_TRUE(eventually([&] { return get("/healthz")->status == 200; }));
  expect_stats(before.get(stats_path(web_id), good_key()), web_id);
  expect_stats(stuck[0].get(stats_path(web_name), good_key()), web_id);
}

TEST_P(HungMountTest, DoesNotPreventTheBridgeFromStopping) {
  // LeakSanitizer stops all threads at exit. A thread that hangs in the kernel does not stop.
  ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
  start({"--request-timeout", "2"});
  ::unsetenv("ASAN_OPTIONS");
  HungMount mount{tree().directory()};
  if (!mount.mounted()) {
    GTEST_SKIP() << "requires root and /dev/fuse";
  }
  auto stuck = connect(10);
  for (HttpClient& client : stuck) {
    client.send(request_for(stats_path(web_id)));
  }
  EXPECT_EQ(get("/nowhere")->status, 404);
  bridge().signal(SIGTERM);
  for (HttpClient& client : stuck) {
    EXPECT_EQ(client.receive()->status, 503);
  }
  EXPECT_EQ(bridge().wait(), 0);
}

INSTANTIATE_TEST_SUITE_P(PlainDirectory, HungMountTest, ::testing::Values(plain_directory()),
                         name_of);

}  // namespace
}  // namespace hypeman::httpbridge::testing
