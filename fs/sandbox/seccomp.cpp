#include "fs/sandbox/seccomp.hpp"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>

#include <seccomp.h>

#include "fs/sandbox/sanitizers.hpp"

namespace hypeman::fs {
namespace {

/// Needed to receive requests, to read the statistics, and to send replies.
constexpr std::array request_calls{
    SCMP_SYS(read),       SCMP_SYS(pread64),    SCMP_SYS(readv),   SCMP_SYS(write),
    SCMP_SYS(writev),     SCMP_SYS(openat2),    SCMP_SYS(close),   SCMP_SYS(fstat),
    SCMP_SYS(newfstatat), SCMP_SYS(fstatat64),  SCMP_SYS(statx),   SCMP_SYS(getdents64),
    SCMP_SYS(lseek),      SCMP_SYS(poll),       SCMP_SYS(ppoll),   SCMP_SYS(eventfd2),
    SCMP_SYS(dup2),       SCMP_SYS(dup3),       SCMP_SYS(getpid),  SCMP_SYS(gettid),
    SCMP_SYS(exit),       SCMP_SYS(exit_group), SCMP_SYS(uname),   SCMP_SYS(clock_gettime),
    SCMP_SYS(time),       SCMP_SYS(getrandom),  SCMP_SYS(sysinfo), SCMP_SYS(gettimeofday),
    SCMP_SYS(getuid),     SCMP_SYS(geteuid),    SCMP_SYS(getgid),  SCMP_SYS(getegid),
    SCMP_SYS(readlinkat),
};

/// Needed by glibc for threads, memory and signals.
constexpr std::array runtime_calls{
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(membarrier),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall),
};

/// Needed by the sanitizers. They use pipes to test whether memory is readable. At exit, the leak
/// checker creates a process that stops all threads and inspects them.
constexpr std::array sanitizer_calls{
    SCMP_SYS(clone),   SCMP_SYS(ptrace), SCMP_SYS(wait4),       SCMP_SYS(prctl),
    SCMP_SYS(open),    SCMP_SYS(mmap),   SCMP_SYS(sigaltstack), SCMP_SYS(readlink),
    SCMP_SYS(getppid), SCMP_SYS(stat),   SCMP_SYS(mprotect),    SCMP_SYS(prlimit64),
    SCMP_SYS(pipe),    SCMP_SYS(pipe2),  SCMP_SYS(getdents),
};

struct ReleaseFilter {
  void operator()(scmp_filter_ctx filter) const { ::seccomp_release(filter); }
};

/// Conditions on an argument of a system call.
scmp_arg_cmp equals(unsigned argument, scmp_datum_t value) {
  return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}
scmp_arg_cmp has_bits(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

/// A libseccomp filter. Remembers the first error; load() returns it.
class Filter {
 public:
  Filter() : filter_{::seccomp_init(SCMP_ACT_ERRNO(EPERM))} {
    if (filter_ == nullptr) {
      error_ = ENOMEM;
      return;
    }
    constexpr std::uint32_t binary_tree = 2;
    record(::seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_OPTIMIZE, binary_tree));
  }

  void allow(std::span<const int> calls) {
    for (const int call : calls) {
      allow(call, {});
    }
  }

  /// Allows a system call if all conditions hold. If this is called repeatedly for the same system
  /// call, one of the rules must match.
  void allow(int call, std::initializer_list<scmp_arg_cmp> conditions) {
    add(SCMP_ACT_ALLOW, call, conditions);
  }

  /// Makes a system call fail with ENOSYS, as if the kernel did not implement it.
  void deny_as_unimplemented(int call) { add(SCMP_ACT_ERRNO(ENOSYS), call, {}); }

  [[nodiscard]] Result<void> load() {
    if (error_ == 0) {
      record(::seccomp_load(filter_.get()));
    }
    return error_ == 0 ? Result<void>{} : failure(error_);
  }

 private:
  void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions) {
    if (error_ == 0) {
      record(::seccomp_rule_add_array(filter_.get(), action, call,
                                      static_cast<unsigned>(conditions.size()),
                                      conditions.begin()));
    }
  }

  void record(int result) {
    if (error_ == 0 && result < 0) {
      error_ = -result;
    }
  }

  std::unique_ptr<void, ReleaseFilter> filter_;
  int error_ = 0;
};

void allow_reading_files(Filter& filter) {
  constexpr auto writes = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
  filter.allow(SCMP_SYS(openat), {has_bits(2, writes, O_RDONLY)});
  for (const auto command : {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC}) {
    filter.allow(SCMP_SYS(fcntl), {equals(1, static_cast<scmp_datum_t>(command))});
  }
}

void allow_threads(Filter& filter) {
  // A filter cannot check the flags of clone3(2), because they are in memory. After ENOSYS, glibc
  // uses clone(2).
  filter.deny_as_unimplemented(SCMP_SYS(clone3));
  filter.allow(SCMP_SYS(clone), {has_bits(0, CLONE_THREAD, CLONE_THREAD)});
  filter.allow(SCMP_SYS(tgkill), {equals(0, static_cast<scmp_datum_t>(::getpid()))});
  filter.allow(SCMP_SYS(mmap), {has_bits(2, PROT_EXEC, 0)});
  filter.allow(SCMP_SYS(mprotect), {has_bits(2, PROT_EXEC, 0)});
  // Allows a process to read its own limits. A third argument other than 0 would set a limit.
  filter.allow(SCMP_SYS(prlimit64), {equals(0, 0), equals(2, 0)});
}

/// syslog(3) connects a new socket after a restart of syslogd.
void allow_syslog(Filter& filter) {
  filter.allow(SCMP_SYS(socket), {equals(0, AF_UNIX), equals(1, SOCK_DGRAM | SOCK_CLOEXEC)});
  filter.allow(SCMP_SYS(connect), {});
  filter.allow(SCMP_SYS(sendto), {equals(4, 0)});
}

void allow_rings(Filter& filter) {
  filter.allow(SCMP_SYS(io_uring_enter), {has_bits(3, ~scmp_datum_t{IORING_ENTER_GETEVENTS}, 0)});
  // Moves only the calling thread.
  filter.allow(SCMP_SYS(sched_setaffinity), {equals(0, 0)});
}

}  // namespace

Result<void> restrict_system_calls(LogTarget log, bool io_uring) {
  Filter filter;
  filter.allow(request_calls);
  filter.allow(runtime_calls);
  allow_reading_files(filter);
  if constexpr (sanitized) {
    filter.allow(sanitizer_calls);
  }
  allow_threads(filter);
  if (log == LogTarget::syslog) {
    allow_syslog(filter);
  }
  if (io_uring) {
    allow_rings(filter);
  }
  return filter.load();
}

}  // namespace hypeman::fs
