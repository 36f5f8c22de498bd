#include "httpbridge/http/statistics.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <semaphore>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

namespace hypeman::httpbridge {
namespace {

using Text = tl::expected<std::string, ReadError>;

const std::string web_id = "wwwwwwwwwwwwwwwwwwwwwwww";
const std::string hidden_id = "hhhhhhhhhhhhhhhhhhhhhhhh";

/// A source whose listings wait for the test.
struct Source {
  std::map<std::string, Text> names;
  std::atomic<int> reads = 0;
  std::counting_semaphore<> listing_began{0};
  std::counting_semaphore<> may_list{0};

  [[nodiscard]] Text read(const std::string& id) {
    ++reads;
    return id == hidden_id ? Text{tl::unexpected(ReadError::not_found)} : Text{"stats of " + id};
  }
  [[nodiscard]] Text find(const std::string& name) const {
    const auto found = names.find(name);
    return found == names.end() ? tl::unexpected(ReadError::not_found) : found->second;
  }
  [[nodiscard]] Text list() {
    listing_began.release();
    may_list.acquire();
    return hidden_id + "\nhhz\n" + web_id + "\nwwz1\nzzz\n";
  }
};

class StatisticsTest : public ::testing::Test {
 protected:
  void TearDown() override { source_->may_list.release(100); }

  /// The result is in `results()` when its read is complete.
  void request(const std::string& wanted) {
    boost::asio::co_spawn(
        loop_.get_executor(), statistics_.read({RouteKind::instance_stats, wanted}),
        [this, wanted](const std::exception_ptr&, const ReadPool::Result& result) {
          results_[wanted] = result.map([](const Body& body) { return *body; });
        });
  }
  /// wait_for_bodies() returns its body.
  void request_all(RouteKind kind) {
    boost::asio::co_spawn(loop_.get_executor(), statistics_.read({kind, {}}),
                          [this](const std::exception_ptr&, const ReadPool::Result& result) {
                            bodies_.push_back(result.value_or(nullptr));
                          });
  }
  [[nodiscard]] std::vector<Body> wait_for_bodies(std::size_t count) {
    while (bodies_.size() < count) {
      loop_.run_one();
    }
    return bodies_;
  }
  void wait_for(const std::string& wanted) {
    while (!results_.contains(wanted)) {
      loop_.run_one();
    }
  }
  [[nodiscard]] Text read(const std::string& wanted) {
    request(wanted);
    wait_for(wanted);
    return results_[wanted];
  }
  [[nodiscard]] Source& source() { return *source_; }
  [[nodiscard]] bool is_complete(const std::string& wanted) const {
    return results_.contains(wanted);
  }

 private:
  std::shared_ptr<Source> source_ = std::make_shared<Source>();
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      loop_.get_executor()};
  Statistics statistics_{
      loop_,
      {[source = source_](const Route& route) { return source->read(route.instance); },
       [source = source_](const Route& route) { return source->find(route.instance); },
       [source = source_](const Route&) { return source->list(); }},
      Limits{}};
  std::map<std::string, Text> results_;
  std::vector<Body> bodies_;
};

TEST_F(StatisticsTest, SimultaneousRequestsShareAReadOfAWholeHostFile) {
  for (const RouteKind kind : {RouteKind::all_stats, RouteKind::metrics}) {
    request_all(kind);
    request_all(kind);
    request_all(kind);
  }
  const auto bodies = wait_for_bodies(6);
  EXPECT_EQ(source().reads, 2);
  EXPECT_TRUE(
      std::all_of(bodies.begin(), bodies.end(), [](const Body& body) { return body != nullptr; }));
  EXPECT_EQ(std::set(bodies.begin(), bodies.end()).size(), 2U) << "a file is in memory twice";
}

TEST_F(StatisticsTest, AListingDelaysNeitherIdsNorNames) {
  source().names["web"] = web_id;
  for (const char* prefix : {"a", "b", "c", "d", "e", "f", "g", "w"}) {
    request(prefix);
  }
  EXPECT_EQ(read(web_id), "stats of " + web_id);
  EXPECT_EQ(read("web"), "stats of " + web_id);
  EXPECT_FALSE(is_complete("w"));
}

TEST_F(StatisticsTest, FindsAPrefixInTheListing) {
  source().may_list.release(100);
  EXPECT_EQ(read("z"), "stats of zzz");
  EXPECT_EQ(read("wwz"), "stats of wwz1");
  EXPECT_EQ(read("wwww"), "stats of " + web_id);
  for (const char* absent : {"a", "hi", "wx", "zzzz"}) {
    EXPECT_EQ(read(absent), tl::unexpected(ReadError::not_found)) << absent;
  }
}

TEST_F(StatisticsTest, AHiddenInstanceIsNoMatch) {
  source().may_list.release(3);
  EXPECT_EQ(read("h"), "stats of hhz");
  EXPECT_EQ(read("hhhh"), tl::unexpected(ReadError::not_found));
  EXPECT_EQ(read("ww"), tl::unexpected(ReadError::ambiguous));
}

TEST_F(StatisticsTest, AnAbsentIdIsNoPrefix) {
  EXPECT_EQ(read(hidden_id), tl::unexpected(ReadError::not_found));
  EXPECT_EQ(read(hidden_id + "h"), tl::unexpected(ReadError::not_found));
  EXPECT_FALSE(source().listing_began.try_acquire());
}

TEST_F(StatisticsTest, AnAmbiguousNameIsNoPrefix) {
  source().names["zz"] = tl::unexpected(ReadError::ambiguous);
  EXPECT_EQ(read("zz"), tl::unexpected(ReadError::ambiguous));
  EXPECT_FALSE(source().listing_began.try_acquire());
}

TEST_F(StatisticsTest, ALinkToAnAbsentInstanceIsNoMatch) {
  source().names["zz"] = hidden_id;
  source().may_list.release();
  EXPECT_EQ(read("zz"), "stats of zzz");
}

}  // namespace
}  // namespace hypeman::httpbridge
