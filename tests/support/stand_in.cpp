// A process that tests use instead of a hypervisor. It accepts any arguments, such as the path of a
// socket, and does nothing until it is killed. If the first argument is `--busy`, it uses CPU time
// in user mode and in kernel mode.
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
