#include "base/instance_names.hpp"

#include <algorithm>
#include <cstddef>

namespace hypeman {
namespace {

constexpr std::size_t min_id_length = 2;
constexpr std::size_t max_id_length = 32;
constexpr std::size_t max_name_length = 63;

/// The root of the tree has a file of this name. The names of its other files are no IDs.
constexpr std::string_view name_in_the_root = "summary";

// Not std::islower() and the like: the grammar does not depend on the locale.
bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_alphanumeric(char c) {
  return is_letter(c) || (c >= '0' && c <= '9');
}

}  // namespace

bool is_instance_id(std::string_view text) {
  return text.size() >= min_id_length && is_instance_id_prefix(text) && text != name_in_the_root;
}

bool is_instance_id_prefix(std::string_view text) {
  return !text.empty() && text.size() <= max_id_length && is_letter(text.front()) &&
         std::ranges::all_of(text, is_alphanumeric);
}

bool is_instance_name(std::string_view text) {
  return !text.empty() && text.size() <= max_name_length && is_alphanumeric(text.front()) &&
         is_alphanumeric(text.back()) &&
         std::ranges::all_of(text, [](char c) { return c == '-' || is_alphanumeric(c); });
}

}  // namespace hypeman
