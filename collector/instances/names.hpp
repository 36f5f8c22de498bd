#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "collector/instances/found_instance.hpp"

namespace hypeman::collector {

/// The names of the instances in one list. A name that several instances have belongs to none of
/// them, because any choice would be a guess.
class Names {
 public:
  Names() = default;
  explicit Names(const std::vector<FoundInstance>& instances);

  /// The ID of the instance with this name. ENOENT: there is none. ENOTUNIQ: there are several.
  [[nodiscard]] Result<std::string> find(std::string_view name) const;

  /// The ID of each name that only one instance has.
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& unique() const {
    return unique_;
  }
  [[nodiscard]] const std::set<std::string, std::less<>>& ambiguous() const { return ambiguous_; }

 private:
  std::map<std::string, std::string, std::less<>> unique_;
  std::set<std::string, std::less<>> ambiguous_;
};

}  // namespace hypeman::collector
