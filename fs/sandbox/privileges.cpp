#include "fs/sandbox/privileges.hpp"

#include <grp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <type_traits>

namespace hypeman::fs {
namespace {

struct FreeCapabilities {
  void operator()(cap_t capabilities) const { ::cap_free(capabilities); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

/// An error of one line: what failed, errno, and what the user can do.
tl::unexpected<std::string> failure(const std::string& what, const std::string& remedy = "") {
  return tl::unexpected{what + ": " + std::generic_category().message(errno) + remedy};
}

bool runs_as(const User& user) {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  return ::getresuid(&real, &effective, &saved) == 0 && real == user.uid && effective == user.uid &&
         saved == user.uid;
}

/// Whether any user ID of the process is 0. Only then can execve(2) add capabilities from the
/// bounding set although no_new_privs is set.
bool has_root_user_id() {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  return ::getresuid(&real, &effective, &saved) != 0 || real == 0 || effective == 0 || saved == 0;
}

/// Adds to `to` each of the `wanted` capabilities that `from` permits.
bool add_permitted(cap_t from, std::span<const cap_value_t> wanted, cap_t to, cap_flag_t flag) {
  for (const auto capability : wanted) {
    cap_flag_value_t has = CAP_CLEAR;
    if (::cap_get_flag(from, capability, CAP_PERMITTED, &has) != 0 ||
        (has == CAP_SET && ::cap_set_flag(to, flag, 1, &capability, CAP_SET) != 0)) {
      return false;
    }
  }
  return true;
}

}  // namespace

tl::expected<void, std::string> forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return failure("cannot set no_new_privs");
  }
  constexpr auto grant_setpcap = "; grant CAP_SETPCAP";
  constexpr unsigned locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                              SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                              SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  tl::expected<void, std::string> done;
  for (cap_value_t capability = 0; capability < ::cap_max_bits(); ++capability) {
    if (::cap_drop_bound(capability) != 0 && done) {
      done = failure("cannot empty the capability bounding set", grant_setpcap);
    }
  }
  if (::cap_set_secbits(locked) != 0 && done) {
    done = failure("cannot lock the securebits", grant_setpcap);
  }
  if (!done && !has_root_user_id()) {
    return {};
  }
  return done;
}

tl::expected<void, std::string> change_user(const User& user, std::span<const gid_t> groups) {
  const bool same = runs_as(user);
  // This fails if the securebits are locked. Then SECBIT_NO_SETUID_FIXUP keeps the capabilities.
  ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if ((::setgroups(groups.size(), groups.data()) != 0 ||
       ::setresgid(user.gid, user.gid, user.gid) != 0 ||
       ::setresuid(user.uid, user.uid, user.uid) != 0) &&
      !same) {
    return failure("cannot change to user " + user.name,
                   "; grant CAP_SETUID and CAP_SETGID, or name the current user with -o run_as=");
  }
  return {};
}

tl::expected<void, std::string> keep_capabilities(std::span<const cap_value_t> permitted,
                                                  std::span<const cap_value_t> effective) {
  const Capabilities now{::cap_get_proc()};
  const Capabilities kept{::cap_init()};
  if (now == nullptr || kept == nullptr ||
      !add_permitted(now.get(), permitted, kept.get(), CAP_PERMITTED) ||
      !add_permitted(now.get(), effective, kept.get(), CAP_EFFECTIVE) ||
      ::cap_set_proc(kept.get()) != 0) {
    return failure("cannot drop capabilities");
  }
  return {};
}

}  // namespace hypeman::fs
