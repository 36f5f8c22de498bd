#include "collector/hypeman/metadata.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <regex>
#include <sstream>
#include <utility>
#include <variant>

#include <date/date.h>
#include <nlohmann/json.hpp>

#include "base/decimal.hpp"
#include "base/instance_names.hpp"

namespace hypeman::collector {
namespace {

constexpr std::size_t max_name_bytes = 255;
constexpr std::size_t max_path_bytes = 4096;
constexpr std::uint64_t max_pid = std::uint64_t{1} << 22;  // PID_MAX_LIMIT of 64-bit kernels
constexpr std::uint64_t max_int64 = std::numeric_limits<std::int64_t>::max();
constexpr auto unknown_time = VmRecord::CreationTime::max();

enum class Key : std::uint8_t {
  id,
  name,
  size,
  hotplug_size,
  vcpus,
  network_enabled,
  hypervisor_pid,
  hypervisor_start_time,
  hypervisor_boot_id,
  socket_path,
  created_at,
  pending_delete_at,
};

using KnownKey = std::pair<std::string_view, Key>;

constexpr std::array<KnownKey, 12> known_keys{{
    {"Id", Key::id},
    {"Name", Key::name},
    {"Size", Key::size},
    {"HotplugSize", Key::hotplug_size},
    {"Vcpus", Key::vcpus},
    {"NetworkEnabled", Key::network_enabled},
    {"HypervisorPID", Key::hypervisor_pid},
    {"HypervisorStartTime", Key::hypervisor_start_time},
    {"HypervisorBootID", Key::hypervisor_boot_id},
    {"SocketPath", Key::socket_path},
    {"CreatedAt", Key::created_at},
    {"PendingDeleteAt", Key::pending_delete_at},
}};

/// Nanoseconds would not reach from year 0 to 9999, so the result counts microseconds.
VmRecord::CreationTime parse_rfc3339(const std::string& text) {
  static const std::regex form{
      R"((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d))"};
  std::smatch parts;
  if (!std::regex_match(text, parts, form)) {
    return unknown_time;
  }
  std::istringstream stream{parts.str(1) + (parts.str(3) == "Z" ? "+00:00" : parts.str(3))};
  date::sys_seconds seconds;
  stream >> date::parse("%FT%T%Ez", seconds);
  if (stream.fail()) {
    return unknown_time;
  }
  constexpr std::size_t digits = 6;
  auto fraction = parts.str(2).substr(parts.length(2) == 0 ? 0 : 1).substr(0, digits);
  fraction.resize(digits, '0');
  return seconds + std::chrono::microseconds{parse_decimal<std::int64_t>(fraction).value_or(0)};
}

/// Keeps the known keys of the outermost object and skips everything else. It builds no tree, so
/// the memory it takes does not grow with the input, and no secret is kept.
class MetadataReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  /// As Hypeman's own decoder: null resets a pointer and leaves other fields as they are.
  bool null() override {
    if (const auto* const key = take_key(); key != nullptr) {
      if (key->second == Key::hypervisor_pid) {
        process_.pid = 0;
      } else if (key->second == Key::pending_delete_at) {
        metadata_.pending_delete = false;
      }
    }
    return true;
  }
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
      const auto* const known = std::ranges::find(known_keys, name, &KnownKey::first);
      key_ = known == known_keys.end() ? nullptr : known;
    }
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    // The token and the library's message both quote the file, so neither is used.
    problem_ = "not valid JSON at byte " + std::to_string(position);
    return false;
  }

  /// Call it after the whole text was parsed.
  tl::expected<Metadata, std::string> finish() {
    if (problem_.empty() && !is_instance_id(metadata_.record.id)) {
      problem_ = "Id is missing or is not an instance ID";
    }
    if (problem_.empty() && size_ + hotplug_size_ > max_int64) {
      problem_ = "Size + HotplugSize does not fit into 64 bits";
    }
    if (!problem_.empty()) {
      return tl::unexpected{problem_};
    }
    metadata_.record.allocated_memory_bytes = size_ + hotplug_size_;
    if (process_.pid != 0) {
      metadata_.record.process = process_;
    }
    if (network_enabled_) {
      metadata_.record.tap = tap_name(metadata_.record.id);
    }
    return metadata_;
  }

 private:
  struct Unusable {};
  using Scalar = std::variant<Unusable, bool, std::uint64_t, std::string_view>;

  const KnownKey* take_key() { return depth_ == 1 ? std::exchange(key_, nullptr) : nullptr; }

  bool take(const Scalar& value) {
    const auto* const key = take_key();
    if (key == nullptr || assign(key->second, value)) {
      return true;
    }
    problem_ = std::string{key->first} + " has a value of the wrong type or out of range";
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

  bool assign(Key key, const Scalar& value) {
    switch (key) {
      case Key::id:
        return assign_text(value, max_name_bytes, metadata_.record.id);
      case Key::name:
        return assign_text(value, max_name_bytes, metadata_.record.name);
      case Key::size:
        return assign_number(value, max_int64, size_);
      case Key::hotplug_size:
        return assign_number(value, max_int64, hotplug_size_);
      case Key::vcpus:
        return assign_number(value, max_int64, metadata_.record.allocated_vcpus);
      case Key::network_enabled:
        return assign_flag(value, network_enabled_);
      case Key::hypervisor_pid:
        return assign_number(value, max_pid, process_.pid);
      case Key::hypervisor_start_time:
        return assign_number(value, std::numeric_limits<std::uint64_t>::max(),
                             process_.start_time_ticks);
      case Key::hypervisor_boot_id:
        return assign_text(value, max_name_bytes, process_.boot_id);
      case Key::socket_path:
        return assign_text(value, max_path_bytes, process_.socket_path);
      case Key::created_at: {
        std::string text;
        if (!assign_text(value, max_name_bytes, text)) {
          return false;
        }
        metadata_.record.created_at = parse_rfc3339(text);
        return true;
      }
      case Key::pending_delete_at: {
        std::string text;
        if (!assign_text(value, max_name_bytes, text)) {
          return false;
        }
        metadata_.pending_delete = !text.empty();
        return true;
      }
    }
    return false;
  }

  static bool assign_text(const Scalar& value, std::size_t limit, std::string& out) {
    const auto* const text = std::get_if<std::string_view>(&value);
    if (text == nullptr || text->size() > limit) {
      return false;
    }
    out = *text;
    return true;
  }
  template <class Number>
  static bool assign_number(const Scalar& value, std::uint64_t limit, Number& out) {
    const auto* const number = std::get_if<std::uint64_t>(&value);
    if (number == nullptr || *number > limit) {
      return false;
    }
    out = static_cast<Number>(*number);
    return true;
  }
  static bool assign_flag(const Scalar& value, bool& out) {
    const auto* const flag = std::get_if<bool>(&value);
    if (flag == nullptr) {
      return false;
    }
    out = *flag;
    return true;
  }

  std::size_t depth_ = 0;
  const KnownKey* key_ = nullptr;
  std::string problem_;

  Metadata metadata_;
  ProcessIdentity process_;
  bool network_enabled_ = false;
  std::uint64_t size_ = 0;
  std::uint64_t hotplug_size_ = 0;
};

}  // namespace

tl::expected<Metadata, std::string> parse_metadata(std::string_view text) {
  // The library would stop at a NUL.
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
