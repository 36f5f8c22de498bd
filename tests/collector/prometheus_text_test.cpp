#include "collector/statistics/prometheus_text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/result.hpp"
#include "collector/statistics/statistic.hpp"
#include "collector/vm_record.hpp"
#include "tests/collector/samples.hpp"

namespace hypeman::tests {
namespace {

using collector::Sample;
using collector::VmRecord;

std::size_t size_for(const std::vector<Sample>& samples) {
  std::vector<collector::FoundInstance> instances;
  instances.reserve(samples.size());
  for (const auto& sample : samples) {
    auto record = *sample.record;
    record.process.emplace();
    instances.push_back({.instance = nullptr, .record = std::make_shared<const VmRecord>(record)});
  }
  return collector::prometheus_text_size(instances);
}

std::string prometheus_text(const std::vector<Sample>& samples) {
  return collector::prometheus_text(samples, size_for(samples));
}

/// The lines without the comment lines at the end.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) {
    if (line.find_first_not_of('#') != std::string::npos) {
      lines.push_back(line);
    }
  }
  return lines;
}

bool has_line(const std::string& text, std::string_view wanted) {
  return std::ranges::count(lines_of(text), wanted) == 1;
}

/// How many statistics have a metric.
std::size_t exported_statistics() {
  return static_cast<std::size_t>(
      std::ranges::count_if(collector::statistics(),
                            [](const auto& statistic) { return !statistic.metric.name.empty(); }));
}

bool has_series(const std::string& text, const std::string& name) {
  return text.find("\n" + name + "{") != std::string::npos;
}

Sample sample_of(const std::string& id, const std::string& name) {
  auto metadata = documented_record();
  metadata.id = id;
  metadata.name = name;
  return documented_sample(metadata);
}

TEST(PrometheusText, ShowsTheDocumentedExampleWithHypemansNames) {
  const auto text = prometheus_text({documented_sample()});
  const std::string labels =
      R"({instance_id="qilviffnqzck2jrim1x6s2b1",instance_name="my-web-server"} )";
  for (const auto* const series : {
           "hypeman_vm_cpu_seconds_total",
           "hypeman_vm_allocated_vcpus",
           "hypeman_vm_memory_rss_bytes",
           "hypeman_vm_memory_vms_bytes",
           "hypeman_vm_allocated_memory_bytes",
           "hypeman_vm_network_rx_bytes_total",
           "hypeman_vm_network_tx_bytes_total",
       }) {
    EXPECT_TRUE(has_series(text, series)) << text;
  }
  EXPECT_TRUE(has_line(text, "hypeman_vm_cpu_seconds_total" + labels + "29.94"));
  EXPECT_TRUE(has_line(text, "hypeman_vm_memory_rss_bytes" + labels + "443338752"));
  EXPECT_TRUE(has_line(text, "hypeman_vm_network_rx_bytes_total" + labels + "12345678"));
  EXPECT_TRUE(has_line(text, "hypeman_vm_metrics_instances_observed 1"));
}

TEST(PrometheusText, WritesHelpAndTypeOnceForEachFamily) {
  const auto text = prometheus_text({sample_of("a", "x"), sample_of("b", "y")});
  std::set<std::string> helped;
  std::set<std::string> typed;
  std::string family;
  for (const auto& line : lines_of(text)) {
    std::istringstream words{line};
    std::string mark;
    std::string kind;
    std::string name;
    if (line.starts_with("# ")) {
      words >> mark >> kind >> name;
      EXPECT_TRUE((kind == "HELP" ? helped : typed).insert(name).second) << line;
      family = name;
    } else {
      EXPECT_TRUE(line.starts_with(family + "{") || line.starts_with(family + " ")) << line;
    }
  }
  EXPECT_EQ(helped.size(), exported_statistics() + 1);
  EXPECT_EQ(typed, helped);
}

TEST(PrometheusText, EndsWithANewline) {
  EXPECT_TRUE(prometheus_text({}).ends_with("\n"));
  EXPECT_TRUE(prometheus_text({documented_sample()}).ends_with("\n"));
}

TEST(PrometheusText, HasTheSizeThatFollowsFromTheRecords) {
  auto largest = whole_sample();
  largest.stat->user_ticks = UINT64_MAX;
  largest.statm->resident_pages = UINT64_MAX;
  largest.tap[collector::InterfaceCounter::rx_bytes] = UINT64_MAX;
  auto unreadable = whole_sample();
  unreadable.statm = failure(EIO);
  auto stopped = documented_sample();
  stopped.running = false;
  const std::vector<Sample> three{largest, unreadable, stopped};
  EXPECT_EQ(prometheus_text(three).size(), size_for(three));
  EXPECT_EQ(prometheus_text({}).size(), size_for({}));
  EXPECT_EQ(collector::prometheus_text(three, size_for(three) + 1).size(), size_for(three) + 1);
}

TEST(PrometheusText, HasASeriesForEachVcpu) {
  const auto text = prometheus_text({whole_sample()});
  const std::string labels =
      R"({instance_id="qilviffnqzck2jrim1x6s2b1",instance_name="my-web-server",vcpu=")";
  EXPECT_TRUE(has_line(text, "hypeman_vm_vcpu_seconds_total" + labels + "0\"} 1.000000001"));
  EXPECT_TRUE(has_line(text, "hypeman_vm_vcpu_wait_seconds_total" + labels + "1\"} 0.5"));
}

TEST(PrometheusText, StoppedVmsHaveOnlyTheirStateAndTheirDisk) {
  auto stopped = whole_sample();
  stopped.running = false;
  const auto text = prometheus_text({stopped});
  const std::string labels =
      R"({instance_id="qilviffnqzck2jrim1x6s2b1",instance_name="my-web-server"} )";
  EXPECT_TRUE(has_line(text, "hypeman_vm_running" + labels + "0"));
  EXPECT_TRUE(has_line(text, "hypeman_vm_disk_size_bytes" + labels + "10737418240"));
  EXPECT_TRUE(has_line(text, "hypeman_vm_disk_allocated_bytes" + labels + "1073741824"));
  EXPECT_EQ(std::ranges::count_if(lines_of(text),
                                  [](const auto& line) { return line.find('{') != line.npos; }),
            3);
  EXPECT_TRUE(has_line(prometheus_text({whole_sample()}), "hypeman_vm_running" + labels + "1"));
}

TEST(PrometheusText, NeedsNoSnapshotToShowThatAVmRuns) {
  const auto sources = collector::prometheus_sources();
  EXPECT_TRUE(sources.has(collector::Source::proc_stat));
  EXPECT_FALSE(sources.has(collector::Source::snapshot));
}

TEST(PrometheusText, AStateThatIsNotKnownIsLeftOut) {
  auto hangs = whole_sample();
  hangs.stat = failure(ETIMEDOUT);
  EXPECT_FALSE(has_series(prometheus_text({hangs}), "hypeman_vm_running"));
}

TEST(PrometheusText, ShowsZeroInstances) {
  const auto text = prometheus_text({});
  EXPECT_TRUE(has_line(text, "hypeman_vm_metrics_instances_observed 0"));
  EXPECT_FALSE(has_series(text, "hypeman_vm_cpu_seconds_total"));
}

TEST(PrometheusText, LeavesOutOnlyNumbersThatCouldNotBeMeasured) {
  auto sample = documented_sample();
  sample.tap[collector::InterfaceCounter::rx_bytes] = failure(ENODEV);
  sample.tap[collector::InterfaceCounter::tx_bytes] = failure(ENODEV);
  auto text = prometheus_text({sample});
  EXPECT_FALSE(has_series(text, "hypeman_vm_network_rx_bytes_total"));
  EXPECT_FALSE(has_series(text, "hypeman_vm_network_tx_bytes_total"));
  EXPECT_TRUE(has_series(text, "hypeman_vm_cpu_seconds_total"));
  EXPECT_TRUE(has_line(text, "hypeman_vm_metrics_instances_observed 1"));

  sample = documented_sample();
  sample.stat = failure(EIO);
  sample.statm = failure(EIO);
  text = prometheus_text({sample});
  EXPECT_FALSE(has_series(text, "hypeman_vm_cpu_seconds_total"));
  EXPECT_FALSE(has_series(text, "hypeman_vm_memory_rss_bytes"));
  EXPECT_TRUE(has_series(text, "hypeman_vm_network_rx_bytes_total"));
}

TEST(PrometheusText, CountsOnlyInstancesThatRun) {
  auto stopped = sample_of("stopped", "x");
  stopped.running = false;
  const auto text = prometheus_text({stopped, documented_sample()});
  EXPECT_TRUE(has_line(text, "hypeman_vm_metrics_instances_observed 1"));
  EXPECT_EQ(text.find("hypeman_vm_cpu_seconds_total{instance_id=\"stopped\""), std::string::npos);
}

TEST(PrometheusText, EscapesLabelValues) {
  const auto text = prometheus_text({sample_of("a", "quote\" backslash\\ line\nend")});
  EXPECT_TRUE(has_line(text, R"(hypeman_vm_allocated_vcpus{instance_id="a",)"
                             R"(instance_name="quote\" backslash\\ line\nend"} 2)"))
      << text;
}

TEST(PrometheusText, DistinguishesInstancesWithTheSameName) {
  auto samples = std::vector{whole_sample(), whole_sample(), documented_sample()};
  for (std::size_t index = 0; index < samples.size(); ++index) {
    auto record = *samples[index].record;
    record.id = std::to_string(index);
    samples[index].record = std::make_shared<const VmRecord>(record);
  }
  const auto text = prometheus_text(samples);
  const auto lines = lines_of(text);
  std::set<std::string> series;
  for (const auto& line : lines) {
    if (!line.starts_with("#")) {
      EXPECT_TRUE(series.insert(line.substr(0, line.rfind(' '))).second) << line;
    }
  }
  EXPECT_GT(series.size(), 2 * exported_statistics()) << "two VMs with two vCPUs each";
}

TEST(PrometheusText, ShowsCountersBeyond32BitsInFull) {
  auto sample = documented_sample();
  sample.tap[collector::InterfaceCounter::tx_bytes] = 18446744073709551615U;
  sample.tap[collector::InterfaceCounter::rx_bytes] = 4294967296;
  const auto text = prometheus_text({sample});
  EXPECT_NE(text.find("} 18446744073709551615\n"), std::string::npos);
  EXPECT_NE(text.find("} 4294967296\n"), std::string::npos);
}

}  // namespace
}  // namespace hypeman::tests
