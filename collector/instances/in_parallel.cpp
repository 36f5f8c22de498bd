#include "collector/instances/in_parallel.hpp"

#include <algorithm>
#include <future>
#include <system_error>
#include <vector>

namespace hypeman::collector {

void in_parallel(std::size_t count, std::size_t max_threads,
                 const std::function<void(std::size_t begin, std::size_t end)>& work) {
  constexpr std::size_t min_part = 100;
  const auto threads = std::clamp<std::size_t>(count / min_part, 1, max_threads);
  const auto part = count / threads + 1;
  std::vector<std::future<void>> others;
  std::size_t begin = 0;
  try {
    for (; count - begin > part; begin += part) {
      others.push_back(
          std::async(std::launch::async, [&work, begin, part] { work(begin, begin + part); }));
    }
  } catch (const std::system_error&) {
    // The limit of threads is reached. The rest is done here.
  }
  work(begin, count);
  for (auto& other : others) {
    other.get();
  }
}

}  // namespace hypeman::collector
