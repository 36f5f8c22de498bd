#include "httpbridge/mount/read_error.hpp"

#include <cerrno>

namespace hypeman::httpbridge {

ReadError classify(std::error_code error) {
  switch (error.value()) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:  // a symbolic link where the tree has none
    case ENXIO:  // a socket or a device where the tree has a file
    case EXDEV:
    case ESTALE:
      return ReadError::not_found;
    case ENOTUNIQ:
      return ReadError::ambiguous;
    case EACCES:
    case EPERM:
      return ReadError::no_permission;
    case ENOTCONN:      // the FUSE daemon has ended
    case ECONNABORTED:  // it ended before it answered the request
    case ENODEV:
    case ETIMEDOUT:
    case EHOSTDOWN:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return ReadError::unavailable;
    default:
      return ReadError::failed;
  }
}

}  // namespace hypeman::httpbridge
