// What is left of memory, as control groups say it in files.
#include "eval/run/memory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "eval/run/control_group.h"
#include "tests/sim/model/small_model.h"

namespace sala::eval {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20, kUnlimited = INT64_MAX;

// A machine's files below a folder.
class ControlGroups : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(folder_.file(path)).parent_path());
    write_bytes(folder_.file(path), text);
  }
  void write_proc(const std::string& groups, const std::string& mounts) {
    write("proc/self/cgroup", groups);
    write("proc/self/mountinfo", mounts);
  }
  int64_t left() const { return control_group_memory(folder_.path()); }
  const TemporaryFolder folder_;
};

const std::string kMount2 = "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string kMount1 =
    "21 20 0:20 / /proc rw - proc proc rw\n31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

TEST_F(ControlGroups, TheGroupsAboveCountInVersion2) {
  const std::string job = "sys/fs/cgroup/system.slice/slurm/job_7/";
  write_proc("0::/system.slice/slurm/job_7/step_0/user\n", kMount2);
  EXPECT_EQ(left(), kUnlimited) << "no files";
  write(job + "step_0/user/memory.max", "max\n");
  write(job + "step_0/user/memory.current", "1000\n");
  EXPECT_EQ(left(), kUnlimited);
  write(job + "memory.max", std::to_string(512 * kMiB) + "\n");
  write(job + "memory.current", std::to_string(12 * kMiB) + "\n");
  EXPECT_EQ(left(), 500 * kMiB);
  write(job + "memory.stat", "anon 5\ninactive_file " + std::to_string(2 * kMiB) + "\n");
  EXPECT_EQ(left(), 502 * kMiB) << "files in memory can be dropped";
  write(job + "step_0/memory.high", std::to_string(300 * kMiB) + "\n");
  EXPECT_EQ(left(), 300 * kMiB) << "beyond it the system stops a process again and again";
  write("sys/fs/cgroup/memory.max", "100\n");
  write("sys/fs/cgroup/memory.current", "200\n");
  EXPECT_EQ(left(), 0);
}

TEST_F(ControlGroups, TheGroupsAboveCountInVersion1) {
  write_proc("5:cpu,cpuacct:/other\n4:memory:/trial_job/step_0\n", kMount1);
  const std::string job = "sys/fs/cgroup/memory/trial_job/";
  write(job + "step_0/memory.limit_in_bytes", "9223372036854771712\n");
  write(job + "step_0/memory.usage_in_bytes", std::to_string(kMiB));
  write(job + "memory.limit_in_bytes", std::to_string(512 * kMiB));
  write(job + "memory.usage_in_bytes", std::to_string(2 * kMiB));
  EXPECT_EQ(left(), 510 * kMiB);
  write(job + "step_0/memory.stat", "cache 1\nhierarchical_memory_limit " + std::to_string(256 * kMiB) + "\n");
  EXPECT_EQ(left(), 255 * kMiB) << "a group that is not seen from here";
  write("sys/fs/cgroup/cpu/other/memory.limit_in_bytes", "1\n");
  EXPECT_EQ(left(), 255 * kMiB) << "not a group of memory";
}

// A container sees its own group at the mount; where it has no namespace of its own, under the path that the host knows.
TEST_F(ControlGroups, AContainerSeesAPart) {
  write("sys/fs/cgroup/memory.max", std::to_string(64 * kMiB));
  for (const char* group : {"0::/\n", "0::/docker/abc\n", "0::/../..\n"}) {
    write_proc(group, kMount2);
    EXPECT_EQ(left(), 64 * kMiB) << group;
  }
  write("sys/fs/cgroup/inner/memory.max", std::to_string(32 * kMiB));
  write_proc("0::/docker/abc/inner\n", "30 20 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(left(), 32 * kMiB);
  write_proc("0::/docker/abcd/inner\n", "30 20 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(left(), 64 * kMiB);
}

// Both versions are mounted on many systems: whichever leaves less counts.
TEST_F(ControlGroups, BothVersionsAtOnce) {
  write_proc("4:memory:/a\n0::/b\n", kMount1 + "33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", std::to_string(70 * kMiB));
  EXPECT_EQ(left(), 70 * kMiB);
  write("sys/fs/cgroup/unified/b/memory.max", std::to_string(50 * kMiB));
  EXPECT_EQ(left(), 50 * kMiB);
  write("sys/fs/cgroup/unified/b/memory.max", "garbage");
  EXPECT_EQ(left(), 70 * kMiB);
  write_proc("nonsense\n:\n", "nonsense\n");
  EXPECT_EQ(left(), kUnlimited);
}

TEST(Memory, TheProcessKnowsWhatItHas) {
  const int64_t before = resident_memory();
  EXPECT_GT(before, kMiB);
  const std::vector<char> more(64 << 20, 'x');
  EXPECT_GT(resident_memory(), before + 60 * kMiB) << more[1000];
}

// A device with memory of its own, of which so much is free.
class Card final : public Device {
 public:
  explicit Card(int64_t free) : free_(free) {}
  const char* name() const override { return "card"; }
  int64_t free_bytes() const override { return free_; }
  void copy(void*, const void*, int64_t, Copy) override {}
  void sync() override {}

 protected:
  void* do_allocate(int64_t) override { return nullptr; }
  void do_free(void*) noexcept override {}

 private:
  int64_t free_;
};

TEST(MemoryWithin, ALimitMakesASmallerCardAndNeverALargerOne) {
  const Card card(1000 * kMiB);
  EXPECT_EQ(memory_within(300 * kMiB, card).bytes, 300 * kMiB);
  EXPECT_EQ(memory_within(1000 * kMiB, card).bytes, 1000 * kMiB);
  const MemoryLimit more = memory_within(1001 * kMiB, card);
  EXPECT_EQ(more.bytes, 1000 * kMiB);
  EXPECT_NE(more.whose.find("more than is free on this device"), std::string::npos) << more.whose;
}

}  // namespace
}  // namespace sala::eval
