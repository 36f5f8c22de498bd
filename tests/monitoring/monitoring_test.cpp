#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/monitoring/prometheus_tools.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/tap.hpp"
#include "tests/support/temporary_directory.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');
const std::string other_id = own_instance_id('t');

/// The lines of an exposition that are samples of the metrics of hypeman-statsfs.
std::set<std::string> series(const std::string& exposition) {
  std::set<std::string> lines;
  std::istringstream stream{exposition};
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("hypeman_")) {
      lines.insert(line);
    }
  }
  return lines;
}

class MetricsFile : public EndToEndTest {
 protected:
  /// A running instance. All instances share one stand-in process.
  void write_running(const std::string& instance, const std::string& name, bool network = false) {
    auto record = running_record(instance, process.pid(), data.socket(id));
    record.name = name;
    record.network_enabled = network;
    data.write(record);
  }

  static void expect_valid(const StatsMount& mount) {
    const auto checked = run({"sh", "-c", R"("$1" check metrics < "$2")", "sh",
                              prometheus_program("promtool"), mount / "metrics.prom"});
    EXPECT_TRUE(checked.status.success()) << checked.out << checked.err;
  }

  [[nodiscard]] static std::string metrics(const StatsMount& mount) {
    const auto result = read_file(mount / "metrics.prom");
    EXPECT_EQ(result.error, 0);
    return result.text;
  }

  /// A node_exporter whose textfile collector reads the directory must serve the metrics of the
  /// mount.
  static void expect_node_exporter_serves(const std::filesystem::path& directory,
                                          const StatsMount& mount) {
    const auto address = free_address();
    const auto exporter = ChildProcess::spawn(
        {prometheus_program("prometheus-node-exporter"), "--collector.disable-defaults",
         "--collector.textfile", "--collector.textfile.directory=" + directory.string(),
         "--web.listen-address=" + address});
    const auto url = "http://" + address + "/metrics";
    ASSERT_TRUE(eventually([&] { return !http_get(url).empty(); })) << exporter.captured_err();

    const auto served = http_get(url);
    EXPECT_NE(served.find("\nnode_textfile_scrape_error 0\n"), std::string::npos) << served;
    const auto names_of = [](const std::set<std::string>& lines) {
      std::set<std::string> names;
      for (const auto& line : lines) {
        names.insert(line.substr(0, line.rfind(' ')));
      }
      return names;
    };
    EXPECT_EQ(names_of(series(served)), names_of(series(metrics(mount))));
  }

  DataDirectory data;
  ChildProcess process = start_stand_in(data.socket(id));
};

TEST_F(MetricsFile, IsValidWithoutInstances) {
  const StatsMount mount{data.path()};
  expect_valid(mount);
  EXPECT_EQ(series(metrics(mount)),
            (std::set<std::string>{"hypeman_vm_metrics_instances_observed 0"}));
}

std::ptrdiff_t occurrences(std::string_view text, std::string_view part) {
  std::ptrdiff_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST_F(MetricsFile, HasEachDocumentedSeriesOfARunningInstance) {
  Tap tap{tap_of(id)};
  write_running(id, "web", /*network=*/true);
  tap.write_frame(experimental_frame(100));
  tap.transmit_from_host(experimental_frame(70));
  const StatsMount mount{data.path()};
  expect_valid(mount);

  const auto labels = R"({instance_id=")" + std::string{id} + R"(",instance_name="web"} )";
  const auto line = [&](const std::string& family, const std::string& field) {
    return "hypeman_vm_" + family + labels + mount.value(id, field);
  };
  EXPECT_EQ(series(metrics(mount)), (std::set<std::string>{
                                        line("cpu_seconds_total", "cpu_seconds"),
                                        line("allocated_vcpus", "allocated_vcpus"),
                                        line("memory_rss_bytes", "memory_rss_bytes"),
                                        line("memory_vms_bytes", "memory_vms_bytes"),
                                        line("allocated_memory_bytes", "allocated_memory_bytes"),
                                        line("network_rx_bytes_total", "network_rx_bytes"),
                                        line("network_tx_bytes_total", "network_tx_bytes"),
                                        line("start_time_seconds", "start_time_seconds"),
                                        "hypeman_vm_metrics_instances_observed 1",
                                    }));
  EXPECT_EQ(mount.value(id, "network_rx_bytes"), "70");
}

TEST_F(MetricsFile, StoppedInstancesDoNotAppear) {
  write_running(id, "web");
  data.write({.id = other_id, .name = "stopped"});
  const StatsMount mount{data.path()};
  const auto text = metrics(mount);
  EXPECT_EQ(text.find("stopped"), std::string::npos);
  EXPECT_NE(text.find("hypeman_vm_metrics_instances_observed 1\n"), std::string::npos);
}

TEST_F(MetricsFile, NumbersThatCannotBeReadAreLeftOut) {
  write_running(id, "web", /*network=*/true);
  const StatsMount mount{data.path()};
  const auto text = metrics(mount);
  EXPECT_EQ(text.find("network_rx_bytes_total{"), std::string::npos);
  EXPECT_NE(text.find("cpu_seconds_total{"), std::string::npos);
  expect_valid(mount);
}

TEST_F(MetricsFile, IsValidWithUnusualNames) {
  int number = 0;
  for (const auto* const name : {"twin", "twin", "", R"(")", R"(\)", "a\nb", R"(","x="1)",
                                 "\r\t\x01", "\xc3\xbc\xf0\x9f\x98\x80", "{}", "# HELP x"}) {
    write_running("instance" + std::to_string(number++), name);
  }
  const StatsMount mount{data.path()};
  expect_valid(mount);
  EXPECT_NE(metrics(mount).find(R"(instance_name="\",\"x=\"1")"), std::string::npos);
  EXPECT_NE(metrics(mount).find("hypeman_vm_metrics_instances_observed 11\n"), std::string::npos);
}

TEST_F(MetricsFile, ShowsAThousandInstances) {
  for (int number = 0; number < 1000; ++number) {
    write_running("instance" + std::to_string(number), "web-" + std::to_string(number));
  }
  const StatsMount mount{data.path()};
  expect_valid(mount);
  const auto text = metrics(mount);
  // All families but one have a series for each instance.
  const auto families = static_cast<std::size_t>(occurrences(text, "# TYPE "));
  EXPECT_EQ(series(text).size(), (families - 1) * 1000 + 1);
  EXPECT_NE(text.find("hypeman_vm_metrics_instances_observed 1000\n"), std::string::npos);
  EXPECT_EQ(run({"stat", "-c", "%s", mount / "metrics.prom"}).out,
            std::to_string(text.size()) + "\n");
}

TEST_F(MetricsFile, NodeExporterServesItFromTheMount) {
  write_running(id, "web");
  const StatsMount mount{data.path()};
  expect_node_exporter_serves(mount.path(), mount);
}

TEST_F(MetricsFile, NodeExporterServesItThroughALinkInAnotherDirectory) {
  write_running(id, "web");
  const StatsMount mount{data.path()};
  const TemporaryDirectory textfiles;
  std::filesystem::create_symlink(mount / "metrics.prom", textfiles.path() / "hypeman.prom");
  expect_node_exporter_serves(textfiles.path(), mount);
}

TEST(PrometheusDashboard, EveryQuerySelectsTheJob) {
  // Hypeman exports the same series. Without the job, a sum counts each VM twice.
  std::ifstream file{std::filesystem::path{paths::source_root} /
                     "docs/prometheus/hypeman-vms.grafana.json"};
  const auto dashboard = nlohmann::json::parse(file);
  std::vector<std::string> queries;
  for (const auto& panel : dashboard["panels"]) {
    for (const auto& target : panel["targets"]) {
      queries.push_back(target["expr"]);
    }
  }
  for (const auto& variable : dashboard["templating"]["list"]) {
    if (variable["name"] == "job") {
      EXPECT_FALSE(variable["multi"]);
      EXPECT_FALSE(variable["includeAll"]);
    } else if (variable["type"] == "query") {
      queries.push_back(variable["query"]["query"]);
    }
  }
  EXPECT_GE(queries.size(), 14U);
  for (const auto& query : queries) {
    EXPECT_EQ(occurrences(query, "hypeman_vm_"), occurrences(query, "{job=\"$job\"")) << query;
  }
}

TEST(PrometheusRules, AreValidAndPassTheirTests) {
  const auto directory = std::filesystem::path{paths::source_root} / "docs/prometheus";
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"check", "rules", directory / "hypeman-vms.rules.yml"},
        std::vector<std::string>{"test", "rules", directory / "hypeman-vms.test.yml"},
        std::vector<std::string>{"check", "config", "--syntax-only", directory / "scrape.yml"}}) {
    const auto checked = promtool(arguments);
    EXPECT_TRUE(checked.status.success()) << checked.out << checked.err;
  }
}

}  // namespace
}  // namespace hypeman::tests
