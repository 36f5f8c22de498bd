// main() of every test program. It runs GoogleTest and makes sure that the report is well-formed
// XML.
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/support/machine_lock.hpp"
#include "tests/support/xml_text.hpp"

namespace {

/// The path of GoogleTest's report. Empty if there is no report.
std::filesystem::path report() {
  constexpr std::string_view format = "xml:";
  const std::string output = GTEST_FLAG_GET(output);
  return output.starts_with(format) ? output.substr(format.size()) : std::string{};
}

/// GoogleTest copies the bytes of a message into its report without a change. Programs that read
/// the report fail if a byte is not valid in XML.
void make_well_formed(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (!text.empty()) {
    std::ofstream{path, std::ios::binary} << hypeman::tests::xml_text(text);
  }
}

/// Gives the program a mount namespace of its own. Otherwise `unshare --mount` in a test that runs
/// at the same time would copy the mounts of this program, and a copy keeps a file system alive
/// after its umount. Without privileges this fails, and the program cannot mount either.
void leave_mount_namespace() {
  if (::unshare(CLONE_NEWNS) == 0) {
    ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr);
  }
}

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  leave_mount_namespace();
  hypeman::tests::MachineLock::instance().share();
  const int status = RUN_ALL_TESTS();
  if (const auto path = report(); !path.empty()) {
    make_well_formed(path);
  }
  return status;
}
