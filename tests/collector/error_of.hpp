#pragma once

#include "base/result.hpp"

namespace hypeman::tests {

/// The errno of a Result; 0 if it holds a value.
template <class T>
[[nodiscard]] int error_of(const Result<T>& result) {
  return result ? 0 : result.error().value();
}

}  // namespace hypeman::tests
