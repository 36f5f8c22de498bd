// Command line, sockets, start, reload, stop and exit status.

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include <sysexits.h>

#include "tests/httpbridge/support/bridge_test.hpp"
#include "tests/httpbridge/support/eventually.hpp"
#include "tests/httpbridge/support/temporary_directory.hpp"
#include "tests/support/child_process.hpp"
#include "tests/support/full_pipe.hpp"

namespace hypeman::httpbridge::testing {
namespace {

namespace fs = std::filesystem;

class LifecycleTest : public BridgeTest {
 protected:
  [[nodiscard]] bool refuses_connections() const {
    try {
      const HttpClient client{address()};
      return false;
    } catch (const std::system_error&) {
      return true;
    }
  }
  [[nodiscard]] std::vector<std::string> listening_at(const std::string& listen) {
    return {"--listen", listen, "--no-auth", "--stats-dir", tree().directory()};
  }
};

TEST_P(LifecycleTest, ABlockedLogDoesNotBlockRequestsOrTheEnd) {
  const tests::FullPipe log;
  const TemporaryDirectory place;
  const auto listen = "unix:" + (place.path() / "socket").string();
  auto arguments = listening_at(listen);
  arguments.insert(arguments.begin(), std::getenv("HYPEMAN_STATS_BRIDGE"));
  tests::SpawnOptions options;
  options.err = log.path();
  auto bridge = tests::ChildProcess::spawn(arguments, options);
  std::optional<HttpClient> client;
  ASSERT_TRUE(eventually([&] {
    try {
      client.emplace(listen);
    } catch (const std::system_error&) {
      // It does not listen yet.
    }
    return client.has_value();
  }));
  for (int request = 0; request < 100; ++request) {
    ASSERT_EQ(client->get("/healthz")->status, 200);
  }
  bridge.send_signal(SIGTERM);
  const auto status = bridge.wait(std::chrono::seconds{10});
  ASSERT_TRUE(status) << "the bridge did not exit";
  EXPECT_EQ(status->code, EX_OK);
}

TEST_P(LifecycleTest, SigtermCompletesTheRequestsInProgress) {
  for (const int signal : {SIGTERM, SIGINT}) {
    start();
    HttpClient busy{address()};
    HttpClient idle{address()};
    expect_stats(idle.get(stats_path(web_id), good_key()), web_id);
    busy.send("GET " + stats_path(web_id) + " HTTP/1.1\r\nHost: x\r\n");
    EXPECT_EQ(get("/healthz")->status, 200);
    bridge().signal(signal);
    EXPECT_TRUE(idle.ends());
    EXPECT_TRUE(refuses_connections());
    busy.send(good_key() + "\r\n");
    const auto last = busy.receive();
    expect_stats(last, web_id);
    EXPECT_EQ(last->header("connection"), "close");
    EXPECT_TRUE(busy.ends());
    EXPECT_EQ(bridge().wait(), 0);
  }
}

TEST_P(LifecycleTest, SigtermCompletesRequestsThatHaveJustArrived) {
  for (int round = 0; round < 20; ++round) {
    start();
    std::vector<HttpClient> clients;
    for (int i = 0; i < 20; ++i) {
      clients.emplace_back(address());
      expect_stats(clients.back().get(stats_path(web_id), good_key()), web_id);
    }
    for (int i = 0; i < 20; ++i) {
      clients.emplace_back(address());
    }
    for (HttpClient& client : clients) {
      client.send("GET " + stats_path(web_id) + " HTTP/1.1\r\nHost: x\r\n" + good_key() + "\r\n");
    }
    bridge().signal(SIGTERM);
    for (HttpClient& client : clients) {
      expect_stats(client.receive(), web_id);
    }
    EXPECT_EQ(bridge().wait(), 0);
  }
}

TEST_P(LifecycleTest, SigtermDoesNotWaitForeverForARequest) {
  start({"--request-timeout", "1"});
  HttpClient slow{address()};
  slow.send("GET ");
  EXPECT_EQ(get("/healthz")->status, 200);
  bridge().signal(SIGTERM);
  EXPECT_EQ(bridge().wait(), 0);
}

TEST_P(LifecycleTest, ListensAtSeveralAddresses) {
  const std::string socket = path_of("socket");
  start_exactly({"--listen", "127.0.0.1:0", "--listen", "unix:" + socket, "--listen", "[::1]:0",
                 "--no-auth", "--stats-dir", tree().directory()});
  for (std::size_t i = 0; i < 3; ++i) {
    expect_stats(testing::get(bridge().address(i), stats_path(web_id)), web_id);
  }
  EXPECT_EQ(bridge().address(1), "unix:" + socket);
}

TEST_P(LifecycleTest, RemovesItsSocketFile) {
  const std::string socket = path_of("socket");
  start_exactly(listening_at("unix:" + socket));
  EXPECT_TRUE(fs::exists(socket));
  bridge().signal(SIGTERM);
  EXPECT_EQ(bridge().wait(), 0);
  EXPECT_FALSE(fs::exists(socket));
}

TEST_P(LifecycleTest, LeavesTheSocketFileOfItsSuccessor) {
  const std::string socket = path_of("socket");
  start_exactly(listening_at("unix:" + socket));
  fs::remove(socket);
  BridgeProcess successor{listening_at("unix:" + socket)};
  ASSERT_EQ(successor.address(), "unix:" + socket);
  bridge().signal(SIGTERM);
  EXPECT_EQ(bridge().wait(), 0);
  ASSERT_TRUE(fs::exists(socket));
  expect_stats(testing::get("unix:" + socket, stats_path(web_id)), web_id);
}

TEST_P(LifecycleTest, TheModeOfTheSocketFileCanBeChosen) {
  const std::string socket = path_of("socket");
  for (const auto& [mode, permissions] :
       {std::pair{"0660", 0660U}, std::pair{"600", 0600U}, std::pair{"0666", 0666U}}) {
    auto arguments = listening_at("unix:" + socket);
    arguments.insert(arguments.end(), {"--socket-mode", mode});
    BridgeProcess bridge{arguments};
    ASSERT_EQ(bridge.address(), "unix:" + socket);
    EXPECT_EQ(static_cast<unsigned>(fs::status(socket).permissions()), permissions);
  }
}

TEST_P(LifecycleTest, ReplacesAStaleSocketFileOnly) {
  const std::string socket = path_of("socket");
  {
    BridgeProcess killed{listening_at("unix:" + socket)};
    EXPECT_EQ(killed.address(), "unix:" + socket);
    killed.signal(SIGKILL);
    EXPECT_EQ(killed.wait(), 128 + SIGKILL);
  }
  ASSERT_TRUE(fs::exists(socket));
  start_exactly(listening_at("unix:" + socket));
  expect_stats(testing::get(address(), stats_path(web_id)), web_id);

  BridgeProcess second{listening_at("unix:" + socket)};
  EXPECT_EQ(second.wait(), EX_UNAVAILABLE);
  expect_stats(testing::get(address(), stats_path(web_id)), web_id);
}

TEST_P(LifecycleTest, NeverReplacesARegularFile) {
  write_file(path_of("file"), "precious");
  BridgeProcess bridge{listening_at("unix:" + path_of("file"))};
  EXPECT_EQ(bridge.wait(), EX_UNAVAILABLE);
  EXPECT_EQ(read_file(path_of("file")), "precious");
}

UniqueFd listening_socket(in_addr_t host) {
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(host);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  EXPECT_EQ(::listen(fd.get(), SOMAXCONN), 0);
  return fd;
}

TEST_P(LifecycleTest, UsesTheSocketThatSystemdPasses) {
  start_exactly({"--no-auth", "--stats-dir", tree().directory(), "--listen", "127.0.0.1:1"},
                listening_socket(INADDR_LOOPBACK));
  expect_stats(testing::get(address(), stats_path(web_id)), web_id);
}

TEST_P(LifecycleTest, WithoutAuthenticationRefusesAPublicSocketFromSystemd) {
  BridgeProcess bridge{{"--no-auth"}, listening_socket(INADDR_ANY)};
  EXPECT_EQ(bridge.wait(), EX_USAGE);
}

TEST_P(LifecycleTest, NotifiesSystemd) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string path = path_of("notify");
  path.copy(static_cast<char*>(name.sun_path), sizeof(name.sun_path) - 1);
  const UniqueFd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  const auto next = [&] {
    std::array<char, 256> text{};
    const ssize_t size = ::recv(fd.get(), text.data(), text.size(), 0);
    return std::string{text.data(), static_cast<std::size_t>(size)};
  };
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  start();
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(next(), "READY=1");
  bridge().signal(SIGHUP);
  EXPECT_TRUE(next().starts_with("RELOADING=1"));
  EXPECT_EQ(next(), "READY=1");
  bridge().signal(SIGTERM);
  EXPECT_EQ(next(), "STOPPING=1");
  EXPECT_EQ(bridge().wait(), 0);
}

TEST_P(LifecycleTest, LogsEachRequestForTheJournal) {
  start();
  EXPECT_EQ(get(stats_path("absent") + "?query")->status, 404);
  HttpClient client{address()};
  client.send("GET /x\x7f<3>y HTTP/1.1\r\nHost: x\r\n\r\n");
  static_cast<void>(client.receive());
  EXPECT_TRUE(bridge().logs("\"GET /instances/absent/stats\" 404"));
  const std::string log = bridge().log();
  for (std::size_t at = 0; at < log.size(); at = log.find('\n', at) + 1) {
    EXPECT_EQ(log[at], '<') << log.substr(at);
    EXPECT_EQ(log[at + 2], '>') << log.substr(at);
  }
}

TEST_P(LifecycleTest, AStartupErrorIsOneLine) {
  write_file(path_of("empty"), "");
  const std::string taken = path_of("file");
  write_file(taken, "");
  struct Case {
    std::vector<std::string> arguments;
    int status;
    std::string says;
  };
  const std::vector<Case> cases{
      {{}, EX_USAGE, "--no-auth"},
      {{"--bogus"}, EX_USAGE, "--help"},
      {{"--listen"}, EX_USAGE, "--listen"},
      {{"--no-auth", "--listen", "nonsense"}, EX_USAGE, "'nonsense' has no port"},
      {{"--no-auth", "--listen", "0.0.0.0:0"}, EX_USAGE, "0.0.0.0:"},
      {{"--no-auth", "--listen", "[::]:0"}, EX_USAGE, "[::]:"},
      {{"--no-auth", "--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0"}, EX_USAGE, "0.0.0.0:"},
      {{"--no-auth", "--token-file", token_file()}, EX_USAGE, "exclude"},
      {{"--max-connections", "0"}, EX_USAGE, "--max-connections"},
      {{"--no-auth", "--socket-mode", "888"}, EX_USAGE, "--socket-mode"},
      {{"--no-auth", "--socket-mode", "1777"}, EX_USAGE, "--socket-mode"},
      {{"--token-file", path_of("absent")}, EX_NOINPUT, path_of("absent")},
      {{"--token-file", path_of("empty")}, EX_CONFIG, path_of("empty")},
      {{"--jwt-secret-file", path_of("empty")}, EX_CONFIG, path_of("empty")},
      {{"--hypeman-config", path_of("empty")}, EX_CONFIG, "jwt_secret"},
      {{"--no-auth", "--listen", "unix:" + taken}, EX_UNAVAILABLE, taken},
      {{"--no-auth", "--listen", "unix:/absent/socket"},
       EX_OSERR,
       "/absent/socket: No such file or directory; choose a path in a directory that exists"},
      {{"--no-auth", "--listen", "192.0.2.1:80"}, EX_UNAVAILABLE, "192.0.2.1:80"},
      {{"--no-auth", "--listen", "host.invalid:80"}, EX_NOHOST, "host.invalid"},
  };
  for (const Case& wrong : cases) {
    BridgeProcess bridge{wrong.arguments};
    EXPECT_EQ(bridge.wait(), wrong.status) << bridge.log();
    const std::string log = bridge.log();
    const std::size_t error = log.find("<3>");
    ASSERT_NE(error, std::string::npos) << log;
    EXPECT_NE(log.find(wrong.says, error), std::string::npos) << log;
    EXPECT_EQ(log.find('\n', error), log.size() - 1) << log;
  }
}

TEST_P(LifecycleTest, PrintsItsVersionAndItsOptions) {
  BridgeProcess version{{"--version"}};
  EXPECT_EQ(version.wait(), 0);
  EXPECT_TRUE(version.log().starts_with("hypeman-stats-bridge 0."));
  BridgeProcess help{{"--help"}};
  EXPECT_EQ(help.wait(), 0);
  for (const char* option : {"--stats-dir", "--listen", "--jwt-secret-file", "--hypeman-config",
                             "--token-file", "--no-auth"}) {
    EXPECT_NE(help.log().find(option), std::string::npos) << option;
  }
}

INSTANTIATE_TEST_SUITE_P(Trees, LifecycleTest, ::testing::ValuesIn(served_trees()), name_of);

}  // namespace
}  // namespace hypeman::httpbridge::testing
