#include "httpbridge/http/route.hpp"

#include <gtest/gtest.h>

#include "base/instance_names.hpp"

namespace hypeman::httpbridge {
namespace {

Route stats_of(std::string wanted) {
  return {RouteKind::instance_stats, std::move(wanted)};
}
const Route impossible = stats_of("");

TEST(FindRoute, FindsEachRoute) {
  EXPECT_EQ(find_route("/instances/abc/stats"), stats_of("abc"));
  EXPECT_EQ(find_route("/metrics"), (Route{RouteKind::metrics, {}}));
  EXPECT_EQ(find_route("/stats"), (Route{RouteKind::all_stats, {}}));
  EXPECT_EQ(find_route("/healthz"), (Route{RouteKind::health, {}}));
  EXPECT_EQ(find_route("/health"), (Route{RouteKind::health, {}}));
}

TEST(FindRoute, FindsNoOtherRoute) {
  for (const char* target : {"",
                             "/",
                             "*",
                             "metrics",
                             "/metrics/",
                             "//metrics",
                             "/Metrics",
                             "/metrics/x",
                             "/stats/",
                             "/stats/x",
                             "/x/stats",
                             "/instances.json",
                             "/metrics.prom",
                             "/instances",
                             "/instances/",
                             "/instances/abc",
                             "/instances/abc/",
                             "/instances/abc/stats/",
                             "/instances/abc/stats/x",
                             "/instances//abc/stats",
                             "/x/instances/abc/stats",
                             "/instances/abc/metadata",
                             "/instances/../stats/x",
                             "/instances%2fabc%2fstats",
                             "/metrics%00",
                             "/%6",
                             "/%",
                             "https://host/metrics",
                             "http:/metrics"}) {
    EXPECT_EQ(find_route(target), std::nullopt) << target;
  }
}

TEST(FindRoute, IgnoresTheQuery) {
  EXPECT_EQ(find_route("/instances/abc/stats?x=/y"), stats_of("abc"));
  EXPECT_EQ(find_route("/metrics?"), (Route{RouteKind::metrics, {}}));
}

TEST(FindRoute, AcceptsTheAbsoluteForm) {
  EXPECT_EQ(find_route("http://any:1/instances/abc/stats"), stats_of("abc"));
  EXPECT_EQ(find_route("HTTP://any:1/instances/abc/stats"), stats_of("abc"));
  EXPECT_EQ(find_route("http://any"), std::nullopt);
}

TEST(FindRoute, DecodesOnce) {
  EXPECT_EQ(find_route("/instances/%61b%63/stats"), stats_of("abc"));
  EXPECT_EQ(find_route("/%6detrics"), (Route{RouteKind::metrics, {}}));
  EXPECT_EQ(find_route("/instances/%2561bc/stats"), impossible);
}

TEST(FindRoute, RefusesTextThatCannotMatch) {
  for (const char* segment :
       {"..", ".",   "%2e%2e",   "%2E%2e", "a%2fb",   "%2f", "%00", "a%00", "%",
        "%4", "%zz", "%+1",      "%-1",    "a b",     "A",   "a_b", "a.b",  "metrics.prom",
        "-a", "a-",  "\xc3\xa9", "%c3%a9", "a%0d%0ab"}) {
    EXPECT_EQ(find_route("/instances/" + std::string{segment} + "/stats"), impossible) << segment;
  }
  EXPECT_EQ(find_route("/instances/" + std::string(64, 'a') + "/stats"), impossible);
  EXPECT_EQ(find_route("/instances/" + std::string(63, 'a') + "/stats"),
            stats_of(std::string(63, 'a')));
}

TEST(InstanceNames, FollowTheirGrammar) {
  EXPECT_TRUE(is_instance_id("ab"));
  EXPECT_TRUE(is_instance_id("qilviffnqzck2jrim1x6s2b1"));
  EXPECT_FALSE(is_instance_id("a"));
  EXPECT_FALSE(is_instance_id("1a"));
  EXPECT_FALSE(is_instance_id("by-name"));
  EXPECT_FALSE(is_instance_id(std::string(33, 'a')));
  EXPECT_TRUE(is_instance_id_prefix("a"));
  EXPECT_FALSE(is_instance_id_prefix(""));
  EXPECT_TRUE(is_instance_name("1"));
  EXPECT_TRUE(is_instance_name("my-web-server"));
  EXPECT_FALSE(is_instance_name(""));
  EXPECT_FALSE(is_instance_name("web-"));
  EXPECT_FALSE(is_instance_name(".."));
}

}  // namespace
}  // namespace hypeman::httpbridge
