#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
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
const std::string stand_in_id = own_instance_id('i');
constexpr std::string_view token = "a-token-for-monitoring-only";

/// A VM with two vCPUs, which is a stand-in, the mount, the bridge and a Prometheus server that
/// scrapes it.
class Scrape : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    std::filesystem::create_directory(data.instance(stand_in_id));
    stand_in = std::make_unique<ChildProcess>(start_vm_stand_in(data.socket(stand_in_id)));
    data.write(running_record(stand_in_id, stand_in->pid(), data.socket(stand_in_id)));
    write_disk(data, stand_in_id);
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

  /// Whether a query has a result that is a number, now or soon.
  [[nodiscard]] bool has_data(const std::string& expression) const {
    return eventually(
        [&] {
          const auto result = query(expression);
          return std::ranges::any_of(result,
                                     [](const Json& one) { return one["value"][1] != "NaN"; });
        },
        std::chrono::seconds{30});
  }

  /// The rules that Prometheus has loaded.
  [[nodiscard]] std::vector<Json> loaded_rules() const {
    const auto answer = http_get("http://" + prometheus_address + "/api/v1/rules");
    const auto groups = answer.empty() ? Json::array() : Json::parse(answer)["data"]["groups"];
    std::vector<Json> all;
    for (const auto& group : groups) {
      all.insert(all.end(), group["rules"].begin(), group["rules"].end());
    }
    return all;
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
  std::unique_ptr<ChildProcess> stand_in;
  std::unique_ptr<StatsMount> mount;
  std::unique_ptr<ChildProcess> bridge;
  std::unique_ptr<ChildProcess> prometheus;
};

TEST_F(Scrape, EveryQueryOfTheDashboardHasDataWhileARealVmIsBusy) {
  RunningVm vm{data, guest_image(), id};
  const std::jthread busy{[&] { vm.machine().burn(std::chrono::seconds{30}); }};

  Json utilization;
  const auto of_vm = "{instance_id=\"" + id + "\"}";
  const auto rate =
      "rate(hypeman_vm_cpu_seconds_total" + of_vm + "[1m]) / hypeman_vm_allocated_vcpus";
  ASSERT_TRUE(eventually(
      [&] {
        utilization = query(rate);
        return !utilization.empty() &&
               std::stod(utilization[0]["value"][1].get<std::string>()) > 0.05;
      },
      std::chrono::minutes{2}))
      << utilization << prometheus->captured_err() << bridge->captured_err();
  EXPECT_EQ(utilization[0]["metric"]["instance_name"], "my-web-server");
  EXPECT_EQ(query("up")[0]["value"][1], "1");
  for (const auto& [panel, expression] : dashboard_queries()) {
    EXPECT_TRUE(has_data(filled_in(expression))) << panel << ": " << filled_in(expression);
  }
  EXPECT_EQ(bridge->captured_err().find(token), std::string::npos) << "a key is in the log";
}

TEST_F(Scrape, EveryRuleHasData) {
  std::vector<Json> rules;
  ASSERT_TRUE(eventually(
      [&] {
        rules = loaded_rules();
        return !rules.empty();
      },
      std::chrono::seconds{30}))
      << prometheus->captured_err();
  EXPECT_GE(rules.size(), 20U);
  static const std::regex metric{R"([a-z_]*:?hypeman_vm_[a-z_]+(:[a-z0-9_]+)?)"};
  for (const auto& rule : rules) {
    const std::string expression = rule["query"];
    std::set<std::string> needed;
    if (rule["type"] == "recording") {
      needed.insert(rule["name"]);
    }
    // An alert has no result as long as all is well, but what it watches must exist.
    for (std::sregex_iterator match{expression.begin(), expression.end(), metric}, end;
         match != end; ++match) {
      needed.insert(match->str());
    }
    EXPECT_FALSE(needed.empty()) << expression;
    for (const auto& name : needed) {
      EXPECT_TRUE(has_data(name)) << rule["name"] << " needs " << name;
    }
  }
}

TEST_F(Scrape, AVmThatEndsIsAPendingAlert) {
  const auto running = "hypeman_vm_running{instance_id=\"" + stand_in_id + "\"}";
  ASSERT_TRUE(has_data(running + " == 1"));
  stand_in->send_signal(SIGKILL);
  EXPECT_TRUE(
      has_data("ALERTS{alertname=\"HypemanVmStopped\",instance_id=\"" + stand_in_id + "\"}"));
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
