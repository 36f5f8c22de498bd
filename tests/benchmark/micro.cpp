// micro DATA_DIR ID PID TAP [--benchmark_...]: measures the steps of one sample in this process,
// and the raw reads of the four kernel files, which every sample needs. The instance runs as PID.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <spdlog/sinks/null_sink.h>

#include "base/unique_fd.hpp"
#include "collector/hypeman/metadata.hpp"
#include "collector/instances/host.hpp"
#include "collector/instances/instance.hpp"
#include "collector/kernel/proc_pid_stat.hpp"
#include "collector/kernel/proc_pid_statm.hpp"
#include "collector/kernel/sys_class_net.hpp"
#include "collector/statistics/prometheus_text.hpp"
#include "collector/statistics/stats_json.hpp"

namespace {

using hypeman::UniqueFd;
using namespace hypeman::collector;  // NOLINT(google-build-using-namespace): what is measured

std::string text_of(const std::string& path) {
  std::ifstream file{path};
  if (!file) {
    throw std::runtime_error{path + ": cannot be read"};
  }
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// The instance that all benchmarks measure.
struct Subject {
  Host host;
  std::string id;
  std::array<std::string, 4> kernel_files;
  std::string directory;
  std::string metadata_text;
};

Subject subject_of(const std::string& data_dir, const std::string& id, const std::string& pid,
                   const std::string& tap) {
  auto logger =
      std::make_shared<spdlog::logger>("micro", std::make_shared<spdlog::sinks::null_sink_mt>());
  auto host = Host::open({.data_dir = data_dir}, std::move(logger));
  if (!host) {
    throw std::runtime_error{host.error()};
  }
  const auto directory = data_dir + "/guests/" + id;
  const auto proc = "/proc/" + pid;
  const auto net = "/sys/class/net/" + tap + "/statistics";
  return {.host = *std::move(host),
          .id = id,
          .kernel_files = {proc + "/stat", proc + "/statm", net + "/tx_bytes", net + "/rx_bytes"},
          .directory = directory,
          .metadata_text = text_of(directory + "/metadata.json")};
}

/// Like a read of stats.json.
Sample measure(Instance& instance) {
  return instance.sample(instance.record().value(), stats_json_sources());
}

Sample sample_of(Instance& instance) {
  auto sample = measure(instance);
  if (!sample.running || !sample.stat || !sample.statm || !sample.tap[InterfaceCounter::rx_bytes] ||
      !sample.tap[InterfaceCounter::tx_bytes]) {
    throw std::runtime_error{"the instance cannot be measured"};
  }
  return sample;
}

void raw_pread(benchmark::State& state, const Subject& subject) {
  std::vector<UniqueFd> pinned;
  for (const auto& path : subject.kernel_files) {
    pinned.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  std::array<char, 4096> buffer{};
  for ([[maybe_unused]] auto _ : state) {
    for (const auto& fd : pinned) {
      if (::pread(fd.get(), buffer.data(), buffer.size(), 0) <= 0) {
        state.SkipWithError("a kernel file cannot be read");
        return;
      }
    }
    benchmark::ClobberMemory();
  }
}

/// What a record is checked with before each read (metadata_file.cpp).
void check_by_path(benchmark::State& state, const Subject& subject) {
  const auto metadata = subject.directory + "/metadata.json";
  char target = 0;
  struct stat status {};
  for ([[maybe_unused]] auto _ : state) {
    if (::readlinkat(AT_FDCWD, subject.directory.c_str(), &target, sizeof target) >= 0 ||
        ::lstat(metadata.c_str(), &status) != 0) {
      state.SkipWithError("the metadata cannot be checked");
      return;
    }
  }
}

/// The alternative of docs/performance.md: an open file, and the directory of all instances.
void check_by_descriptor(benchmark::State& state, const Subject& subject) {
  const UniqueFd metadata{
      ::open((subject.directory + "/metadata.json").c_str(), O_RDONLY | O_CLOEXEC)};
  const auto guests = subject.directory.substr(0, subject.directory.rfind('/'));
  struct stat status {};
  for ([[maybe_unused]] auto _ : state) {
    if (::fstat(metadata.get(), &status) != 0 || ::stat(guests.c_str(), &status) != 0) {
      state.SkipWithError("the metadata cannot be checked");
      return;
    }
  }
}

void sample(benchmark::State& state, const Subject& subject) {
  Instance instance{subject.host, subject.id};
  sample_of(instance);
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(measure(instance));
  }
}

void sample_and_render(benchmark::State& state, const Subject& subject) {
  Instance instance{subject.host, subject.id};
  sample_of(instance);
  std::string text;
  for ([[maybe_unused]] auto _ : state) {
    text.clear();
    append_stats_json(measure(instance), text);
    benchmark::DoNotOptimize(text.data());
  }
}

void render_stats_json(benchmark::State& state, const Subject& subject) {
  Instance instance{subject.host, subject.id};
  const auto measured = sample_of(instance);
  std::string text;
  for ([[maybe_unused]] auto _ : state) {
    text.clear();
    append_stats_json(measured, text);
    benchmark::DoNotOptimize(text.data());
  }
}

void render_prometheus_text(benchmark::State& state, const Subject& subject) {
  Instance instance{subject.host, subject.id};
  const auto measured = sample_of(instance);
  const FoundInstance found{.instance = nullptr, .record = measured.record};
  const auto size = prometheus_text_size({&found, 1});
  for ([[maybe_unused]] auto _ : state) {
    auto text = prometheus_text({&measured, 1}, size);
    benchmark::DoNotOptimize(text.data());
  }
}

template <class Parse>
void parse(benchmark::State& state, const std::string& text, Parse parse_text) {
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(parse_text(text));
  }
}

template <class Function>
void add(const char* name, Function function) {
  benchmark::RegisterBenchmark(name, function)->Unit(benchmark::kNanosecond);
}

void add_all(const Subject& subject) {
  for (const auto& [name, function] : {std::pair{"raw_pread", &raw_pread},
                                       {"check_by_path", &check_by_path},
                                       {"check_by_descriptor", &check_by_descriptor},
                                       {"sample", &sample},
                                       {"sample_and_render", &sample_and_render},
                                       {"render_stats_json", &render_stats_json},
                                       {"render_prometheus_text", &render_prometheus_text}}) {
    add(name, [function = function, &subject](auto& state) { function(state, subject); });
  }
  const auto& files = subject.kernel_files;
  add("parse_stat", [text = text_of(files[0])](auto& state) {
    parse(state, text, [](const auto& t) { return parse_proc_pid_stat(t); });
  });
  add("parse_statm", [text = text_of(files[1])](auto& state) {
    parse(state, text, [](const auto& t) { return parse_proc_pid_statm(t); });
  });
  add("parse_interface_counter", [text = text_of(files[2])](auto& state) {
    parse(state, text, [](const auto& t) { return parse_interface_counter(t); });
  });
  add("parse_metadata", [&text = subject.metadata_text](auto& state) {
    parse(state, text, [](const auto& t) { return parse_metadata(t); });
  });
}

}  // namespace

int main(int argc, char* argv[]) {
  benchmark::Initialize(&argc, argv);
  const std::span arguments{argv, static_cast<std::size_t>(argc)};
  if (arguments.size() != 5) {
    std::cerr << "usage: micro DATA_DIR ID PID TAP [--benchmark_...]\n";
    return EXIT_FAILURE;
  }
  try {
    const auto subject = subject_of(arguments[1], arguments[2], arguments[3], arguments[4]);
    add_all(subject);
    benchmark::RunSpecifiedBenchmarks();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "micro: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
