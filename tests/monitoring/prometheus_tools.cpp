#include "tests/monitoring/prometheus_tools.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "base/unique_fd.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {
namespace {

/// 127.64.0.0. The sum of this and a PID is still an address of the loopback interface.
constexpr std::uint32_t first_own_address = 0x7F400000;

}  // namespace

std::string prometheus_program(std::string_view name) {
  auto program = std::filesystem::path{paths::source_root} / "build-prometheus/usr/bin" / name;
  if (!std::filesystem::exists(program)) {
    throw std::runtime_error{program.string() +
                             " is missing; run scripts/install-dependencies monitoring"};
  }
  return program;
}

CommandResult promtool(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), prometheus_program("promtool"));
  return run(arguments);
}

std::string free_address() {
  const UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(first_own_address + static_cast<std::uint32_t>(::getpid()));
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), generic, length) != 0 ||
      ::getsockname(socket.get(), generic, &length) != 0) {
    throw errno_error("a free port");
  }
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return std::string{text.data()} + ":" + std::to_string(ntohs(address.sin_port));
}

std::string http_get(const std::string& url, const std::vector<std::string>& curl_options) {
  std::vector<std::string> command{"curl", "--silent", "--fail", "--max-time", "10"};
  command.insert(command.end(), curl_options.begin(), curl_options.end());
  command.push_back(url);
  const auto result = run(command);
  return result.status.success() ? result.out : "";
}

nlohmann::json dashboard() {
  std::ifstream file{std::filesystem::path{paths::source_root} /
                     "docs/prometheus/hypeman-vms.grafana.json"};
  return nlohmann::json::parse(file);
}

std::vector<DashboardQuery> dashboard_queries() {
  std::vector<DashboardQuery> queries;
  const auto all = dashboard();
  for (const auto& panel : all["panels"]) {
    for (const auto& target : panel.value("targets", nlohmann::json::array())) {
      queries.push_back({panel["title"], target["expr"]});
    }
  }
  return queries;
}

ChildProcess start_vm_stand_in(const std::string& socket_path) {
  auto process = ChildProcess::spawn(
      {std::string{paths::stand_in}, "--threads", "vcpu0", "vcpu1", "--api-socket", socket_path});
  const auto tasks = "/proc/" + std::to_string(process.pid()) + "/task";
  const auto has_vcpus = [&] {
    int vcpus = 0;
    for (const auto& task : std::filesystem::directory_iterator{tasks}) {
      std::ifstream file{task.path() / "comm"};
      vcpus += std::string{std::istreambuf_iterator<char>{file}, {}}.starts_with("vcpu") ? 1 : 0;
    }
    return vcpus == 2;
  };
  if (!eventually(has_vcpus)) {
    throw std::runtime_error{tasks + ": no threads of vCPUs"};
  }
  return process;
}

void write_disk(const DataDirectory& data, std::string_view id) {
  constexpr std::uintmax_t size = 1 << 20;
  const auto path = data.instance(id) / "overlay.raw";
  std::ofstream{path} << std::string(size / 2, 'x');
  std::filesystem::resize_file(path, size);
}

}  // namespace hypeman::tests
