#include "tests/collector/test_host.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include <spdlog/sinks/ostream_sink.h>

namespace hypeman::tests {
namespace {

collector::Host open_host(const collector::Roots& roots, std::ostringstream& log) {
  auto logger = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log, /*force_flush=*/true));
  auto host = collector::Host::open(roots, std::move(logger));
  if (!host) {
    throw std::runtime_error{host.error()};
  }
  return *std::move(host);
}

}  // namespace

TestHost::TestHost(const std::string& proc, const std::string& sys)
    : host_{open_host({.data_dir = data_.path(), .proc = proc, .sys = sys}, log_)} {}

std::size_t TestHost::logged_lines() const {
  const auto text = log();
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace hypeman::tests
