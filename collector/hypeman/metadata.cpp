#include "collector/hypeman/metadata.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <variant>

#include <nlohmann/json.hpp>

#include "base/instance_names.hpp"
#include "collector/hypeman/state.hpp"

namespace hypeman::collector {
namespace {

constexpr std::size_t max_name_bytes = 255;
constexpr std::size_t max_path_bytes = 4096;
constexpr std::uint64_t max_pid = std::uint64_t{1} << 22;  // PID_MAX_LIMIT of 64-bit kernels
constexpr std::uint64_t max_int64 = std::numeric_limits<std::int64_t>::max();

/// A JSON value of a known key. Objects, arrays, fractions and negative numbers are unusable.
struct Unusable {};
struct Null {};
using Scalar = std::variant<Unusable, Null, bool, std::uint64_t, std::string_view>;

/// What was read so far.
struct Draft {
  Metadata metadata = {};
  ProcessIdentity process = {};
  bool network_enabled = false;
  std::uint64_t size = 0;
  std::uint64_t hotplug_size = 0;
};

/// Null leaves the default, as in Hypeman's own decoder. False: a wrong type, or out of range.
bool assign_text(const Scalar& value, std::size_t limit, std::string& out) {
  if (const auto* const text = std::get_if<std::string_view>(&value)) {
    out = *text;
    return text->size() <= limit;
  }
  return std::holds_alternative<Null>(value);
}
template <class Number>
bool assign_number(const Scalar& value, std::uint64_t limit, Number& out) {
  if (const auto* const number = std::get_if<std::uint64_t>(&value)) {
    out = static_cast<Number>(*number);
    return *number <= limit;
  }
  return std::holds_alternative<Null>(value);
}
bool assign_flag(const Scalar& value, bool& out) {
  if (const auto* const flag = std::get_if<bool>(&value)) {
    out = *flag;
    return true;
  }
  return std::holds_alternative<Null>(value);
}

struct Key {
  std::string_view name;
  bool (*assign)(Draft& draft, const Scalar& value);
  std::string_view object = {};  ///< the key of the object that holds it; empty: the outermost one
};

constexpr std::array keys{
    Key{"Id", [](Draft& d,
                 const Scalar& v) { return assign_text(v, max_name_bytes, d.metadata.record.id); }},
    Key{"Name",
        [](Draft& d, const Scalar& v) {
          return assign_text(v, max_name_bytes, d.metadata.record.name);
        }},
    Key{"Size", [](Draft& d, const Scalar& v) { return assign_number(v, max_int64, d.size); }},
    Key{"HotplugSize",
        [](Draft& d, const Scalar& v) { return assign_number(v, max_int64, d.hotplug_size); }},
    Key{"Vcpus",
        [](Draft& d, const Scalar& v) {
          return assign_number(v, max_int64, d.metadata.record.allocated_vcpus);
        }},
    Key{"NetworkEnabled",
        [](Draft& d, const Scalar& v) { return assign_flag(v, d.network_enabled); }},
    Key{"HypervisorPID",
        [](Draft& d, const Scalar& v) {
          d.process.pid = 0;  // null: not running
          return assign_number(v, max_pid, d.process.pid);
        }},
    Key{"HypervisorStartTime",
        [](Draft& d, const Scalar& v) {
          return assign_number(v, UINT64_MAX, d.process.start_time_ticks);
        }},
    Key{"HypervisorBootID",
        [](Draft& d, const Scalar& v) {
          return assign_text(v, max_name_bytes, d.process.boot_id);
        }},
    Key{"SocketPath",
        [](Draft& d, const Scalar& v) {
          return assign_text(v, max_path_bytes, d.process.socket_path);
        }},
    Key{"PendingDeleteAt",
        [](Draft& d, const Scalar& v) {
          std::string text;
          const bool good = assign_text(v, max_name_bytes, text);
          d.metadata.pending_delete = !text.empty();
          return good;
        }},
    Key{"current",
        [](Draft& d, const Scalar& v) {
          // Newer versions may have other words, so nothing here is an error.
          const auto* const word = std::get_if<std::string_view>(&v);
          if (word != nullptr && is_state_of_process(*word)) {
            d.metadata.record.state_while_running = *word;
          }
          return true;
        },
        "phases"},
};

/// Keeps the known keys of the outermost object and skips everything else. It builds no tree, so
/// the memory it takes does not grow with the input, and no secret is kept.
class MetadataReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return take(Null{}); }
  bool boolean(bool value) override { return take(value); }
  bool number_integer(number_integer_t /*negative*/) override { return take(Unusable{}); }
  bool number_unsigned(number_unsigned_t value) override { return take(value); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
    return take(Unusable{});
  }
  bool string(string_t& value) override { return take(std::string_view{value}); }
  bool binary(binary_t& /*value*/) override { return take(Unusable{}); }
  bool start_object(std::size_t /*elements*/) override { return enter(); }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t /*elements*/) override { return enter(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (depth_ == 1) {
      outermost_key_ = name;
    }
    if (depth_ <= 2) {
      const auto is_here = [&](const Key& key) {
        return depth_ == 1 ? key.object.empty()
                           : !key.object.empty() && key.object == outermost_key_;
      };
      const auto* const known = std::ranges::find_if(
          keys, [&](const Key& key) { return key.name == name && is_here(key); });
      key_ = known == keys.end() ? nullptr : known;
    }
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    // The token and the library's message both quote the file, so neither is used.
    problem_ = "not valid JSON at byte " + std::to_string(position);
    return false;
  }

  /// Call this after the whole text has been parsed.
  tl::expected<Metadata, std::string> finish() {
    auto& [metadata, process, network_enabled, size, hotplug_size] = draft_;
    auto& record = metadata.record;
    if (problem_.empty() && !is_instance_id(record.id)) {
      problem_ = "Id is missing or is not an instance ID";
    }
    if (problem_.empty() && size + hotplug_size > max_int64) {
      problem_ = "Size + HotplugSize does not fit into 64 bits";
    }
    if (!problem_.empty()) {
      return tl::unexpected{problem_};
    }
    record.allocated_memory_bytes = size + hotplug_size;
    if (process.pid != 0) {
      record.process = process;
    }
    if (network_enabled) {
      record.tap = tap_name(record.id);
    }
    return metadata;
  }

 private:
  bool take(const Scalar& value) {
    const auto* const key = std::exchange(key_, nullptr);
    if (key == nullptr || key->assign(draft_, value)) {
      return true;
    }
    problem_ = std::string{key->name} + " has a value of the wrong type or out of range";
    return false;
  }

  bool enter() {
    const bool accepted = take(Unusable{});
    ++depth_;
    return accepted;
  }
  bool leave() {
    --depth_;
    return true;
  }

  std::size_t depth_ = 0;
  std::string outermost_key_;
  const Key* key_ = nullptr;  ///< of the value that comes next
  std::string problem_;
  Draft draft_;
};

}  // namespace

tl::expected<Metadata, std::string> parse_metadata(std::string_view text) {
  // The library ignores everything after a NUL.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return tl::unexpected{"not valid JSON at byte " + std::to_string(nul + 1)};
  }
  MetadataReader reader;
  nlohmann::json::sax_parse(text, &reader);
  return reader.finish();
}

std::string tap_name(std::string_view instance_id) {
  constexpr std::size_t id_characters = 8;
  std::string name{"hype-"};
  for (const auto character : instance_id.substr(0, id_characters)) {
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
  }
  return name;
}

}  // namespace hypeman::collector
