"""A host with VMs that change, and what a reader may see of them at each moment."""

import collections
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from host import Tap, start_time, until

VMS = 12
NAMES = ["web", "db", "cache", "mail", "build"]
READERS = 2
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
CHECKED = ("instance_name", "state", "allocated_vcpus", "start_time_seconds", "network_tx_bytes")
ABSENT = "absent"  # a file that fails with ENOENT or ENODEV
OUTAGE = (errno.ENOTCONN, errno.ECONNABORTED, errno.ECANCELED, errno.ENOENT, errno.EIO)
GONE = (errno.ENOENT, errno.ENODEV)
BUSY = (errno.ETIMEDOUT, errno.EAGAIN)
PAUSE = 0.001  # seconds between two reads of a reader
NAME_DELAY = 1.5  # seconds: a VM that takes the name of another one without a change of guests/ is noticed within one second


def boot_time():
    """The largest of several: this process may have to wait between the two clocks."""
    return max(time.clock_gettime(time.CLOCK_REALTIME) - time.clock_gettime(time.CLOCK_BOOTTIME) for _ in range(10))


class Vm:
    """What is on the disk and runs; and the history of what may be seen. None: the VM is not there."""

    def __init__(self, one):
        self.id = one
        self.clear()
        self.history = [None]
        self.settled = 0  # the oldest entry of the history that may still be seen

    def clear(self):
        self.exists = self.is_hidden = self.is_recorded = False
        self.name, self.vcpus = "", 1
        self.process = self.recorded = self.tap = None
        self.has_network, self.sent = False, 0
        self.has_start_time = True

    def is_seen(self):
        return self.exists and not self.is_hidden

    def truth(self):
        if not self.is_seen():
            return None
        runs = self.process is not None and self.is_recorded
        return {
            "instance_name": self.name,
            "state": "running" if runs else "stopped",
            "allocated_vcpus": str(self.vcpus),
            "start_time_seconds": start_time(self.process.pid) / TICKS_PER_SECOND if runs else ABSENT,
            "network_tx_bytes": ABSENT if runs and self.has_network and not self.tap else str(self.sent if runs else 0),
        }


class World:
    def __init__(self, statsfs, stand_in, chance):
        self._statsfs, self._stand_in, self._chance = statsfs, stand_in, chance
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        self._boot_time = boot_time()
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._outages = 0  # odd: the mount or the data directory is away
        self._name_changed = 0.0
        self._finished = threading.Event()
        self._problems = []
        self._done = collections.deque(maxlen=20)
        self._strangers = []
        self.counts = {"values checked": 0, "errors checked": 0, "PIDs recycled, start time recorded": 0,
                       "PIDs recycled, no start time": 0, "of these within one tick": 0, "daemons killed": 0}

    def __enter__(self):
        self._place = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="model-")))
        self._place.chmod(0o755)
        self.data, self.stats = self._place / "data", self._place / "stats"
        self.guests = self.data / "guests"
        self.guests.mkdir(parents=True)
        self.stats.mkdir()
        self._log = self._place / "log"
        self._vms = [Vm(f"{chr(ord('a') + number)}{number:07d}{0:016d}") for number in range(VMS)]
        self._start_daemon()
        self._readers = [threading.Thread(target=self._keep_reading, args=(self._chance.random(),)) for _ in range(READERS)]
        for reader in self._readers:
            reader.start()
        return self

    def end(self):
        """Ends the readers and the daemon."""
        self._finished.set()
        for reader in self._readers:
            reader.join()
        self._end_daemon()

    def __exit__(self, *_):
        self.end()
        for vm in self._vms:
            self._kill(vm)
        self._end_strangers()
        # The mount of a daemon that was killed would hide the real problem.
        subprocess.run(["umount", "--lazy", self.stats], stderr=subprocess.DEVNULL, check=False)
        self._stack.close()

    # --- The daemon ---

    def _start_daemon(self):
        with self._log.open("ab") as log:
            self._daemon = subprocess.Popen([self._statsfs, "-f", self.data, self.stats], stdin=subprocess.DEVNULL, stderr=log)

        def is_mounted():
            if self._daemon.poll() is not None:
                raise AssertionError(f"the daemon has ended: {self._log.read_text()}")
            return os.path.ismount(self.stats)
        until(is_mounted, "the daemon mounts")

    def _end_daemon(self):
        if self._daemon is not None:
            self._daemon.terminate()
            status = self._daemon.wait(timeout=60)
            self._daemon = None
            log = self._log.read_text()
            if status != 0 or "Sanitizer" in log:
                self._problems.append(f"the daemon ended with {status}: {log}")

    def _worker(self):
        children = Path(f"/proc/{self._daemon.pid}/task/{self._daemon.pid}/children").read_text().split()
        return int(children[0])

    def descriptors_of_worker(self):
        return len(os.listdir(f"/proc/{self._worker()}/fd"))

    # --- What readers may see ---

    @contextlib.contextmanager
    def _changing(self, vm, *truths):
        """Around a change: from now on, each of the truths may be seen; afterwards only the last one."""
        with self._lock:
            vm.history += truths
        yield
        with self._lock:
            vm.settled = len(vm.history) - 1

    def _become(self, vm, change, *between):
        """Makes a change that can be seen at once."""
        with self._changing(vm, *between, vm.truth()):
            change()

    @contextlib.contextmanager
    def _outage(self):
        with self._lock:
            self._outages += 1
        yield
        with self._lock:
            self._outages += 1

    def _is_allowed(self, value, truth, file):
        if truth is None or truth[file] == ABSENT:
            return value in GONE
        if file == "start_time_seconds" and isinstance(value, str):
            return abs(float(value) - self._boot_time - truth[file]) < 0.05
        return value == truth[file]

    def _check(self, vm, file):
        with self._lock:
            outages, first = self._outages, vm.settled
        value = self._read_patiently(self.stats / vm.id / file)
        with self._lock:
            was_outage = outages % 2 == 1 or self._outages != outages
            possible = vm.history[first:]
        self.counts["errors checked" if isinstance(value, int) else "values checked"] += 1
        if was_outage and value in OUTAGE:
            return
        if not any(self._is_allowed(value, truth, file) for truth in possible):
            seen = errno.errorcode[value] if isinstance(value, int) else repr(value)
            self._problems.append(f"{vm.id}/{file} is {seen}, which is none of {[truth and truth[file] for truth in possible]}")

    @staticmethod
    def _read(path):
        """The text without its newline, or an errno."""
        try:
            return path.read_text().removesuffix("\n")
        except OSError as error:
            return error.errno

    def _read_patiently(self, path):
        """On a busy machine, the first check of a process may take longer than a read waits for it."""
        deadline = time.monotonic() + 30
        while (value := self._read(path)) in BUSY and time.monotonic() < deadline:
            time.sleep(0.01)
        return value

    def _keep_reading(self, seed):
        chance = __import__("random").Random(seed)
        while not self._finished.wait(PAUSE):
            try:
                self._check(chance.choice(self._vms), chance.choice(CHECKED))
            except Exception as problem:  # pylint: disable=broad-except
                self._problems.append(f"a reader: {problem!r}")
                return

    def raise_problems(self):
        if self._problems:
            raise AssertionError("\n".join([*self._problems[:20], f"The last changes: {', '.join(self._done)}"]))

    def check_everything(self, with_names=False):
        """Nothing changes meanwhile, so all of it must be exact. The names take more than a second."""
        for vm in self._vms:
            for file in CHECKED:
                self._check(vm, file)
        seen = {vm.id: vm.truth() for vm in self._vms if vm.is_seen()}
        listed = sorted(entry for entry in os.listdir(self.stats) if len(entry) == 24)
        if listed != sorted(seen):
            self._problems.append(f"listed: {listed}, not {sorted(seen)}")
        host = json.loads((self.stats / "instances.json").read_text())["instances"]
        for one, truth in seen.items():
            vm = host.pop(one, {})
            for file in CHECKED:
                value = vm.get(file, errno.ENOENT)
                if not self._is_allowed(value if isinstance(value, (str, int)) and file == "state" else
                                        errno.ENOENT if file not in vm else str(value), truth, file):
                    self._problems.append(f"instances.json: {one}/{file} is {value}, not {truth[file]}")
        if host:
            self._problems.append(f"instances.json has {sorted(host)} too")
        if with_names:
            self._check_names()

    def _check_names(self):
        time.sleep(max(0, self._name_changed + NAME_DELAY - time.monotonic()))
        for name in NAMES:
            owners = [vm.id for vm in self._vms if vm.is_seen() and vm.name == name]
            try:
                found = os.readlink(self.stats / "by-name" / name)
            except OSError as error:
                found = error.errno
            expected = {0: errno.ENOENT, 1: f"../{(owners or [''])[0]}"}.get(len(owners), errno.ENOTUNIQ)
            if found != expected:
                self._problems.append(f"by-name/{name} is {found}, not {expected}")

    def sums(self):
        return ", ".join(f"{count} {what}" for what, count in self.counts.items())

    # --- The files of Hypeman ---

    def _record(self, vm):
        guest = self.guests / vm.id
        pid = vm.recorded
        record = {"Id": vm.id, "Name": vm.name, "Size": 1 << 30, "Vcpus": vm.vcpus, "NetworkEnabled": vm.has_network,
                  "HypervisorType": "cloud-hypervisor", "HypervisorPID": pid and pid[0], "SocketPath": str(guest / "ch.sock"),
                  "PendingDeleteAt": "2026-01-01T00:00:00Z" if vm.is_hidden else None}
        if pid and vm.has_start_time:
            record |= {"HypervisorStartTime": pid[1], "HypervisorBootID": self._boot_id}
        return json.dumps(record, indent=2)

    def _write(self, vm):
        guest = self.guests / vm.id
        guest.mkdir(exist_ok=True)
        new = guest / ".metadata-1.tmp"
        new.write_text(self._record(vm))
        new.rename(guest / "metadata.json")

    def _spawn(self, vm):
        return subprocess.Popen([self._stand_in, "--api-socket", self.guests / vm.id / "ch.sock"], stdin=subprocess.DEVNULL)

    def _kill(self, vm):
        if vm.process is not None:
            vm.process.kill()
            vm.process.wait()
            vm.process = None

    def _end_strangers(self):
        for stranger in self._strangers:
            stranger.kill()
            stranger.wait()
        self._strangers.clear()

    # --- Changes ---

    def step(self):
        vm = self._chance.choice(self._vms)
        if not vm.exists:
            self._done.append(f"create {vm.id[0]}")
            self.create(vm)
            return
        changes = [self.restart, self.rename, self.resize, self.tear, self.fork, self.hide, self.delete, self.recycle, self.crash,
                   self.stop, self.send, self.lose_tap]
        weights = [4, 4, 4, 4, 2, 2, 3, 6, 3, 3, 4, 1]
        if self._chance.random() < 0.004:
            self._done.append("move_data_away")
            self.move_data_away()
        elif self._chance.random() < 0.004:
            self._done.append("kill_daemon")
            self.kill_daemon()
        else:
            change = self._chance.choices(changes, weights)[0]
            self._done.append(f"{change.__name__} {vm.id[0]}")
            change(vm)
        for file in CHECKED:
            self._check(vm, file)

    def create(self, vm):
        """A VM that was not started yet. Before, a fork may leave the record of another VM in its directory."""
        vm.clear()
        if self._chance.random() < 0.2:
            guest = self.guests / vm.id
            guest.mkdir()
            (guest / "metadata.json").write_text(self._record(self._vms[0]).replace(vm.id, self._vms[0].id[::-1]))
            self._check(vm, "state")
        vm.exists = True
        vm.name, vm.vcpus = self._chance.choice(NAMES), self._chance.randint(1, 8)
        vm.has_start_time = self._chance.random() < 0.7
        self._name_changed = time.monotonic()
        self._become(vm, lambda: self._write(vm))

    def restart(self, vm):
        """Stops the VM if it runs, and starts it, sometimes with a TAP."""
        self.stop(vm)
        vm.has_network = self._chance.random() < 0.3
        if vm.has_network:
            vm.tap = Tap(f"hype-{vm.id[:8]}")
        process = self._spawn(vm)
        # Popen() returns a moment before the kernel sets the command line.
        command_line = Path(f"/proc/{process.pid}/cmdline")
        until(lambda: vm.id.encode() in command_line.read_bytes(), "the process has its command line")
        vm.process, vm.recorded, vm.is_recorded = process, (process.pid, start_time(process.pid)), True
        self._become(vm, lambda: self._write(vm))

    def stop(self, vm):
        """As Hypeman: the process, the TAP, then the record."""
        self.crash(vm)
        tap, vm.tap = vm.tap, None
        if tap:
            tap.close()
        vm.recorded, vm.is_recorded, vm.sent = None, False, 0
        self._become(vm, lambda: self._write(vm))

    def crash(self, vm):
        """The process ends, and its record stays."""
        process, vm.process = vm.process, None
        if process is not None:
            vm.is_recorded = False

            def kill():
                process.kill()
                process.wait()
            self._become(vm, kill)

    def recycle(self, vm):
        """Another process gets the PID of the VM's. It may name the socket of another VM."""
        if vm.process is None:
            return
        pid, started = vm.recorded
        self.crash(vm)
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        # Not one that has lost its process with the same ID.
        other = self._chance.choice([one for one in self._vms if one is not vm and (one.recorded or [0])[0] != pid])
        stranger = self._spawn(other)
        self._strangers.append(stranger)
        if stranger.pid == pid:
            self.counts["PIDs recycled, start time recorded" if vm.has_start_time else "PIDs recycled, no start time"] += 1
            self.counts["of these within one tick"] += start_time(pid) == started
            for _ in range(5):
                for file in CHECKED:
                    self._check(vm, file)
        self._end_strangers()

    def rename(self, vm):
        vm.name = self._chance.choice(NAMES)
        self._name_changed = time.monotonic()
        self._become(vm, lambda: self._write(vm))

    def resize(self, vm):
        vm.vcpus = vm.vcpus % 8 + 1
        self._become(vm, lambda: self._write(vm))

    def tear(self, vm):
        """Writes in place, in two parts, as older versions do. What was good stays until the new record is complete."""
        if vm.is_hidden:
            return
        self._check(vm, "state")  # the daemon has seen the good record
        file = self.guests / vm.id / "metadata.json"
        before = vm.truth()
        vm.vcpus = vm.vcpus % 8 + 1
        text = self._record(vm)
        middle = self._chance.randrange(len(text) - 1)
        with file.open("w") as opened:
            opened.write(text[:middle])
            opened.flush()
            self._check(vm, "allocated_vcpus")
            self._become(vm, lambda: (opened.write(text[middle:]), opened.flush()), before)

    def fork(self, vm):
        """Renames the directory for a moment. The VM stays there. Before the link is made, this holds only for a VM that the
        daemon knows."""
        self._check(vm, "state")
        guest = self.guests / vm.id
        renamed = self.guests / f"{vm.id}.fork-bak.{time.time_ns()}"
        guest.rename(renamed)
        guest.symlink_to("/nonexistent")
        for file in CHECKED:
            self._check(vm, file)
        guest.unlink()
        renamed.rename(guest)

    def hide(self, vm):
        """Marks the VM for deletion, or takes the mark back."""
        vm.is_hidden = not vm.is_hidden
        self._name_changed = time.monotonic()
        self._become(vm, lambda: self._write(vm))

    def delete(self, vm):
        self.stop(vm)
        vm.exists = False
        self._name_changed = time.monotonic()
        self._become(vm, lambda: shutil.rmtree(self.guests / vm.id))

    def send(self, vm):
        """The VM sends a frame."""
        if vm.tap is not None:
            size = self._chance.randint(60, 1500)
            vm.sent += size
            self._become(vm, lambda: vm.tap.vm_sends(size))

    def lose_tap(self, vm):
        tap, vm.tap = vm.tap, None
        if tap is not None:
            self._become(vm, tap.close)

    def move_data_away(self):
        away = self.data / "away"
        with self._outage():
            self.guests.rename(away)
            for vm in self._vms:
                self._check(vm, "state")
            away.rename(self.guests)

    def kill_daemon(self):
        self.counts["daemons killed"] += 1
        with self._outage():
            os.kill(self._worker(), signal.SIGKILL)
            if self._chance.random() < 0.5:
                self._daemon.kill()
            self._daemon.wait()
            self._start_daemon()

    def delete_all(self):
        for vm in self._vms:
            if vm.exists:
                self.delete(vm)
