#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "httpbridge/http/reply.hpp"

namespace hypeman::httpbridge {

/// Counts the bytes of the response bodies that are being sent. A body that several responses share
/// is in memory once and counts once.
class UnsentBodies {
 public:
  explicit UnsentBodies(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Whether a response may be sent. If no other one is, it may have any size.
  [[nodiscard]] bool has_room_for(const Body& body) const {
    return bytes_ == 0 || responses_.contains(body.get()) || bytes_ + body->size() <= max_bytes_;
  }

  void add(const Body& body) {
    if (responses_[body.get()]++ == 0) {
      bytes_ += body->size();
    }
  }

  void remove(const Body& body) {
    const auto found = responses_.find(body.get());
    if (--found->second == 0) {
      responses_.erase(found);
      bytes_ -= body->size();
    }
  }

 private:
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::unordered_map<const std::string*, std::size_t> responses_;  // the number that share a body
};

}  // namespace hypeman::httpbridge
