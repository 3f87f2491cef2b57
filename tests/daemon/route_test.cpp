// Goal: nothing that was rolled back can be reached through a consolidated delta. Method: made-up manifests.
// Source: l2dm.md, section 10.
#include "daemon/route.h"

#include <gtest/gtest.h>

namespace conceptd::daemon {
namespace {

TEST(Route, NothingRevokedIsReached) {  // invariants 20, 22, 24
  const auto digest = [](const char* text) { return Digest::of(text); };
  const Manifest live{{"a", digest("a2")}, {"b", digest("b1")}, {"c", digest("c1")}};
  const std::vector<Manifest> made{{{"a", digest("a1")}, {"b", digest("b1")}, {"c", digest("c1")}},
                                   {{"b", digest("b1")}, {"c", digest("c1")}}};
  const auto asked = [&](std::initializer_list<const char*> names) {
    Manifest named;
    for (const auto* name : names) named[name] = live.at(name);
    return route(named, live, made);
  };
  using Way = Route::Way;
  EXPECT_EQ(asked({}).way, Way::base);
  EXPECT_EQ(asked({"b"}).way, Way::own);
  EXPECT_EQ(asked({"b", "c"}), (Route{Way::consolidated, 1}));  // the first has a version of <a> that went
  EXPECT_EQ(asked({"a", "b"}).way, Way::sum);
  auto again = live;
  again["a"] = digest("a1");  // rolled back: the newer one is right again
  EXPECT_EQ(route({{"a", digest("a1")}, {"b", digest("b1")}}, again, made), (Route{Way::consolidated, 0}));
  EXPECT_EQ(route({{"b", digest("b0")}, {"c", digest("c1")}}, live, made).way, Way::sum);  // an older <b@1>
  again.erase("c");
  EXPECT_FALSE(is_untainted(made[0], again));
}

}  // namespace
}  // namespace conceptd::daemon
