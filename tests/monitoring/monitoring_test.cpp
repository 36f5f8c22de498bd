#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
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

/// The lines of an exposition that are samples of the metrics whose names begin with `prefix`.
std::set<std::string> series(const std::string& exposition, std::string_view prefix) {
  std::set<std::string> lines;
  std::istringstream stream{exposition};
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(prefix)) {
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
    EXPECT_EQ(names_of(series(served, "hypeman_")), names_of(series(metrics(mount), "hypeman_")));
  }

  DataDirectory data;
  ChildProcess process = start_vm_stand_in(data.socket(id));
};

TEST_F(MetricsFile, IsValidWithoutInstances) {
  const StatsMount mount{data.path()};
  expect_valid(mount);
  EXPECT_EQ(series(metrics(mount), "hypeman_vm_"),
            (std::set<std::string>{"hypeman_vm_metrics_instances_observed 0"}));
}

std::ptrdiff_t occurrences(std::string_view text, std::string_view part) {
  std::ptrdiff_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

/// A family of a VM, and the file with the same value.
struct Family {
  std::string_view name;
  std::string_view file;
};

constexpr std::array families{
    Family{"allocated_memory_bytes", "allocated_memory_bytes"},
    Family{"allocated_vcpus", "allocated_vcpus"},
    Family{"cpu_guest_seconds_total", "cpu_guest_seconds"},
    Family{"cpu_seconds_total", "cpu_seconds"},
    Family{"cpu_wait_seconds_total", "cpu_wait_seconds"},
    Family{"disk_allocated_bytes", "disk_allocated_bytes"},
    Family{"disk_size_bytes", "disk_size_bytes"},
    Family{"memory_major_faults_total", "memory_major_faults"},
    Family{"memory_rss_anon_bytes", "memory_rss_anon_bytes"},
    Family{"memory_rss_bytes", "memory_rss_bytes"},
    Family{"memory_rss_file_bytes", "memory_rss_file_bytes"},
    Family{"memory_rss_shmem_bytes", "memory_rss_shmem_bytes"},
    Family{"memory_swap_bytes", "memory_swap_bytes"},
    Family{"memory_vms_bytes", "memory_vms_bytes"},
    Family{"network_rx_bytes_total", "network_rx_bytes"},
    Family{"network_rx_dropped_total", "network_rx_dropped"},
    Family{"network_rx_errors_total", "network_rx_errors"},
    Family{"network_rx_packets_total", "network_rx_packets"},
    Family{"network_tx_bytes_total", "network_tx_bytes"},
    Family{"network_tx_dropped_total", "network_tx_dropped"},
    Family{"network_tx_errors_total", "network_tx_errors"},
    Family{"network_tx_packets_total", "network_tx_packets"},
    Family{"start_time_seconds", "start_time_seconds"},
};

constexpr std::array families_of_vcpu{
    Family{"vcpu_seconds_total", "cpu_seconds"},
    Family{"vcpu_wait_seconds_total", "wait_seconds"},
};

TEST_F(MetricsFile, HasEachDocumentedSeriesOfARunningInstance) {
  Tap tap{tap_of(id)};
  write_running(id, "web", /*network=*/true);
  write_disk(data, id);
  tap.write_frame(experimental_frame(100));
  tap.transmit_from_host(experimental_frame(70));
  const StatsMount mount{data.path()};
  expect_valid(mount);

  const auto labels = R"({instance_id=")" + std::string{id} + R"(",instance_name="web")";
  std::set<std::string> expected{"hypeman_vm_metrics_instances_observed 1",
                                 "hypeman_vm_running" + labels + "} 1"};
  for (const auto& [name, file] : families) {
    expected.insert("hypeman_vm_" + std::string{name} + labels + "} " + mount.value(id, file));
  }
  for (const std::string vcpu : {"0", "1"}) {
    auto vcpu_labels = labels;
    vcpu_labels.append(",vcpu=\"").append(vcpu).append("\"} ");
    const auto directory = std::filesystem::path{"vcpus"} / vcpu;
    for (const auto& [name, file] : families_of_vcpu) {
      expected.insert("hypeman_vm_" + std::string{name} + vcpu_labels +
                      mount.value(id, (directory / file).string()));
    }
  }
  EXPECT_EQ(series(metrics(mount), "hypeman_vm_"), expected);
  EXPECT_EQ(mount.value(id, "network_rx_bytes"), "70");
}

TEST_F(MetricsFile, AStoppedInstanceHasOnlyItsStateAndItsDisk) {
  write_running(id, "web");
  data.write({.id = other_id, .name = "stopped"});
  write_disk(data, other_id);
  const StatsMount mount{data.path()};
  std::set<std::string> of_stopped;
  for (const auto& line : series(metrics(mount), "hypeman_vm_")) {
    if (line.find(R"(instance_name="stopped")") != std::string::npos) {
      of_stopped.insert(line);
    }
  }
  const auto labels = R"({instance_id=")" + other_id + R"(",instance_name="stopped"} )";
  EXPECT_EQ(of_stopped,
            (std::set<std::string>{
                "hypeman_vm_running" + labels + "0",
                "hypeman_vm_disk_size_bytes" + labels + mount.value(other_id, "disk_size_bytes"),
                "hypeman_vm_disk_allocated_bytes" + labels +
                    mount.value(other_id, "disk_allocated_bytes"),
            }));
  EXPECT_NE(metrics(mount).find("hypeman_vm_metrics_instances_observed 1\n"), std::string::npos);
}

TEST_F(MetricsFile, DescribesTheDaemon) {
  write_running(id, "web", /*network=*/true);
  const StatsMount mount{data.path()};
  const auto before = series(metrics(mount), "hypeman_statsfs_");
  EXPECT_TRUE(before.contains(R"(hypeman_statsfs_errors_total{error="no_such_device"} 0)"));
  EXPECT_TRUE(before.contains(R"(hypeman_statsfs_transport_info{transport="classic"} 1)") ||
              before.contains(R"(hypeman_statsfs_transport_info{transport="io_uring"} 1)"));
  auto version = run({std::string{paths::statsfs}, "--version"}).out;
  version = version.substr(version.rfind(' ') + 1);
  version.pop_back();
  EXPECT_TRUE(before.contains("hypeman_statsfs_build_info{version=\"" + version + "\"} 1"))
      << version;

  EXPECT_EQ(mount.read(id, "network_rx_bytes").error, ENODEV);
  const auto after = series(metrics(mount), "hypeman_statsfs_");
  EXPECT_TRUE(after.contains(R"(hypeman_statsfs_errors_total{error="no_such_device"} 1)"));
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
  // One disk for all of them would not be true, so they have none.
  constexpr auto of_each = families.size() - 2 + 1 + 2 * families_of_vcpu.size();
  EXPECT_EQ(series(text, "hypeman_vm_").size(), of_each * 1000 + 1);
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
  auto queries = dashboard_queries();
  for (const auto& variable : dashboard()["templating"]["list"]) {
    if (variable["name"] == "job") {
      EXPECT_FALSE(variable["multi"]);
      EXPECT_FALSE(variable["includeAll"]);
    } else if (variable["type"] == "query") {
      queries.push_back({variable["name"], variable["query"]["query"]});
    }
  }
  EXPECT_GE(queries.size(), 30U);
  for (const auto& [title, query] : queries) {
    EXPECT_EQ(occurrences(query, "hypeman_"), occurrences(query, "{job=\"$job\"")) << query;
  }
}

TEST(PrometheusDashboard, ShowsEachFamily) {
  std::string all;
  for (const auto& [title, query] : dashboard_queries()) {
    all += query + "\n";
  }
  for (const auto& [name, file] : families) {
    EXPECT_NE(all.find("hypeman_vm_" + std::string{name} + "{"), std::string::npos) << name;
  }
  for (const auto& [name, file] : families_of_vcpu) {
    EXPECT_NE(all.find("hypeman_vm_" + std::string{name} + "{"), std::string::npos) << name;
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
