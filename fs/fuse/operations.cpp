#include "fs/fuse/operations.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "fs/tree/open_file.hpp"
#include "fs/tree/tree.hpp"

namespace hypeman::fs {
namespace {

// The kernel may cache names for a long time. Each use of a name sends an open, opendir, readlink,
// getattr or access request, which checks whether the file still exists.
constexpr double entry_timeout = 86400.0;  // seconds

ServedTree& served(fuse_req_t request) {
  return *static_cast<ServedTree*>(fuse_req_userdata(request));
}

Tree& tree_of(fuse_req_t request) {
  return served(request).tree;
}

Reader reader_of(fuse_req_t request) {
  const auto* const context = fuse_req_ctx(request);
  return {.user = context->uid, .thread = context->pid};
}

/// Runs an operation, which replies if it succeeds. If it fails, this replies with the error.
template <class Operation>
void answer(fuse_req_t request, Operation operation) noexcept {
  int error = EIO;
  try {
    const Result<void> done = operation();
    if (done) {
      return;
    }
    error = done.error().value();
  } catch (const std::bad_alloc&) {
    error = ENOMEM;
  } catch (...) {
    error = EIO;
  }
  fuse_reply_err(request, error);
}

/// Like answer(), but in one of the `deferred` threads unless it is null.
template <class Operation>
void answer(fuse_req_t request, DeferredRequests* deferred, Operation operation) noexcept {
  if (deferred == nullptr) {
    answer(request, std::move(operation));
    return;
  }
  answer(request, [&]() -> Result<void> {
    const auto& rings = served(request).rings;
    if ((rings != nullptr && !rings->may_answer_later()) ||
        !deferred->add(served(request).owner.lock(), reader_of(request).user,
                       [request, operation] { answer(request, operation); })) {
      return failure(EAGAIN);
    }
    return {};
  });
}

DeferredRequests* deferred_if(bool may_wait, fuse_req_t request) {
  return may_wait ? &served(request).deferred : nullptr;
}

DeferredRequests* deferred_names_if(bool may_wait, fuse_req_t request) {
  return may_wait ? &served(request).deferred_names : nullptr;
}

/// The kernel does not cache attributes, because they change. The exception: if only some users may
/// read, the kernel checks the permissions of every directory in a path. So it caches the
/// attributes of directories for one second.
double attribute_timeout(const Tree& tree, const Attributes& attributes) {
  return S_ISDIR(attributes.st_mode) && !tree.access().everybody() ? 1.0 : 0.0;
}

void initialize(void* user_data, fuse_conn_info* connection) {
  if (const auto& rings = static_cast<ServedTree*>(user_data)->rings; rings != nullptr) {
    // libfuse calculates the maximum size of all requests and replies from it.
    connection->max_write = static_cast<unsigned>(rings->payload_size());
  }
  // With this, the kernel would send the parts of a large asynchronous read with O_DIRECT at the
  // same time. A later part could be answered before the part at offset 0, which takes a new
  // sample: the reader would get parts of two samples.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_ASYNC_DIO);
}

void look_up(fuse_req_t request, fuse_ino_t parent, const char* name) {
  // The kernel's buffer with the name may be used again before a deferred request is answered.
  answer(request, deferred_names_if(tree_of(request).look_up_may_wait(parent, name), request),
         [request, parent, name = std::string{name}]() -> Result<void> {
           auto& tree = tree_of(request);
           return tree.look_up(parent, name).map([&](const Attributes& attributes) {
             fuse_entry_param entry{};
             entry.ino = attributes.st_ino;
             entry.attr = attributes;
             entry.attr_timeout = attribute_timeout(tree, attributes);
             entry.entry_timeout = entry_timeout;
             if (fuse_reply_entry(request, &entry) != 0) {
               tree.forget(entry.ino, 1);  // the kernel did not get the reply
             }
           });
         });
}

void forget(fuse_req_t request, fuse_ino_t inode, std::uint64_t lookups) {
  tree_of(request).forget(inode, lookups);
  fuse_reply_none(request);
}

void forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
  for (const auto& one : std::span{forgets, count}) {
    tree_of(request).forget(one.ino, one.nlookup);
  }
  fuse_reply_none(request);
}

void get_attributes(fuse_req_t request, fuse_ino_t inode, fuse_file_info* /*file*/) {
  answer(request, deferred_if(tree_of(request).attributes_may_wait(inode), request),
         [request, inode]() -> Result<void> {
           auto& tree = tree_of(request);
           return tree.attributes(inode, reader_of(request)).map([&](const Attributes& attributes) {
             fuse_reply_attr(request, &attributes, attribute_timeout(tree, attributes));
           });
         });
}

/// The kernel asks this for access(2) and chdir(2), which may have found the name in its cache.
void check_access(fuse_req_t request, fuse_ino_t inode, int /*mask*/) {
  answer(request, deferred_if(tree_of(request).attributes_may_wait(inode), request),
         [request, inode]() -> Result<void> {
           return tree_of(request).exists(inode).map([&] { fuse_reply_err(request, 0); });
         });
}

void read_link(fuse_req_t request, fuse_ino_t inode) {
  answer(request, deferred_names_if(tree_of(request).content_may_wait(inode), request),
         [request, inode]() -> Result<void> {
           return tree_of(request).read_link(inode).map(
               [&](const std::string& target) { fuse_reply_readlink(request, target.c_str()); });
         });
}

/// Sends the handle to the kernel, which passes it back in the release request.
template <class Opened>
void reply_open(fuse_req_t request, fuse_file_info* file, HandleTable<Opened>& handles,
                std::shared_ptr<Opened> opened) {
  file->fh = handles.add(std::move(opened));
  if (fuse_reply_open(request, file) != 0) {
    handles.remove(file->fh);  // the kernel did not get the reply
  }
}

void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  answer(request, [&]() -> Result<void> {
    return tree_of(request)
        .open(inode, reader_of(request))
        .map([&](std::shared_ptr<OpenFile>&& opened) {
          file->direct_io = 1;  // each read(2) sends a read request
          file->noflush = 1;    // there is nothing to flush on close(2)
          reply_open(request, file, served(request).files, std::move(opened));
        });
  });
}

void read(fuse_req_t request, fuse_ino_t /*inode*/, std::size_t size, off_t offset,
          fuse_file_info* file) {
  const auto opened = served(request).files.find(file->fh);
  if (opened == nullptr) {
    fuse_reply_err(request, EBADF);
    return;
  }
  const auto from = static_cast<std::size_t>(offset);
  answer(request, deferred_if(tree_of(request).read_may_wait(*opened, from), request),
         [request, size, from, opened]() -> Result<void> {
           return tree_of(request)
               .read(*opened, from, size, reader_of(request))
               .map([&](const Slice& slice) {
                 fuse_reply_buf(request, slice.bytes.data(), slice.bytes.size());
               });
         });
}

void release(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* file) {
  served(request).files.remove(file->fh);
  fuse_reply_err(request, 0);
}

void open_directory(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  answer(request, deferred_if(tree_of(request).attributes_may_wait(inode), request),
         [request, inode, reply = *file]() mutable -> Result<void> {
           return tree_of(request)
               .open_directory(inode, reader_of(request))
               .map([&](std::shared_ptr<OpenDirectory>&& opened) {
                 reply_open(request, &reply, served(request).directories, std::move(opened));
               });
         });
}

/// Sends the entries from `first` that fit into `size` bytes.
void reply_entries(fuse_req_t request, const Listing& listing, std::size_t first,
                   std::size_t size) {
  std::vector<char> buffer(size);
  std::size_t used = 0;
  for (auto index = first; index < listing.size(); ++index) {
    const auto entry = listing.at(index);
    Attributes attributes{};
    attributes.st_ino = entry.inode;
    attributes.st_mode = entry.type;
    const std::string name{entry.name};  // ends with a NUL
    const auto room = std::span{buffer}.subspan(used);
    const auto needed = fuse_add_direntry(request, room.data(), room.size(), name.c_str(),
                                          &attributes, static_cast<off_t>(index + 1));
    if (needed > room.size()) {
      break;
    }
    used += needed;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

void read_directory(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                    fuse_file_info* file) {
  const bool may_wait = offset == 0 && tree_of(request).content_may_wait(inode);
  answer(request, deferred_if(may_wait, request),
         [request, size, offset, handle = file->fh]() -> Result<void> {
           const auto directory = served(request).directories.find(handle);
           if (directory == nullptr) {
             return failure(EBADF);
           }
           const auto first = static_cast<std::size_t>(offset);
           return tree_of(request)
               .list(*directory, first, reader_of(request))
               .map([&](const std::shared_ptr<const Listing>& listing) {
                 reply_entries(request, *listing, first, size);
               });
         });
}

void release_directory(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* file) {
  served(request).directories.remove(file->fh);
  fuse_reply_err(request, 0);
}

}  // namespace

fuse_lowlevel_ops fuse_operations() {
  fuse_lowlevel_ops operations{};
  operations.init = initialize;
  operations.access = check_access;
  operations.lookup = look_up;
  operations.forget = forget;
  operations.forget_multi = forget_multi;
  operations.getattr = get_attributes;
  operations.readlink = read_link;
  operations.open = open;
  operations.read = read;
  operations.release = release;
  operations.opendir = open_directory;
  operations.readdir = read_directory;
  operations.releasedir = release_directory;
  return operations;
}

}  // namespace hypeman::fs
