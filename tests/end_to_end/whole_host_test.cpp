#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/paths.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/tap.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/threads.hpp"

namespace hypeman::tests {
namespace {

using nlohmann::json;

/// IDs of VMs that have no TAP.
std::string numbered_id(unsigned number) {
  auto id = std::to_string(number);
  return "h" + std::string(23 - id.size(), '0') + id;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream{text};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// Two VMs that run and do not change, one of them with everything that a VM can have, and three
/// that are stopped.
class WholeHost : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    auto full = running_record(full_id, vm.pid(), data.socket(full_id));
    full.name = "full";
    full.network_enabled = true;
    full.phase = "paused";
    data.create_overlay(full_id, 1 << 30);
    data.write(full);
    tap.write_frame(unanswered_arp_frame(1000));

    auto plain = running_record(numbered_id(1), plain_process.pid(), data.socket(numbered_id(1)));
    plain.name = "plain";
    data.write(plain);
    data.write({.id = numbered_id(2), .name = "stopped", .size = 0});
    data.write({.id = numbered_id(3), .name = "standby"});
    std::filesystem::create_directories(data.snapshot(numbered_id(3)) / "memory");
    data.write({.id = numbered_id(4), .name = "a-stopped-vm"});
    data.create_overlay(numbered_id(4), 1 << 20);
  }

  /// All files of a VM, as the directories show them.
  [[nodiscard]] static json files_of(const StatsMount& mount, const std::string& id) {
    const auto number = [&](const std::string& path) { return json::parse(mount.value(id, path)); };
    json all;
    for (const auto& name : list(mount / id)) {
      if (name == "vcpus") {
        for (const auto& vcpu : list(mount / id / "vcpus")) {
          for (const auto& file : list(mount / id / "vcpus" / vcpu)) {
            all["vcpus"][vcpu][file] =
                number(std::string{"vcpus/"}.append(vcpu).append("/").append(file));
          }
        }
      } else if (name == "instance_id" || name == "instance_name" || name == "state") {
        all[name] = mount.value(id, name);
      } else if (name != "stats.json") {
        all[name] = number(name);
      }
    }
    return all;
  }

  const std::string full_id = own_instance_id('q');
  DataDirectory data;
  Tap tap{tap_of(full_id)};
  ThreadedStandIn vm{data.socket(full_id), {"vcpu0", "vcpu1"}};
  ChildProcess plain_process = start_stand_in(data.socket(numbered_id(1)));
};

TEST_F(WholeHost, InstancesJsonHoldsTheFilesOfEveryVm) {
  const StatsMount mount{data.path()};
  const auto all = json::parse(read_file(mount / "instances.json").text);
  EXPECT_EQ(all.size(), 1) << all;
  const auto& instances = all.at("instances");
  std::vector<std::string> ids;
  for (const auto& [id, instance] : instances.items()) {
    ids.push_back(id);
    EXPECT_EQ(instance, files_of(mount, id)) << id;
  }
  EXPECT_EQ(ids, mount.instances());
  EXPECT_EQ(instances.at(full_id).at("vcpus").size(), 2);
  EXPECT_EQ(instances.at(full_id).at("state"), "paused");
  EXPECT_EQ(instances.at(numbered_id(3)).at("state"), "standby");
  EXPECT_EQ(instances.at(numbered_id(4)).at("disk_size_bytes"), 1 << 20);
}

TEST_F(WholeHost, NumbersInInstancesJsonAreNumbers) {
  const StatsMount mount{data.path()};
  const auto all = json::parse(read_file(mount / "instances.json").text);
  const std::set<std::string> texts{"instance_id", "instance_name", "state"};
  for (const auto& [id, instance] : all.at("instances").items()) {
    for (const auto& [key, value] : instance.items()) {
      if (key != "vcpus") {
        EXPECT_EQ(value.is_string(), texts.contains(key)) << key;
        EXPECT_EQ(value.is_number(), !texts.contains(key)) << key;
      }
    }
  }
}

TEST_F(WholeHost, WithoutVmsInstancesJsonIsAnEmptyObject) {
  const DataDirectory empty;
  const StatsMount mount{empty.path()};
  EXPECT_EQ(json::parse(read_file(mount / "instances.json").text),
            (json{{"instances", json::object()}}));
}

TEST_F(WholeHost, SizesAreTheBytesThatAReaderGets) {
  const StatsMount mount{data.path()};
  for (const auto* const file : {"instances.json", "summary", "metrics.prom"}) {
    // The same thread reads right after its stat(2), as cp and rsync do.
    for (int round = 0; round < 20; ++round) {
      const auto size = std::filesystem::file_size(mount / file);
      ASSERT_EQ(read_file(mount / file).text.size(), size) << file;
    }
  }
}

TEST_F(WholeHost, SummaryShowsALineForEachVmAndTheRunningOnesFirst) {
  const StatsMount mount{data.path()};
  const auto lines = lines_of(read_file(mount / "summary").text);
  ASSERT_EQ(lines.size(), 7);
  std::vector<std::string> first_words;
  first_words.reserve(lines.size());
  for (const auto& line : lines) {
    first_words.push_back(line.substr(0, line.find(' ')));
  }
  EXPECT_EQ(first_words, (std::vector<std::string>{"NAME", "full", "plain", "a-stopped-vm",
                                                   "standby", "stopped", "TOTAL"}));
}

TEST_F(WholeHost, SummaryIsAligned) {
  const StatsMount mount{data.path()};
  const auto lines = lines_of(read_file(mount / "summary").text);
  const auto& heading = lines.front();
  const auto begin_of_ids = heading.rfind("ID");
  for (std::size_t number = 1; number + 1 < lines.size(); ++number) {
    const auto& line = lines.at(number);
    EXPECT_EQ(line.rfind(' ') + 1, begin_of_ids) << line;
    EXPECT_EQ(line.size(), begin_of_ids + 24) << line;
  }
  // Numbers end in the column in which their heading ends.
  for (const std::string column : {"UPTIME", "VCPUS", "CPU", "WAIT", "MEMORY", "RSS", "ANON",
                                   "SWAP", "RX", "TX", "DROPS", "DISK"}) {
    const auto end = heading.find(" " + column + " ") + 1 + column.size();
    for (const auto& line : lines) {
      EXPECT_TRUE(end == line.size() || line.at(end) == ' ') << column << " in " << line;
      if (column != "UPTIME" || !line.starts_with("TOTAL")) {
        EXPECT_NE(line.at(end - 1), ' ') << column << " in " << line;
      }
    }
  }
}

TEST_F(WholeHost, SummaryShowsNumbersForPeopleAndTheirTotals) {
  const StatsMount mount{data.path()};
  const auto lines = lines_of(read_file(mount / "summary").text);
  std::map<std::string, std::map<std::string, std::string>> cells;
  std::vector<std::string> columns;
  for (const auto& line : lines) {
    std::istringstream words{line};
    std::vector<std::string> row{std::istream_iterator<std::string>{words}, {}};
    if (columns.empty()) {
      columns = row;
    } else if (row.front() == "TOTAL") {
      row.insert(row.begin() + 2, "");  // no uptime
    }
    for (std::size_t column = 0; column < row.size(); ++column) {
      cells[row.front()][columns.at(column)] = row.at(column);
    }
  }
  EXPECT_EQ(cells["full"]["MEMORY"], "4.0G");
  EXPECT_EQ(cells["stopped"]["MEMORY"], "0");
  EXPECT_EQ(cells["TOTAL"]["MEMORY"], "16G");
  EXPECT_EQ(cells["TOTAL"]["VCPUS"], "10");
  EXPECT_EQ(cells["full"]["TX"], "1000");
  EXPECT_EQ(cells["TOTAL"]["TX"], "1000");
  EXPECT_EQ(cells["full"]["STATE"], "paused");
  EXPECT_EQ(cells["TOTAL"]["STATE"], "2/5");
  EXPECT_EQ(cells["full"]["ID"], full_id);
  EXPECT_EQ(cells["plain"]["WAIT"], "-") << "its vCPUs are not known";
  EXPECT_EQ(cells["stopped"]["UPTIME"], "-");
  EXPECT_EQ(cells["stopped"]["DISK"], "-");
  EXPECT_NE(cells["a-stopped-vm"]["DISK"], "-");
}

TEST_F(WholeHost, SummaryShowsNoControlCharactersOfANameAndJsonKeepsThem) {
  const std::string name = "a\x1b[2Jb\nc\td\x7f\u009b\u2028 \"e\\";
  data.write({.id = numbered_id(5), .name = name});
  data.write({.id = numbered_id(6), .name = std::string(255, 'n')});
  data.write({.id = numbered_id(7), .name = ""});
  const StatsMount mount{data.path()};
  const auto instances = json::parse(read_file(mount / "instances.json").text).at("instances");
  EXPECT_EQ(instances.at(numbered_id(5)).at("instance_name"), name);
  const auto text = read_file(mount / "summary").text;
  for (const auto character : text) {
    EXPECT_TRUE(character == '\n' || (character >= ' ' && character <= '~')) << int{character};
  }
  const auto lines = lines_of(text);
  ASSERT_EQ(lines.size(), 10);
  for (std::size_t number = 1; number + 1 < lines.size(); ++number) {
    EXPECT_EQ(lines.at(number).rfind(' ') + 1, lines.front().rfind("ID")) << lines.at(number);
  }
}

/// 200 VMs. Some exist all the time; the others come and go, or start and stop.
class ChangingHost : public EndToEndTest {
 protected:
  static constexpr unsigned running_vms = 8;
  static constexpr unsigned constant_vms = 40;  ///< including half of those that run
  static constexpr unsigned vms = 200;
  static constexpr unsigned changes = 300;
  static constexpr std::chrono::milliseconds pause{20};  // 50 changes per second

  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    for (unsigned vm = 0; vm < running_vms; ++vm) {
      stand_ins.emplace_back(data.socket(numbered_id(vm)),
                             std::vector<std::string>{"vcpu0", "vcpu1"});
    }
    for (unsigned vm = 0; vm < vms; ++vm) {
      write(vm, vm < running_vms);
    }
  }

  void write(unsigned vm, bool runs) const {
    const auto id = numbered_id(vm);
    auto record = runs ? running_record(id, stand_ins.at(vm).pid(), data.socket(id))
                       : InstanceRecord{.id = id};
    record.name = "vm-" + std::to_string(vm);
    data.create_overlay(id, 1 << 20);
    data.write(record);
  }

  /// One change, of another VM each time.
  void change(unsigned number) {
    if (number % 5 == 0) {  // one that runs: it stops, or starts again
      const auto vm = running_vms / 2 + number / 5 % (running_vms / 2);
      stopped.at(vm) = !stopped.at(vm);
      write(vm, !stopped.at(vm));
      return;
    }
    const auto vm = constant_vms + number * 7 % (vms - constant_vms);
    if (std::filesystem::exists(data.instance(numbered_id(vm)))) {
      data.remove(numbered_id(vm));
    } else {
      write(vm, /*runs=*/false);
    }
  }

  /// A program that reads instances.json as the user "nobody", until the file $STOP exists or a
  /// read fails. It prints how often it has read.
  [[nodiscard]] ChildProcess start_reader(const StatsMount& mount,
                                          const std::vector<std::string>& command) const {
    auto options = as_unprivileged_user();
    options.environment["STOP"] = scratch.path() / "stop";
    options.environment["CONSTANT_VMS"] = std::to_string(constant_vms);
    options.working_directory = mount.path();
    return ChildProcess::spawn(command, options);
  }

  void make_all_changes() {
    for (unsigned number = 0; number < changes; ++number) {
      change(number);
      std::this_thread::sleep_for(pause);
    }
    std::ofstream{scratch.path() / "stop"}.flush();
  }

  static void expect_success(ChildProcess& reader) {
    const auto status = reader.wait(std::chrono::seconds{20});
    EXPECT_EQ(status, (ExitStatus{.code = 0, .signal = 0}));
    EXPECT_EQ(reader.captured_err(), "");
    EXPECT_GT(std::atoi(reader.captured_out().c_str()), 5) << "reads";
  }

  TemporaryDirectory scratch;
  DataDirectory data;
  std::vector<ThreadedStandIn> stand_ins;
  std::array<bool, running_vms> stopped{};
};

TEST_F(ChangingHost, EveryReadOfInstancesJsonIsWhole) {
  const StatsMount mount{data.path()};
  std::filesystem::permissions(scratch.path(), std::filesystem::perms::all);
  const auto script =
      std::filesystem::path{paths::source_root} / "tests/end_to_end/read_instances.py";
  auto python = start_reader(mount, {"/usr/bin/python3", script});
  auto jq = start_reader(mount, {"/bin/sh", "-c", R"(
      n=0
      while [ ! -e "$STOP" ]; do
        jq -e --argjson constant "$CONSTANT_VMS" \
          '[.instances[] | select(.allocated_vcpus == 2 and .state)] | length >= $constant' \
          instances.json >/dev/null || exit 1
        n=$((n + 1))
      done
      echo $n)"});
  make_all_changes();
  expect_success(python);
  expect_success(jq);
}

}  // namespace
}  // namespace hypeman::tests
