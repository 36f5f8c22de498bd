#include "tests/collector/fake_kernel.hpp"

#include <fstream>
#include <stdexcept>

namespace hypeman::tests {

void write_over(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  if (!file.flush()) {
    throw std::runtime_error{path.string() + ": cannot be written"};
  }
}

std::string command_line(const std::vector<std::string>& arguments) {
  std::string text;
  for (const auto& argument : arguments) {
    text += argument;
    text += '\0';
  }
  return text;
}

std::string stat_text(const FakeProcess& process) {
  std::string text = std::to_string(process.pid) + " (" + process.command + ") " + process.state;
  constexpr int first_number = 4;
  constexpr int major_faults = 12;
  constexpr int user_time = 14;
  constexpr int system_time = 15;
  constexpr int start_time = 22;
  constexpr int guest_time = 43;
  constexpr int last = 52;
  for (int field = first_number; field <= last; ++field) {
    text += ' ';
    switch (field) {
      case major_faults:
        text += std::to_string(process.major_faults);
        break;
      case guest_time:
        text += std::to_string(process.guest_ticks);
        break;
      case user_time:
        text += std::to_string(process.user_ticks);
        break;
      case system_time:
        text += std::to_string(process.system_ticks);
        break;
      case start_time:
        text += std::to_string(process.start_time_ticks);
        break;
      default:
        text += std::to_string(-field);
    }
  }
  return text + '\n';
}

FakeProc::FakeProc() {
  write_over(directory_.path() / "sys/kernel/random/boot_id", std::string{boot_id} + "\n");
}

void FakeProc::write(const FakeProcess& process) const {
  const auto directory = this->process(process.pid);
  write_over(directory / "stat", stat_text(process));
  write_over(directory / "statm", std::to_string(process.size_pages) + ' ' +
                                      std::to_string(process.resident_pages) + " 7 3 0 90 0\n");
  write_over(directory / "status", "Name:\t" + process.command + "\nUmask:\t0022\nUid:\t" +
                                       std::to_string(process.real_user) + '\t' +
                                       std::to_string(process.effective_user) +
                                       "\t0\t0\nVmRSS:\t     400 kB\nRssAnon:\t     " +
                                       "300 kB\nRssFile:\t      90 kB\nRssShmem:\t      10 kB\n" +
                                       "VmSwap:\t      50 kB\n");
  write_over(directory / "cmdline", process.command_line);
  std::filesystem::create_directory(directory / "task");
}

void FakeProc::replace(const FakeProcess& process) const {
  remove(process.pid);
  write(process);
}

void FakeProc::write_thread(pid_t pid, const FakeThread& thread) const {
  const auto directory = process(pid) / "task" / std::to_string(thread.tid);
  write_over(directory / "stat", stat_text({.pid = thread.tid,
                                            .command = thread.name,
                                            .start_time_ticks = thread.start_time_ticks,
                                            .guest_ticks = thread.guest_ticks}));
  write_over(directory / "schedstat", std::to_string(thread.run_nanoseconds) + ' ' +
                                          std::to_string(thread.wait_nanoseconds) + " 7\n");
}

void FakeProc::remove(pid_t pid) const {
  std::filesystem::remove_all(process(pid));
}

FakeSys::FakeSys() {
  std::filesystem::create_directories(directory_.path() / "class/net");
}

std::filesystem::path FakeSys::statistics(std::string_view interface) const {
  return directory_.path() / "class/net" / interface / "statistics";
}

void FakeSys::write(std::string_view interface, std::uint64_t rx_bytes,
                    std::uint64_t tx_bytes) const {
  write_over(statistics(interface) / "rx_bytes", std::to_string(rx_bytes) + '\n');
  write_over(statistics(interface) / "tx_bytes", std::to_string(tx_bytes) + '\n');
  for (const auto* const counter :
       {"rx_packets", "tx_packets", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped"}) {
    write_over(statistics(interface) / counter, "0\n");
  }
}

void FakeSys::remove(std::string_view interface) const {
  std::filesystem::remove_all(statistics(interface).parent_path());
}

}  // namespace hypeman::tests
