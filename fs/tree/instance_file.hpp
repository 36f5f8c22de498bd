#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "collector/instances/sample.hpp"
#include "collector/statistics/statistic.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::fs {

/// A file in an instance's directory: one of the statistics, or stats.json, which has the last
/// index.
class InstanceFile {
 public:
  static constexpr std::size_t max_count = 100;  ///< limited by the bits of an inode number

  [[nodiscard]] static std::size_t count() { return collector::statistics().size() + 1; }
  [[nodiscard]] static std::optional<InstanceFile> named(std::string_view name);

  /// `index` is less than count() and follows the order of a directory listing.
  constexpr explicit InstanceFile(std::size_t index) : index_{index} {}

  [[nodiscard]] constexpr std::size_t index() const { return index_; }
  [[nodiscard]] std::string_view name() const;

  /// The sources that a sample for render() must hold.
  [[nodiscard]] collector::Sources sources() const;

  /// Whether an instance with this record may have this file.
  [[nodiscard]] bool is_in(const collector::VmRecord& record) const;
  /// Whether the instance of the sample has this file. The sample must hold presence_sources().
  [[nodiscard]] bool is_in(const collector::Sample& sample) const;

  /// Replaces `text` with the file's content. The error is the error of the statistic.
  [[nodiscard]] Result<void> render(const collector::Sample& sample, std::string& text) const;

  /// The size of the content, if it depends only on the record.
  [[nodiscard]] std::optional<std::size_t> size_by_record(
      const std::shared_ptr<const collector::VmRecord>& record) const;

  bool operator==(const InstanceFile&) const = default;

 private:
  /// Null for stats.json.
  [[nodiscard]] const collector::Statistic* statistic() const;

  std::size_t index_;
};

}  // namespace hypeman::fs
