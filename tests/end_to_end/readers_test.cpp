#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/child_process.hpp"
#include "tests/support/data_directory.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/instance_id.hpp"
#include "tests/support/privileges.hpp"
#include "tests/support/stats_mount.hpp"
#include "tests/support/tap.hpp"
#include "tests/support/threads.hpp"

namespace hypeman::tests {
namespace {

const std::string id = own_instance_id('q');

/// Many programs, run by an unprivileged user. The instance runs but its numbers do not change, so
/// all programs must read the same bytes.
class Readers : public EndToEndTest {
 protected:
  void SetUp() override {
    EndToEndTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    auto record = running_record(id, process.pid(), data.socket(id));
    record.network_enabled = true;
    data.create_overlay(id, 1 << 20);
    data.write(record);
    tap.write_frame(unanswered_arp_frame(1000));
    mount = std::make_unique<StatsMount>(data.path());
    std::filesystem::permissions(scratch.path(), std::filesystem::perms::all);
    // On a busy machine, the first check of the command line can take longer than a read waits.
    ASSERT_TRUE(eventually([&] { return mount->read(id, "cpu_seconds").error != ETIMEDOUT; }));
    json = mount->read(id, "stats.json").text;
    ASSERT_GT(json.size(), 300U);
  }

  /// Runs a shell command as "nobody" in the tree. The command can write to the directory $OUT.
  [[nodiscard]] CommandResult shell(const std::string& command) const {
    auto options = as_unprivileged_user();
    options.working_directory = mount->path();
    options.environment["OUT"] = scratch.path();
    options.environment["ID"] = id;
    return run({"/bin/sh", "-c", command}, options);
  }

  void expect_json(const std::string& command) const {
    const auto result = shell(command);
    EXPECT_TRUE(result.status.success()) << command << ": " << result.err;
    EXPECT_EQ(result.out, json) << command;
  }

  void expect_output(const std::string& command, const std::string& out) const {
    const auto result = shell(command);
    EXPECT_TRUE(result.status.success()) << command << ": " << result.err;
    EXPECT_EQ(result.out, out) << command;
  }

  /// The command fails with the message of EROFS.
  void expect_read_only(const std::string& command) const {
    const auto result = shell(command);
    EXPECT_FALSE(result.status.success()) << command;
    EXPECT_NE(result.err.find("Read-only file system"), std::string::npos)
        << command << ": " << result.err;
  }

  DataDirectory data;
  TemporaryDirectory scratch;
  Tap tap{tap_of(id)};
  ThreadedStandIn process{data.socket(id), {"vcpu0", "vcpu1"}};
  std::unique_ptr<StatsMount> mount;
  std::string json;
};

TEST_F(Readers, Cat) {
  expect_json("cat $ID/stats.json");
}
TEST_F(Readers, CatByName) {
  expect_json("cat by-name/my-web-server/stats.json");
}
TEST_F(Readers, BusyboxCat) {
  expect_json("busybox cat $ID/stats.json");
}
TEST_F(Readers, Head) {
  expect_output("head -c 5 $ID/allocated_memory_bytes", "42949");
}
TEST_F(Readers, Tail) {
  expect_output("tail -c 3 $ID/allocated_memory_bytes", "96\n");
}
TEST_F(Readers, TailOfALongerFile) {
  expect_output("tail -c 3 $ID/stats.json", "\n}\n");
}
TEST_F(Readers, WordCount) {
  expect_output("wc -c < $ID/stats.json", std::to_string(json.size()) + "\n");
}
TEST_F(Readers, Stat) {
  expect_output("stat -c %s $ID/stats.json", std::to_string(json.size()) + "\n");
}
TEST_F(Readers, Cp) {
  expect_json("cp $ID/stats.json $OUT/copy && cat $OUT/copy");
}
TEST_F(Readers, CpRecursive) {
  expect_json("cp -r . $OUT/tree && cat $OUT/tree/by-name/my-web-server/stats.json");
}
TEST_F(Readers, Dd) {
  expect_json("dd if=$ID/stats.json bs=7 status=none");
}
TEST_F(Readers, Tar) {
  expect_json("tar c . | tar xO ./$ID/stats.json");
}
// Since 1.35, tar compares the modification times before and after it reads. They are those of the
// samples, so it reports each file, and no directory.
TEST_F(Readers, TarReportsNothingButThatFilesChange) {
  expect_output("tar cf $OUT/tree.tar . 2>&1 | sed '/[^/]: file changed as we read it$/d'", "");
  expect_output("tar tf $OUT/tree.tar | grep -c '[^/]$'", "36\n");
}
TEST_F(Readers, Rsync) {
  expect_json("rsync -a . $OUT/tree && cat $OUT/tree/$ID/stats.json");
}
TEST_F(Readers, RsyncOfTheWholeTreeReportsNoProblem) {
  expect_output("rsync -a . $OUT/tree 2>&1", "");
}
TEST_F(Readers, Sort) {
  expect_output("sort -u $ID/allocated_vcpus", "2\n");
}
TEST_F(Readers, ShellRead) {
  expect_output("read -r v < $ID/allocated_vcpus && echo $v", "2\n");
}
TEST_F(Readers, GrepRecursive) {
  expect_output("grep -rl my-web-server $ID | sort",
                std::string{id} + "/instance_name\n" + id + "/stats.json\n");
}
TEST_F(Readers, Find) {
  expect_output("find . -type f | wc -l", "35\n");
  expect_output("find . -type l", "./by-name/my-web-server\n");
}
TEST_F(Readers, ReadersOfWholeTreesFindTheVcpus) {
  expect_output("find $ID/vcpus | sort | cut -d/ -f2- | tr '\\n' ' '",
                "vcpus vcpus/0 vcpus/0/cpu_seconds vcpus/0/wait_seconds "
                "vcpus/1 vcpus/1/cpu_seconds vcpus/1/wait_seconds ");
  expect_output("ls -lR $ID | grep -c _seconds", "8\n");
  expect_output("grep -rc . $ID/vcpus | cut -d: -f2 | tr -d '\\n'", "1111");
  expect_output("cp -r $ID $OUT/copy && cd $OUT/copy && cat vcpus/1/cpu_seconds",
                mount->value(id, "vcpus/1/cpu_seconds") + "\n");
  expect_output("tar c $ID | tar xO $ID/vcpus/0/wait_seconds",
                mount->value(id, "vcpus/0/wait_seconds") + "\n");
  expect_output("cd $ID/vcpus/0 && cat cpu_seconds ../../vcpus/0/cpu_seconds | uniq | wc -l",
                "1\n");
}
TEST_F(Readers, SizeOfEveryFileIsThatOfItsContent) {
  expect_output(
      "find . -type f | while read f; do s=$(stat -c %s $f); test $s -gt 0 || echo $f empty; "
      "n=$(cat $f | wc -c); test $s = $n || echo $f $s $n; done",
      "");
}
TEST_F(Readers, SendfileOfEveryFile) {
  expect_output(
      "find . -type f | sort >$OUT/names && /usr/bin/python3 -c 'import os\n"
      "for name in open(os.environ[\"OUT\"]+\"/names\").read().split():\n"
      "  i=os.open(name,0); o=os.open(os.environ[\"OUT\"]+\"/copy\","
      "os.O_RDWR|os.O_CREAT|os.O_TRUNC)\n"
      "  size=os.fstat(i).st_size; sent=os.sendfile(o,i,0,size)\n"
      "  same=name in (\"./metrics.prom\",\"./summary\") or "
      "os.pread(o,sent,0)==open(name,\"rb\").read()\n"
      "  if sent!=size or not same: print(name,size,sent)\n"
      "  os.close(i); os.close(o)'",
      "");
}
TEST_F(Readers, PythonCopyfile) {
  expect_json(
      "/usr/bin/python3 -c 'import shutil,os; o=os.environ; "
      "shutil.copyfile(o[\"ID\"]+\"/stats.json\", o[\"OUT\"]+\"/copy\")' && cat $OUT/copy");
}
TEST_F(Readers, PythonMmapIsRefusedOrWhole) {
  expect_json(
      "/usr/bin/python3 -c 'import mmap,os,sys; f=open(os.environ[\"ID\"]+\"/stats.json\"); "
      "sys.stdout.write(mmap.mmap(f.fileno(),0,mmap.MAP_PRIVATE,mmap.PROT_READ)[:].decode())'");
}
TEST_F(Readers, Sendfile) {
  expect_json(
      "/usr/bin/python3 -c 'import os; i=os.open(os.environ[\"ID\"]+\"/stats.json\",0); "
      "o=os.open(os.environ[\"OUT\"]+\"/copy\",os.O_WRONLY|os.O_CREAT); "
      "os.sendfile(o,i,0,os.fstat(i).st_size)' && cat $OUT/copy");
}
TEST_F(Readers, SendfileWithALargerCount) {
  expect_json(
      "/usr/bin/python3 -c 'import os; i=os.open(os.environ[\"ID\"]+\"/stats.json\",0); "
      "o=os.open(os.environ[\"OUT\"]+\"/copy\",os.O_WRONLY|os.O_CREAT); "
      "os.sendfile(o,i,0,65536)' && cat $OUT/copy");
}
TEST_F(Readers, SpliceIntoAPipe) {
  expect_json(
      "/usr/bin/python3 -c 'import os; i=os.open(os.environ[\"ID\"]+\"/stats.json\",0); "
      "r,w=os.pipe(); n=os.splice(i,w,65536); os.write(1,os.read(r,n))'");
}
TEST_F(Readers, NodeReadFileSync) {
  const auto node = run({"/bin/sh", "-c", "command -v node"});
  ASSERT_TRUE(node.status.success()) << "node is missing: install nodejs";
  expect_json(
      "node -e 'process.stdout.write(require(\"fs\").readFileSync(process.env.ID+"
      "\"/stats.json\"))'");
}

TEST_F(Readers, SendfileOnAnOpenFileIsAsFreshAsARead) {
  const auto* const command =
      "/usr/bin/python3 -c 'import os,sys\n"
      "i=os.open(os.environ[\"ID\"]+\"/network_tx_bytes\",0)\n"
      "o=os.open(os.environ[\"OUT\"]+\"/copy\",os.O_RDWR|os.O_CREAT)\n"
      "def now():\n"
      "  os.ftruncate(o,0); os.lseek(o,0,0); n=os.sendfile(o,i,0,os.fstat(i).st_size)\n"
      "  return os.pread(o,n,0)\n"
      "a=now(); open(os.environ[\"OUT\"]+\"/ready\",\"w\").close()\n"
      "import time\n"
      "while not os.path.exists(os.environ[\"OUT\"]+\"/go\"): time.sleep(0.01)\n"
      "sys.stdout.write(a.decode()+now().decode())'";
  auto options = as_unprivileged_user();
  options.working_directory = mount->path();
  options.environment["OUT"] = scratch.path();
  options.environment["ID"] = id;
  auto child = ChildProcess::spawn({"/bin/sh", "-c", command}, options);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(scratch.path() / "ready"); }));
  tap.write_frame(unanswered_arp_frame(1000));
  const std::ofstream go{scratch.path() / "go"};
  ASSERT_TRUE(child.wait(std::chrono::seconds{10}));
  EXPECT_EQ(child.captured_out(), "1000\n2000\n") << child.captured_err();
}

TEST_F(Readers, ListingShowsKindsModesOwnersAndSizes) {
  expect_output("ls -ld $ID | cut -c1-10", "dr-xr-xr-x\n");
  expect_output("ls -l $ID/stats.json | awk '{print $1,$3,$4,$5}'",
                "-r--r--r-- root root " + std::to_string(json.size()) + "\n");
  expect_output("ls -l by-name | awk 'NR>1{print $9,$10,$11}'",
                std::string{"my-web-server -> ../"} + id + "\n");
  expect_output("ls -l $ID | awk 'NR>1{print $9}' | tr '\\n' ' '",
                "allocated_memory_bytes allocated_vcpus cpu_guest_seconds cpu_seconds "
                "cpu_wait_seconds disk_allocated_bytes disk_size_bytes instance_id instance_name "
                "memory_major_faults memory_rss_anon_bytes memory_rss_bytes memory_rss_file_bytes "
                "memory_rss_shmem_bytes memory_swap_bytes memory_utilization_ratio "
                "memory_vms_bytes network_rx_bytes network_rx_dropped network_rx_errors "
                "network_rx_packets network_tx_bytes network_tx_dropped network_tx_errors "
                "network_tx_packets start_time_seconds state stats.json vcpus ");
  expect_output("ls -l $ID/vcpus | awk 'NR>1{print $1,$9}'", "dr-xr-xr-x 0\ndr-xr-xr-x 1\n");
  expect_output("ls $ID/vcpus/1", "cpu_seconds\nwait_seconds\n");
}

TEST_F(Readers, ListingAndStatShowTheSameInodes) {
  expect_output(
      "for d in . $ID by-name $ID/vcpus $ID/vcpus/0 $ID/vcpus/1; do ls -i $d | while read i f; do "
      "test $(stat -c %i $d/$f) = $i || echo $d/$f; done; done",
      "");
}

TEST_F(Readers, EverythingIsReadOnly) {
  const auto root_too = [&](const std::string& command) {
    expect_read_only(command);
    const auto result =
        run({"/bin/sh", "-c", "cd " + mount->path().string() + "; ID=" + id + "; " + command});
    EXPECT_NE(result.err.find("Read-only file system"), std::string::npos)
        << "as root: " << command << ": " << result.err;
  };
  root_too("echo 1 > $ID/cpu_seconds");
  root_too("echo 1 >> $ID/cpu_seconds");
  root_too("echo 1 > $ID/new");
  root_too("chmod 777 $ID/cpu_seconds");
  root_too("chmod 777 $ID");
  root_too("chown 1 $ID/cpu_seconds");
  root_too("rm -f $ID/cpu_seconds");
  root_too("rmdir $ID");
  root_too("rmdir $ID/vcpus");
  root_too("mkdir $ID/vcpus/2");
  root_too("echo 1 > $ID/vcpus/0/cpu_seconds");
  root_too("echo 1 > summary");
  root_too("mkdir new");
  root_too("mv $ID/cpu_seconds $ID/new");
  root_too("mv $ID new");
  root_too("ln -s x new");
  root_too("ln $ID/cpu_seconds $ID/new");
  root_too("mkfifo new");
  root_too("touch $ID/cpu_seconds");
  root_too("truncate -s 0 $ID/cpu_seconds");
  root_too("rm by-name/my-web-server");
}

TEST_F(Readers, UnknownNamesAreNotFound) {
  for (const auto* const path :
       {"unknown", "by-name/unknown", "$ID/unknown", "$ID/by-name", "by-name/$ID", "metadata.json",
        "by-name/..-", "$ID/cpu_seconds2"}) {
    EXPECT_NE(shell(std::string{"cat "} + path).err.find("No such file"), std::string::npos)
        << path;
  }
  EXPECT_NE(shell("cat $ID/cpu_seconds/x").err.find("Not a directory"), std::string::npos);
  EXPECT_NE(shell("cat $ID").err.find("Is a directory"), std::string::npos);
}

TEST_F(Readers, ParallelReadersAllSucceed) {
  expect_output(
      "for n in 1 2 3 4 5 6 7 8; do (for m in $(seq 200); do cat $ID/stats.json "
      "> /dev/null && ls . $ID by-name > /dev/null || echo failed; done) & done; wait",
      "");
}

TEST_F(Readers, ModeAndGroupRestrictReaders) {
  const StatsMount narrow{data.path(), {"-o", "mode=0440,gid=12345"}};
  auto stranger = as_unprivileged_user();
  const auto file = (narrow / id / "cpu_seconds").string();
  EXPECT_NE(run({"cat", file}, stranger).err.find("Permission denied"), std::string::npos);
  EXPECT_NE(run({"ls", narrow.path()}, stranger).err.find("Permission denied"), std::string::npos);
  auto member = stranger;
  member.gid = 12345;
  EXPECT_TRUE(run({"cat", file}, member).status.success());
  const auto listed = run({"stat", "-c", "%a %g", narrow / id, file}, member);
  EXPECT_EQ(listed.out, "550 12345\n440 12345\n") << listed.err;
}

}  // namespace
}  // namespace hypeman::tests
