#include "httpbridge/http/route.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <span>
#include <system_error>

#include "base/instance_names.hpp"
#include "httpbridge/http/whole_host_file.hpp"

namespace hypeman::httpbridge {
namespace {

constexpr std::size_t max_segments = 3;

// Returns an empty text if the segment cannot be decoded. It matches no route and no instance. The
// result may contain any character, also a slash.
std::string decode_segment(std::string_view encoded) {
  if (encoded.find('%') == std::string_view::npos) {
    return std::string{encoded};
  }
  std::string decoded;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      decoded.push_back(encoded[i]);
      continue;
    }
    const std::string_view digits = encoded.substr(i + 1, 2);
    unsigned value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    const bool two_digits = digits.size() == 2 && end == digits.data() + digits.size();
    if (error != std::errc{} || !two_digits) {
      return {};
    }
    decoded.push_back(static_cast<char>(value));
    i += digits.size();
  }
  return decoded;
}

constexpr std::string_view scheme = "http://";

// RFC 9112, 3.2.2: a server also accepts the absolute form.
bool is_absolute(std::string_view target) {
  return target.size() >= scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), target.begin(), [](char lower, char any) {
           return lower == std::tolower(static_cast<unsigned char>(any));
         });
}

bool is_path(std::span<const std::string> segments, std::string_view only) {
  return segments.size() == 1 && segments[0] == only;
}

}  // namespace

std::optional<Route> find_route(std::string_view target) {
  std::string_view path = path_of(target);
  std::array<std::string, max_segments> storage;
  std::size_t count = 0;
  while (!path.empty()) {
    if (path.front() != '/' || count == max_segments) {
      return std::nullopt;
    }
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    storage.at(count++) = decode_segment(segment);
    path.remove_prefix(segment.size());
  }
  const auto segments = std::span{storage}.first(count);

  for (const WholeHostFile& file : whole_host_files) {
    if (is_path(segments, file.route)) {
      return Route{file.kind, {}};
    }
  }
  if (is_path(segments, "healthz") || is_path(segments, "health")) {
    return Route{RouteKind::health, {}};
  }
  if (segments.size() == 3 && segments[0] == "instances" && segments[2] == "stats") {
    const std::string& wanted = segments[1];
    const bool can_match = is_instance_name(wanted) || is_instance_id_prefix(wanted);
    return Route{RouteKind::instance_stats, can_match ? wanted : std::string{}};
  }
  return std::nullopt;
}

std::string_view path_of(std::string_view target) {
  target = target.substr(0, target.find('?'));
  if (is_absolute(target)) {
    const std::size_t path = target.find('/', scheme.size());
    return path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target;
}

std::string_view authority_of(std::string_view target) {
  if (!is_absolute(target)) {
    return {};
  }
  target.remove_prefix(scheme.size());
  return target.substr(0, target.find_first_of("/?"));
}

}  // namespace hypeman::httpbridge
