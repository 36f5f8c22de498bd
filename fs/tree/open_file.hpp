#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/instances/instance.hpp"
#include "fs/tree/node.hpp"
#include "fs/tree/reader_memory.hpp"

namespace hypeman::fs {

/// The user and the thread that sent a request. A thread of another PID namespace has the number 0.
struct Reader {
  uid_t user = 0;
  pid_t thread = 0;
};

/// One open(2) of a file. Tree::read() fills it.
struct OpenFile {
  OpenFile(Node opened, Inode number, std::shared_ptr<collector::Instance> owner,
           ReaderMemory::Share used)
      : node{std::move(opened)},
        inode{number},
        instance{std::move(owner)},
        memory{std::move(used)} {}

  const Node node;
  const Inode inode;
  const std::shared_ptr<collector::Instance> instance;  ///< null for a file of the whole host
  const ReaderMemory::Share memory;

  std::mutex mutex;  ///< guards the members below; not held while a file is measured
  std::shared_ptr<const std::string> text;  ///< null: not read yet, or read to the end
  std::size_t end = 0;                      ///< the size of the text that was read to the end
  ReaderMemory::Share text_memory;
};

/// A part of the content of a file.
struct Slice {
  std::shared_ptr<const std::string> text;
  std::string_view bytes;  ///< a part of the text
};

/// One listing of a directory. It can be long, so it takes two pieces of memory only.
class Listing {
 public:
  struct Entry {
    std::string_view name;
    Inode inode = 0;
    mode_t type = 0;  ///< as in st_mode
  };

  void add(std::string_view name, Inode inode, mode_t type) {
    places_.push_back(
        {.begin = names_.size(), .length = name.size(), .inode = inode, .type = type});
    names_ += name;
  }

  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] Entry at(std::size_t index) const {
    const auto& [begin, length, inode, type] = places_.at(index);
    return {.name = std::string_view{names_}.substr(begin, length), .inode = inode, .type = type};
  }

  /// In bytes.
  [[nodiscard]] std::size_t memory() const {
    return names_.capacity() + places_.capacity() * sizeof(Place);
  }

 private:
  struct Place {
    std::size_t begin = 0;
    std::size_t length = 0;
    Inode inode = 0;
    mode_t type = 0;
  };

  std::string names_;
  std::vector<Place> places_;
};

/// One opendir(3). Tree::list() fills it.
struct OpenDirectory {
  OpenDirectory(Inode number, ReaderMemory::Share used) : inode{number}, memory{std::move(used)} {}

  const Inode inode;
  const ReaderMemory::Share memory;

  std::mutex mutex;                        ///< guards the members below
  std::shared_ptr<const Listing> listing;  ///< null: not read yet, or read to the end
  ReaderMemory::Share listing_memory;
};

}  // namespace hypeman::fs
