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

/// A file of an instance's directory: a statistic, or the last one, stats.json.
class InstanceFile {
 public:
  static constexpr std::size_t max_count = 100;  ///< an inode number has room for no more

  [[nodiscard]] static std::size_t count() { return collector::statistics().size() + 1; }
  [[nodiscard]] static std::optional<InstanceFile> named(std::string_view name);

  /// `index` < count(), in the order of a listing.
  constexpr explicit InstanceFile(std::size_t index) : index_{index} {}

  [[nodiscard]] constexpr std::size_t index() const { return index_; }
  [[nodiscard]] std::string_view name() const;

  /// What a sample for render() must hold.
  [[nodiscard]] collector::Sources sources() const;

  /// Whether the instance may have this file, as far as its record says.
  [[nodiscard]] bool is_in(const collector::VmRecord& record) const;
  /// Whether the instance of the sample has this file. The sample holds presence_sources().
  [[nodiscard]] bool is_in(const collector::Sample& sample) const;

  /// Replaces `text` by the file's content. The error is that of the statistic.
  [[nodiscard]] Result<void> render(const collector::Sample& sample, std::string& text) const;

  /// The size of the content, if it follows from the record alone.
  [[nodiscard]] std::optional<std::size_t> size_by_record(
      const std::shared_ptr<const collector::VmRecord>& record) const;

  bool operator==(const InstanceFile&) const = default;

 private:
  /// Null for stats.json.
  [[nodiscard]] const collector::Statistic* statistic() const;

  std::size_t index_;
};

}  // namespace hypeman::fs
