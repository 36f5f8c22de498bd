#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/monitoring/prometheus_tools.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/running_vm.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/virtual_machine.hpp"

namespace hypeman::tests {
namespace {

using Json = nlohmann::json;

const std::string id = own_instance_id('s');
constexpr std::string_view token = "a-token-for-monitoring-only";

/// A real, busy VM, the mount, the bridge and a Prometheus server that scrapes it.
class Scrape : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    vm = std::make_unique<RunningVm>(data, guest_image(), id);
    mount = std::make_unique<StatsMount>(data.path());
    write("token", std::string{token} + "\n");
    bridge = std::make_unique<ChildProcess>(
        ChildProcess::spawn({std::string{paths::bridge}, "--stats-dir", mount->path(), "--listen",
                             bridge_address, "--token-file", place.path() / "token"}));
    write("prometheus.yml",
          "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n"
          "scrape_configs:\n- job_name: hypeman-vms\n  authorization:\n    credentials_file: " +
              (place.path() / "token").string() + "\n  static_configs:\n  - targets: ['" +
              bridge_address + "']\nrule_files: ['" + rules().string() + "']\n");
    prometheus = std::make_unique<ChildProcess>(
        ChildProcess::spawn({prometheus_program("prometheus"),
                             "--config.file=" + (place.path() / "prometheus.yml").string(),
                             "--storage.tsdb.path=" + (place.path() / "data").string(),
                             "--web.listen-address=" + prometheus_address}));
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream{place.path() / name} << text;
  }

  static std::filesystem::path rules() {
    return std::filesystem::path{paths::source_root} / "docs/prometheus/hypeman-vms.rules.yml";
  }

  /// Prometheus's response to a query: the list of series with their values.
  [[nodiscard]] Json query(const std::string& expression) const {
    const auto answer = http_get("http://" + prometheus_address + "/api/v1/query",
                                 {"--get", "--data-urlencode", "query=" + expression});
    return answer.empty() ? Json::array() : Json::parse(answer)["data"]["result"];
  }

  /// Replaces the variables of a dashboard query, as Grafana does if everything is selected.
  static std::string filled_in(std::string expression) {
    for (const auto& [variable, value] :
         {std::pair<std::string, std::string>{"$__rate_interval", "10s"},
          {"$job", "hypeman-vms"},
          {"$host", ".*"},
          {"$vm", ".*"}}) {
      for (auto at = expression.find(variable); at != std::string::npos;
           at = expression.find(variable)) {
        expression.replace(at, variable.size(), value);
      }
    }
    return expression;
  }

  DataDirectory data;
  TemporaryDirectory place;
  const std::string bridge_address = free_address();
  const std::string prometheus_address = free_address();
  std::unique_ptr<RunningVm> vm;
  std::unique_ptr<StatsMount> mount;
  std::unique_ptr<ChildProcess> bridge;
  std::unique_ptr<ChildProcess> prometheus;
};

TEST_F(Scrape, EveryQueryOfTheDashboardHasDataForARealVm) {
  const std::jthread busy{[&] { vm->machine().burn(std::chrono::seconds{30}); }};

  Json utilization;
  ASSERT_TRUE(eventually(
      [&] {
        utilization = query("rate(hypeman_vm_cpu_seconds_total[1m]) / hypeman_vm_allocated_vcpus");
        return !utilization.empty() &&
               std::stod(utilization[0]["value"][1].get<std::string>()) > 0.05;
      },
      std::chrono::minutes{2}))
      << utilization << prometheus->captured_err() << bridge->captured_err();
  EXPECT_EQ(utilization[0]["metric"]["instance_id"], id);
  EXPECT_EQ(utilization[0]["metric"]["instance_name"], "my-web-server");
  EXPECT_EQ(query("up")[0]["value"][1], "1");
  EXPECT_FALSE(query("instance_id:hypeman_vm_cpu_utilization:ratio_rate5m").empty());

  std::ifstream file{std::filesystem::path{paths::source_root} /
                     "docs/prometheus/hypeman-vms.grafana.json"};
  const auto dashboard = Json::parse(file);
  int queries = 0;
  for (const auto& panel : dashboard["panels"]) {
    for (const auto& target : panel["targets"]) {
      const auto expression = filled_in(target["expr"]);
      EXPECT_FALSE(query(expression).empty()) << panel["title"] << ": " << expression;
      ++queries;
    }
  }
  EXPECT_GE(queries, 12);
  EXPECT_EQ(bridge->captured_err().find(token), std::string::npos) << "a key is in the log";
}

TEST_F(Scrape, WithoutTheTokenThereIsNoSeries) {
  const auto url = "http://" + bridge_address + "/metrics";
  const auto bearer = "Authorization: Bearer " + std::string{token};
  ASSERT_TRUE(eventually([&] { return !http_get(url, {"--header", bearer}).empty(); }));
  EXPECT_EQ(http_get(url), "");
  EXPECT_NE(http_get(url, {"--header", bearer}).find("hypeman_vm_metrics_instances_observed 1\n"),
            std::string::npos);
}

}  // namespace
}  // namespace hypeman::tests
