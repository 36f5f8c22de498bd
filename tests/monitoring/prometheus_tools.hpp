#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"

namespace hypeman::tests {

/// The path of a program of Debian's packages prometheus and prometheus-node-exporter, which
/// scripts/install-dependencies has unpacked.
[[nodiscard]] std::string prometheus_program(std::string_view name);

/// Runs promtool. The result contains its error text.
[[nodiscard]] CommandResult promtool(std::vector<std::string> arguments);

/// A free address and TCP port on the loopback interface. Each process gets a different address, so
/// no other test program uses the port before the server does.
[[nodiscard]] std::string free_address();

/// The body of a 2xx response to a GET. Empty for any other response, or without a response.
[[nodiscard]] std::string http_get(const std::string& url,
                                   const std::vector<std::string>& curl_options = {});

/// The Grafana dashboard.
[[nodiscard]] nlohmann::json dashboard();

/// A query of the dashboard, and the title of its panel.
struct DashboardQuery {
  std::string panel;
  std::string expression;
};
[[nodiscard]] std::vector<DashboardQuery> dashboard_queries();

/// Starts a stand-in process with the threads of two vCPUs and with `socket_path` on its command
/// line. Returns when the threads have their names.
[[nodiscard]] ChildProcess start_vm_stand_in(const std::string& socket_path);

/// Gives the instance a writable disk that takes a part of its size.
void write_disk(const DataDirectory& data, std::string_view id);

}  // namespace hypeman::tests
