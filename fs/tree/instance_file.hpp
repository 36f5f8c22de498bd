#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "collector/instances/sample.hpp"
#include "collector/statistics/statistic.hpp"
#include "collector/vm_record.hpp"

namespace hypeman::fs {

/// A file of an instance: one of the statistics, or stats.json, which has the last index. A
/// statistic of vCPUs has one file for each vCPU.
class InstanceFile {
 public:
  static constexpr std::size_t max_count = 100;  ///< limited by the bits of an inode number

  [[nodiscard]] static std::size_t count() { return collector::statistics().size() + 1; }

  /// All files in the directory of an instance, in the order of a listing.
  [[nodiscard]] static const std::vector<InstanceFile>& all();
  /// All files in the directory of a vCPU.
  [[nodiscard]] static std::vector<InstanceFile> all_of_vcpu(unsigned vcpu);

  /// `index` is less than count(). `vcpu` is 0 unless the statistic is one of vCPUs.
  constexpr explicit InstanceFile(std::size_t index, unsigned vcpu = 0)
      : index_{index}, vcpu_{vcpu} {}

  [[nodiscard]] constexpr std::size_t index() const { return index_; }
  [[nodiscard]] constexpr unsigned vcpu() const { return vcpu_; }
  [[nodiscard]] bool is_of_vcpu() const;
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
  unsigned vcpu_;
};

/// The file with this name in one of the lists above.
[[nodiscard]] std::optional<InstanceFile> find_file(const std::vector<InstanceFile>& files,
                                                    std::string_view name);

}  // namespace hypeman::fs
