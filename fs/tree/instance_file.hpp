#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "collector/instances/sample.hpp"
#include "collector/statistics/field.hpp"

namespace hypeman::fs {

/// A file of an instance's directory: one field, or all of them as stats.json.
class InstanceFile {
 public:
  static constexpr std::size_t count = collector::all_fields.size() + 1;

  /// `index` < count, in the order of a listing.
  constexpr explicit InstanceFile(std::size_t index) : index_{index} {}

  [[nodiscard]] static std::optional<InstanceFile> named(std::string_view name);

  [[nodiscard]] constexpr std::size_t index() const { return index_; }
  [[nodiscard]] std::string_view name() const;

  /// Whether the instance has this file at all.
  [[nodiscard]] bool exists(const collector::Metadata& metadata) const;

  /// Replaces `text` by the file's content. The error is that of the field.
  [[nodiscard]] Result<void> render(const collector::Sample& sample, std::string& text) const;

 private:
  [[nodiscard]] std::optional<collector::Field> field() const;

  std::size_t index_;
};

}  // namespace hypeman::fs
