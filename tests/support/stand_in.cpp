// Stands in for a hypervisor where a test needs a process of which it knows everything: takes any
// arguments, as a hypervisor takes its socket's path, and does nothing until it is killed; with
// `--busy` first it uses CPU time, in user and in kernel mode.
#include <unistd.h>

#include <cstdlib>
#include <string_view>

int main(int argc, char* argv[]) {
  if (argc > 1 && std::string_view{argv[1]} == "--busy") {
    for (;;) {
      static_cast<void>(::getppid());
    }
  }
  for (;;) {
    ::pause();
  }
}
