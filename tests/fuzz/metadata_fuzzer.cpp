// libFuzzer target for the parser of metadata.json.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/instance_names.hpp"
#include "collector/hypeman/metadata.hpp"

namespace {

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hypeman;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto metadata = collector::parse_metadata(text);
  if (!metadata) {
    // It goes to the log.
    require(!metadata.error().empty() &&
            std::ranges::all_of(metadata.error(), [](char c) { return c >= ' ' && c <= '~'; }));
    return 0;
  }
  const auto& record = metadata->record;
  constexpr std::size_t longest_name = 255;
  require(is_instance_id(record.id));
  require(record.name.size() <= longest_name);
  require(
      !record.state_while_running.empty() &&
      std::ranges::all_of(record.state_while_running, [](char c) { return c >= 'a' && c <= 'z'; }));
  require(record.tap.empty() || record.tap == collector::tap_name(record.id));
  require(!record.process || record.process->pid > 0);
  require(collector::parse_metadata(text) == metadata);
  return 0;
}
