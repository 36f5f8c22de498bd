"""A Debian with the agents, in which the mounted statistics are at their usual place."""

import os
import stat
import subprocess
import tempfile
from pathlib import Path

MOUNTPOINT = "run/hypeman/stats"
GROUP = "monitoring"
GROUP_ID = 4242
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


class AgentsRoot:
    """What is written here is gone afterwards. Needs mount and network namespaces of its own."""

    def __init__(self, stack, debian):
        self._groups = []
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agents-")))
        mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", place)
        stack.callback(subprocess.run, ["umount", "--lazy", place], check=True)
        self.path = place / "root"
        upper, work = place / "upper", place / "work"
        for directory in (self.path, upper, work):
            directory.mkdir()
        mount("-t", "overlay", "overlay", "-o", f"lowerdir={debian},upperdir={upper},workdir={work}", self.path)
        mount("-t", "proc", "proc", self.path / "proc")
        mount("--rbind", "/sys", self.path / "sys")
        mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", self.path / "dev")
        for name, major, minor in DEVICES:
            os.mknod(self.path / "dev" / name, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
            os.chmod(self.path / "dev" / name, 0o666)
        os.symlink("/proc/self/fd", self.path / "dev/fd")
        (self.path / "dev/shm").mkdir()
        (self.path / "dev/shm").chmod(0o1777)
        (self.path / MOUNTPOINT).mkdir(parents=True, exist_ok=True)
        (self.path / "etc/hosts").write_text("127.0.0.1 localhost\n")
        self.run(["groupadd", "--gid", str(GROUP_ID), GROUP])
        # Agents without a user of their own.
        self.run(["useradd", "--create-home", "--user-group", "agent"])

    def let_in_group(self, is_member):
        """Whether the users of the agents are members of the group from now on."""
        self._groups = [GROUP] if is_member else []

    def show(self, stats):
        mount("--bind", stats, self.path / MOUNTPOINT)

    def hide(self):
        subprocess.run(["umount", "--lazy", self.path / MOUNTPOINT], check=True)

    def command(self, command, user="root"):
        # The user's own groups, and the group of the files.
        groups = [f"--groups={','.join(self._groups)}"] if self._groups else []
        home = "/home/agent" if user == "agent" else "/tmp"
        return ["chroot", f"--userspec={user}:", *groups, str(self.path), "env", "-i", f"PATH={PATH}", f"HOME={home}",
                "LANG=C.UTF-8", *map(str, command)]

    def run(self, command, user="root", timeout=300):
        """The output. Fails if the command fails or complains."""
        done = subprocess.run(self.command(command, user), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=timeout, cwd="/")
        if done.returncode != 0 or done.stderr:
            raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, command, user, log):
        return subprocess.Popen(self.command(command, user), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")

    def install(self, source, target, mode=0o644):
        target = self.path / Path(target).relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        target.chmod(mode)

    def write(self, path, text):
        target = self.path / Path(path).relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def read(self, path):
        return (self.path / Path(path).relative_to("/")).read_text()

    def exists(self, path):
        return (self.path / Path(path).relative_to("/")).exists()
