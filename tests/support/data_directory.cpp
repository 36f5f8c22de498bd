#include "tests/support/data_directory.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "tests/support/eventually.hpp"
#include "tests/support/paths.hpp"

namespace hypeman::tests {
namespace {

constexpr int user_time_field = 14;
constexpr int system_time_field = 15;
constexpr int start_time_field = 22;

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file{path};
  if (!file) {
    throw std::runtime_error{path.string() + ": cannot be read"};
  }
  return {std::istreambuf_iterator<char>{file}, {}};
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  if (!file.flush()) {
    throw std::runtime_error{path.string() + ": cannot be written"};
  }
}

}  // namespace

std::string metadata_json(const InstanceRecord& record) {
  using Json = nlohmann::ordered_json;
  Json json{
      {"Id", record.id},
      {"Name", record.name},
      {"Image", "docker.io/library/nginx:latest"},
      {"Size", record.size},
      {"HotplugSize", record.hotplug_size},
      {"OverlaySize", 10737418240},
      {"Vcpus", record.vcpus},
      {"Env", {{"API_TOKEN", secret}, {"Id", "another"}, {"HypervisorPID", "1"}}},
      {"NetworkEnabled", record.network_enabled},
      {"CreatedAt", "2026-01-02T03:04:05.678901234Z"},
      {"StartedAt", nullptr},
      {"StoppedAt", nullptr},
      {"HypervisorType", "cloud-hypervisor"},
      {"HypervisorPID", record.pid ? Json(*record.pid) : Json(nullptr)},
      {"SocketPath", record.socket_path},
      {"Volumes", Json::array({{{"Id", "volume"}, {"Size", 1}}})},
  };
  if (record.start_time_ticks) {
    json["HypervisorStartTime"] = *record.start_time_ticks;
  }
  if (record.boot_id) {
    json["HypervisorBootID"] = *record.boot_id;
  }
  if (record.pending_delete_at) {
    json["PendingDeleteAt"] = *record.pending_delete_at;
  }
  if (record.phase) {
    json["phases"] = {{"current", *record.phase},
                      {"since", "2026-01-02T03:04:05.678901234Z"},
                      {"cumulative", {{"initializing", 250}, {"current", 1}}}};
  }
  return json.dump(2);
}

DataDirectory::DataDirectory() {
  std::filesystem::create_directory(guests());
}

void DataDirectory::write(const InstanceRecord& record) const {
  write_text(record.id, metadata_json(record));
}

void DataDirectory::write_text(std::string_view id, std::string_view text) const {
  std::filesystem::create_directory(instance(id));
  const auto temporary = instance(id) / ".metadata-1.tmp";
  write_file(temporary, text);
  std::filesystem::rename(temporary, metadata(id));
}

void DataDirectory::write_in_place(std::string_view id, std::string_view text) const {
  std::filesystem::create_directory(instance(id));
  write_file(metadata(id), text);
}

void DataDirectory::remove(std::string_view id) const {
  std::filesystem::remove_all(instance(id));
}

void DataDirectory::create_overlay(std::string_view id, std::uint64_t size) const {
  std::filesystem::create_directory(instance(id));
  write_file(overlay(id), "");
  std::filesystem::resize_file(overlay(id), size);
}

std::filesystem::path renamed_by_fork(const std::filesystem::path& directory,
                                      std::chrono::system_clock::time_point when) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch());
  return directory.string() + ".fork-bak." + std::to_string(since_epoch.count());
}

ChildProcess start_stand_in(const std::string& socket_path, bool busy) {
  return start_stand_in_with(busy ? std::vector<std::string>{"--busy"} : std::vector<std::string>{},
                             socket_path);
}

ChildProcess start_stand_in_with(std::vector<std::string> options, const std::string& socket_path) {
  std::vector<std::string> arguments{std::string{paths::stand_in}};
  std::ranges::move(options, std::back_inserter(arguments));
  arguments.insert(arguments.end(), {"--api-socket", socket_path});
  auto process = ChildProcess::spawn(arguments);
  // exec(2) closes the pipe of spawn() shortly before it sets the command line.
  const auto command_line = "/proc/" + std::to_string(process.pid()) + "/cmdline";
  if (!eventually([&] { return read_text(command_line).find(socket_path) != std::string::npos; })) {
    throw std::runtime_error{command_line + ": does not name the socket"};
  }
  return process;
}

std::uint64_t stat_field(pid_t pid, int number) {
  const auto text = read_text("/proc/" + std::to_string(pid) + "/stat");
  std::string field;
  std::string_view rest = text;
  for (int current = 1; current < number; ++current) {
    rest.remove_prefix(rest.find(' ') + 1);
  }
  return std::stoull(std::string{rest.substr(0, rest.find(' '))});
}

std::uint64_t start_time_ticks(pid_t pid) {
  return stat_field(pid, start_time_field);
}

std::uint64_t cpu_ticks(pid_t pid) {
  return stat_field(pid, user_time_field) + stat_field(pid, system_time_field);
}

std::string current_boot_id() {
  auto text = read_text("/proc/sys/kernel/random/boot_id");
  text.erase(text.find('\n'));
  return text;
}

InstanceRecord running_record(std::string_view id, pid_t pid, const std::string& socket_path) {
  return {.id = std::string{id},
          .pid = pid,
          .start_time_ticks = start_time_ticks(pid),
          .boot_id = current_boot_id(),
          .socket_path = socket_path};
}

}  // namespace hypeman::tests
