#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/child_process.hpp"

namespace hypeman::tests {

/// A program of Debian's packages prometheus and prometheus-node-exporter, unpacked beside the
/// build if they are not there yet.
[[nodiscard]] std::string prometheus_program(std::string_view name);

/// Runs promtool; the error text is in the result.
[[nodiscard]] CommandResult promtool(std::vector<std::string> arguments);

/// An address and TCP port on the loopback interface where nobody listens. The address is this
/// process's own, so that no other test program takes the port before a server listens there.
[[nodiscard]] std::string free_address();

/// The body of a 2xx answer to a GET; empty for any other answer or none.
[[nodiscard]] std::string http_get(const std::string& url,
                                   const std::vector<std::string>& curl_options = {});

}  // namespace hypeman::tests
