#include "fs/ring/rings.hpp"

namespace hypeman::fs {

tl::expected<std::unique_ptr<Rings>, std::string> make_rings(int /*device*/) {
  return tl::unexpected{std::string{
      "hypeman-statsfs was built without it; build it with -Dio_uring=enabled and liburing"}};
}

}  // namespace hypeman::fs
