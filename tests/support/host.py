"""A host with VMs: a data directory as Hypeman has it, processes instead of hypervisors, the mounted
statistics and a bridge that serves them."""

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

KEY = "a-token-of-this-test"
TUNSETIFF = 0x400454CA
TAP_WITHOUT_HEADER = 0x0002 | 0x1000  # IFF_TAP | IFF_NO_PI


def until(condition, what, seconds=60):
    """Waits for what other processes do. Returns the first true value of the condition."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds} s: {what}")
        time.sleep(0.05)


def start_time(pid):
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text[text.rindex(")") + 2:].split()[19])  # field 22 of the line


def end(process, number=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Tap:
    """A TAP whose VM's side is this process."""

    def __init__(self, name):
        self.name = name
        self._vm_side = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self._vm_side, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP_WITHOUT_HEADER))
        # Without IPv6, the counters show only the frames of the test.
        no_ipv6 = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
        if no_ipv6.exists():
            no_ipv6.write_text("1")
        subprocess.run(["ip", "link", "set", name, "up"], check=True)

    @staticmethod
    def _frame(size):
        return b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + b"\x88\xb5" + bytes(size - 14)

    def vm_sends(self, size):
        os.write(self._vm_side, self._frame(size))

    def vm_receives(self, size):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as host_side:
            host_side.bind((self.name, 0))
            host_side.send(self._frame(size))
        os.read(self._vm_side, size)  # only what the VM has read counts

    def close(self):
        os.close(self._vm_side)


class Bridge:
    """A bridge at a free port of its own."""

    def __init__(self, stack, program, stats_dir, arguments, port=0):
        self._log = Path(stack.enter_context(tempfile.NamedTemporaryFile(prefix="bridge-")).name)
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [program, "--stats-dir", stats_dir, "--listen", f"127.0.0.1:{port}", *arguments],
                stdin=subprocess.DEVNULL, stderr=output)
        stack.callback(self.stop)
        announced = "listening at "
        line = until(lambda: next((each for each in self.log() if announced in each), None), "the bridge listens")
        self.url = f"http://{line.split(announced)[1].strip()}"
        self.port = int(self.url.rsplit(":", 1)[1])

    def log(self):
        """Its complete lines."""
        text = self._log.read_text()
        return text[:text.rfind("\n") + 1].splitlines()

    def requests(self, path, status=""):
        """The peers that have asked for this path, one for each request."""
        request = f' "GET {path}" {status}'
        return [line.split(request)[0].split()[-1].split(">")[-1] for line in self.log() if request in line]

    def get(self, path, key=KEY):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def stop(self):
        end(self.process)


class Host:
    def __init__(self, stack, statsfs, bridge, stand_in):
        self._stack = stack
        self._programs = {"statsfs": statsfs, "bridge": bridge, "stand_in": stand_in}
        self.place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hypeman-host-")))
        self.place.chmod(0o755)
        self.data = self.place / "data"
        self.stats = self.place / "stats"
        self._prefix = f"p{os.getpid() % 0x1000000:06x}"
        self._processes = {}
        self._taps = {}
        self._daemon = None
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (self.data / "guests").mkdir(parents=True)
        self.stats.mkdir()
        self.key_file = self.place / "tokens"
        self.key_file.write_text(f"{KEY}\n")
        stack.callback(self._clean_up)

    def _clean_up(self):
        self.unmount()
        for process in self._processes.values():
            end(process, signal.SIGKILL)
        for tap in self._taps.values():
            tap.close()

    # --- VMs ---

    def new_id(self, number):
        """The first eight characters of an ID name the TAP: they differ for numbers below 16."""
        return f"{self._prefix}{number % 16:x}{number:016d}"

    def write(self, one, name, pid=None, **more):
        guest = self.data / "guests" / one
        guest.mkdir(exist_ok=True)
        record = {"Id": one, "Name": name, "Size": 4 << 30, "HotplugSize": 0, "Vcpus": 2, "OverlaySize": 10 << 30,
                  "NetworkEnabled": one in self._taps, "CreatedAt": "2026-01-01T00:00:00Z",
                  "HypervisorType": "cloud-hypervisor", "HypervisorPID": pid,
                  "SocketPath": str(guest / "ch.sock"), **more}
        if pid is not None:
            record |= {"HypervisorStartTime": start_time(pid), "HypervisorBootID": self._boot_id}
        new = guest / ".metadata-1.tmp"
        new.write_text(json.dumps(record, indent=2))
        new.rename(guest / "metadata.json")

    def start(self, one, name, with_tap=False, **more):
        """Creates or starts a VM."""
        socket_path = self.data / "guests" / one / "ch.sock"
        process = subprocess.Popen([self._programs["stand_in"], "--threads", "vcpu0", "vcpu1", "--api-socket", socket_path],
                                   stdin=subprocess.DEVNULL)
        self._processes[one] = process
        until(lambda: len(self._vcpu_threads(one)) == 2, "the threads of a stand-in")
        if with_tap:
            self._taps[one] = Tap(f"hype-{one[:8]}")
        self.write(one, name, process.pid, **more)
        return self._taps.get(one)

    def stop(self, one, name, **more):
        end(self._processes.pop(one), signal.SIGKILL)
        if one in self._taps:
            self._taps.pop(one).close()
        self.write(one, name, **more)

    def remove(self, one):
        shutil.rmtree(self.data / "guests" / one)
        if one in self._processes:
            end(self._processes.pop(one), signal.SIGKILL)

    def make_disk(self, one, size, written):
        disk = self.data / "guests" / one / "overlay.raw"
        with disk.open("wb") as file:
            file.write(b"x" * written)
            file.truncate(size)

    def _vcpu_threads(self, one):
        tasks = Path(f"/proc/{self._processes[one].pid}/task").iterdir()
        return sorted(int(task.name) for task in tasks if (task / "comm").read_text().startswith("vcpu"))

    def toggle_work(self, one, vcpu=0):
        """Lets a vCPU use CPU time, or idle again."""
        pid = self._processes[one].pid
        thread = self._vcpu_threads(one)[vcpu]
        ctypes.CDLL(None).tgkill(pid, thread, signal.SIGUSR1)

    # --- Programs ---

    def mount(self, *arguments):
        self._daemon = subprocess.Popen([self._programs["statsfs"], "-f", *arguments, self.data, self.stats],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: os.path.ismount(self.stats), "the statistics are mounted")

    def unmount(self):
        if self._daemon is not None:
            end(self._daemon)
            self._daemon = None
        with contextlib.suppress(OSError):
            if os.path.ismount(self.stats):
                subprocess.run(["umount", "--lazy", self.stats], check=True)

    def bridge(self, *arguments, stats_dir=None, port=0):
        keys = [] if "--no-auth" in arguments else ["--token-file", self.key_file]
        return Bridge(self._stack, self._programs["bridge"], stats_dir or self.stats, [*keys, *arguments], port)

    def file(self, one, path):
        return (self.stats / one / path).read_text().rstrip("\n")


class PlainDirectory:
    """A directory of the shape that the bridge serves, with contents that no Hypeman writes."""

    def __init__(self, place):
        self.path = place
        (place / "by-name").mkdir(parents=True)
        self.write({})

    def write(self, instances):
        new = self.path / ".new"
        new.write_text(json.dumps({"instances": instances}))
        new.rename(self.path / "instances.json")
