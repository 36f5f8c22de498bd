// A process that tests use instead of a hypervisor. It accepts any arguments, such as the path of a
// socket, and does nothing until it is killed. The first argument may be an option:
//   --busy                 uses CPU time in user mode and in kernel mode
//   --share-memory         writes to 1 MiB of shared anonymous memory
//   --lock-memory FILE     writes into a shared mapping of the file and replaces the mapping. The
//                          kernel then writes the file back and holds the lock of the process's
//                          memory map for that time.
//   --threads NAME... [--later NAME...]
//                          starts a thread of each name. SIGUSR1 to such a thread makes it use CPU
//                          time, or idle again. SIGUSR2 ends it. SIGUSR1 to the process's first
//                          thread starts a thread of the next name after --later.
#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigwait()
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <ctime>
#include <span>
#include <string_view>
#include <thread>

#include <pthread.h>

namespace {

using Arguments = std::span<char*>;

bool lock_memory(const char* file) {
  constexpr std::size_t page = 4096;
  constexpr int access = PROT_READ | PROT_WRITE;
  const int fd = ::open(file, O_RDWR | O_CLOEXEC);
  auto* const shared = ::mmap(nullptr, page, access, MAP_SHARED, fd, 0);
  if (fd < 0 || shared == MAP_FAILED) {
    return false;
  }
  *static_cast<volatile char*>(shared) = 1;
  return ::mmap(shared, page, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == shared;
}

bool share_memory() {
  constexpr std::size_t size = std::size_t{1} << 20U;
  constexpr int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE;
  return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED;
}

sigset_t user_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGUSR1);
  ::sigaddset(&signals, SIGUSR2);
  return signals;
}

/// The next signal to this thread. Uses CPU time until it arrives if `busy`.
int next_signal(bool busy) {
  const auto signals = user_signals();
  const timespec none{};
  int signal = -1;
  while (signal < 0) {
    signal = busy ? ::sigtimedwait(&signals, nullptr, &none) : ::sigwaitinfo(&signals, nullptr);
  }
  return signal;
}

void start_thread(const char* name) {
  std::thread{[name] {
    ::pthread_setname_np(::pthread_self(), name);
    bool busy = false;
    while (next_signal(busy) == SIGUSR1) {
      busy = !busy;
    }
  }}.detach();
}

void run_threads(Arguments arguments) {
  const auto signals = user_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  bool later = false;
  for (const auto* const argument : arguments) {
    if (argument == std::string_view{"--later"}) {
      later = true;
    } else if (argument[0] == '-') {
      return;
    } else {
      while (later && next_signal(/*busy=*/false) != SIGUSR1) {
      }
      start_thread(argument);
    }
  }
}

}  // namespace

int main(int argc, char* argv[]) {
  const Arguments arguments{argv, static_cast<std::size_t>(argc)};
  const std::string_view option{argc > 1 ? arguments[1] : ""};
  if (option == "--busy") {
    for (;;) {
      static_cast<void>(::getppid());
    }
  }
  if ((option == "--lock-memory" && (argc < 3 || !lock_memory(arguments[2]))) ||
      (option == "--share-memory" && !share_memory())) {
    return 1;
  }
  if (option == "--threads") {
    run_threads(arguments.subspan(2));
  }
  for (;;) {
    ::pause();
  }
}
