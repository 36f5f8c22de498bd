// A process that tests use instead of a hypervisor. It accepts any arguments, such as the path of a
// socket, and does nothing until it is killed. If the first argument is `--busy`, it uses CPU time
// in user mode and in kernel mode. If it is `--lock-memory`, it writes into a shared mapping of the
// file that the next argument names, and replaces the mapping. The kernel then writes the file back
// and holds the lock of the process's memory map for that time. If it is `--threads`, it starts a
// thread with each of the names that follow, up to the next option.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <thread>

namespace {

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

void start_threads(std::span<char* const> arguments) {
  for (const char* const name : arguments) {
    if (std::string_view{name}.starts_with("--")) {
      return;
    }
    std::thread{[name] {
      ::prctl(PR_SET_NAME, name);
      for (;;) {
        ::pause();
      }
    }}.detach();
  }
}

}  // namespace

int main(int argc, char* argv[]) {
  const std::string_view option{argc > 1 ? argv[1] : ""};
  if (option == "--busy") {
    for (;;) {
      static_cast<void>(::getppid());
    }
  }
  if (option == "--lock-memory" && (argc < 3 || !lock_memory(argv[2]))) {
    return 1;
  }
  if (option == "--threads") {
    start_threads(std::span{argv, static_cast<std::size_t>(argc)}.subspan(2));
  }
  for (;;) {
    ::pause();
  }
}
