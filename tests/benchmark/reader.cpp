// reader BLOCKS OPERATIONS SIDE...: measures what it costs to read files, and compares several
// sides.
//
// A SIDE is MODE:THREADS:LIST. MODE is `open` (open, read, close) or `pread` (pread at offset 0 of
// an open file). LIST is a file with one path per line; the paths are read in random order. The
// sides take turns in alternating order: each makes OPERATIONS reads, BLOCKS times. So other work
// on the machine affects all sides equally. Prints one JSON object for each side: the median and
// the rate of each block, and the quantiles over all reads.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <latch>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"

namespace {

using hypeman::UniqueFd;
using Clock = std::chrono::steady_clock;
using Nanoseconds = std::uint32_t;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error{errno, std::generic_category(), what};
}

UniqueFd open_file(const std::string& path) {
  UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) {
    fail(path);
  }
  return fd;
}

void read_at_start(int fd, const std::string& path) {
  std::array<char, 4096> buffer;  // NOLINT(*-member-init): the kernel fills it
  if (::pread(fd, buffer.data(), buffer.size(), 0) <= 0) {
    fail(path);
  }
}

/// The files of one side and the way of reading them.
class Files {
 public:
  Files(std::string_view mode, const std::string& list) {
    std::ifstream file{list};
    for (std::string line; std::getline(file, line);) {
      paths_.push_back(line);
    }
    if (paths_.empty() || (mode != "open" && mode != "turn" && mode != "pread")) {
      throw std::runtime_error{"no such mode, or an empty list: " + list};
    }
    if (mode == "pread") {
      for (const auto& path : paths_) {
        held_.push_back(open_file(path));
      }
    }
  }

  [[nodiscard]] std::size_t size() const { return paths_.size(); }

  void read(std::size_t index) const {
    if (held_.empty()) {
      const auto fd = open_file(paths_[index]);
      read_at_start(fd.get(), paths_[index]);
    } else {
      read_at_start(held_[index].get(), paths_[index]);
    }
  }

 private:
  std::vector<std::string> paths_;
  std::vector<UniqueFd> held_;
};

struct Block {
  std::vector<Nanoseconds> times;
  double reads_per_second = 0;
};

/// Chooses the file to read next.
class Order {
 public:
  /// Starts with file `turn` and continues in order. Without `turn`, the order is random.
  Order(std::size_t files, unsigned seed, std::optional<std::size_t> turn)
      : files_{files}, random_{seed}, turn_{turn} {}

  std::size_t next() { return (turn_ ? (*turn_)++ : random_()) % files_; }

 private:
  std::size_t files_;
  std::minstd_rand random_;
  std::optional<std::size_t> turn_;
};

/// Reads files and returns the duration of each read.
std::vector<Nanoseconds> timed_reads(const Files& files, Order order, std::size_t count) {
  std::vector<Nanoseconds> times(count);
  for (auto& time : times) {
    const auto index = order.next();
    const auto begin = Clock::now();
    files.read(index);
    time = static_cast<Nanoseconds>((Clock::now() - begin).count());
  }
  return times;
}

/// One side of the comparison.
class Side {
 public:
  explicit Side(const std::string& text) {
    const auto first = text.find(':');
    const auto second = text.find(':', first + 1);
    if (second == std::string::npos) {
      throw std::runtime_error{"not MODE:THREADS:LIST: " + text};
    }
    threads_ = std::stoul(text.substr(first + 1, second - first - 1));
    in_turn_ = text.starts_with("turn:");
    files_.emplace(text.substr(0, first), text.substr(second + 1));
  }

  /// The first read of a file also looks up its name. The kernel then caches the name.
  void warm_up() const {
    for (std::size_t index = 0; index < files_->size(); ++index) {
      files_->read(index);
    }
  }

  void run_block(std::size_t operations) {
    const auto each = std::max<std::size_t>(operations / threads_, 1);
    std::vector<std::vector<Nanoseconds>> times(threads_);
    std::latch start{static_cast<std::ptrdiff_t>(threads_) + 1};
    Clock::time_point begin;
    {
      std::vector<std::jthread> readers;
      for (auto& own : times) {
        const auto turn = in_turn_ ? std::optional{position_} : std::nullopt;
        position_ += each;
        readers.emplace_back(
            [this, each, &own, &start, order = Order{files_->size(), ++seed_, turn}] {
              start.arrive_and_wait();
              own = timed_reads(*files_, order, each);
            });
      }
      start.arrive_and_wait();
      begin = Clock::now();
    }
    const std::chrono::duration<double> elapsed = Clock::now() - begin;

    Block block;
    for (const auto& own : times) {
      block.times.insert(block.times.end(), own.begin(), own.end());
    }
    block.reads_per_second = static_cast<double>(block.times.size()) / elapsed.count();
    blocks_.push_back(std::move(block));
  }

  void print(std::ostream& out) const {
    std::vector<Nanoseconds> all;
    out << R"({"block_medians_ns": [)";
    for (std::string_view separator; const auto& block : blocks_) {
      all.insert(all.end(), block.times.begin(), block.times.end());
      out << separator << quantile(block.times, 0.5);
      separator = ", ";
    }
    out << R"(], "block_rates": [)";
    for (std::string_view separator; const auto& block : blocks_) {
      out << separator << block.reads_per_second;
      separator = ", ";
    }
    out << R"(], "p50_ns": )" << quantile(all, 0.5) << R"(, "p99_ns": )" << quantile(all, 0.99)
        << "}\n";
  }

 private:
  static Nanoseconds quantile(std::vector<Nanoseconds> times, double share) {
    const auto nth =
        times.begin() + static_cast<std::ptrdiff_t>(static_cast<double>(times.size() - 1) * share);
    std::ranges::nth_element(times, nth);
    return *nth;
  }

  std::size_t threads_ = 1;
  std::optional<Files> files_;
  bool in_turn_ = false;
  std::size_t position_ = 0;
  std::vector<Block> blocks_;
  unsigned seed_ = 0;
};

void compare(std::size_t blocks, std::size_t operations, std::span<char*> texts) {
  std::vector<std::unique_ptr<Side>> sides;
  for (const char* text : texts) {
    sides.push_back(std::make_unique<Side>(text));
    sides.back()->warm_up();
    sides.back()->warm_up();
  }
  for (std::size_t block = 0; block < blocks; ++block) {
    for (const auto& side : sides) {
      side->run_block(operations);
    }
    std::ranges::reverse(sides);
  }
  if (blocks % 2 != 0) {
    std::ranges::reverse(sides);
  }
  for (const auto& side : sides) {
    side->print(std::cout);
  }
}

}  // namespace

int main(int argc, char* argv[]) {
  const std::span arguments{argv, static_cast<std::size_t>(argc)};
  if (arguments.size() < 4) {
    std::cerr << "usage: reader BLOCKS OPERATIONS MODE:THREADS:LIST...\n";
    return EXIT_FAILURE;
  }
  try {
    compare(std::stoul(arguments[1]), std::stoul(arguments[2]), arguments.subspan(3));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "reader: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
