#include "daemon/api/paths.h"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace conceptd::api {
namespace {

class Paths : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"CONCEPTD_DATA", "CONCEPTD_SOCKET", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"}) ::unsetenv(name);
  }
  void TearDown() override { SetUp(); }
  test::TempFolder folder_;
};

TEST_F(Paths, TheEnvironmentSaysWhere) {
  ::setenv("CONCEPTD_DATA", "/data", 1);
  EXPECT_EQ(default_data_dir(), "/data");
  EXPECT_EQ(socket_to_connect(), "/data/conceptd.sock");
  EXPECT_EQ(socket_to_listen("/data"), "/data/conceptd.sock");
  ::setenv("CONCEPTD_SOCKET", "/elsewhere.sock", 1);
  EXPECT_EQ(socket_to_connect(), "/elsewhere.sock");
  EXPECT_EQ(socket_to_listen("/data"), "/elsewhere.sock");
}

TEST_F(Paths, AFolderOfItsOwnHasItsOwnSocket) {
  EXPECT_EQ(socket_to_listen(folder_ / "data"), folder_ / "data" / "conceptd.sock");
}

TEST_F(Paths, AClientTakesTheFirstThatIsThere) {
  ::setenv("XDG_RUNTIME_DIR", folder_.path().c_str(), 1);
  test::plant(folder_ / "conceptd.sock", "");
  if (!std::filesystem::exists("/run/conceptd/conceptd.sock")) {
    EXPECT_EQ(socket_to_connect(), folder_ / "conceptd.sock");
  }
}

}  // namespace
}  // namespace conceptd::api
