"""The objects that the rows measure: instances with real processes and a real TAP, and their daemons. They are
created when a row needs them, shared by the rows, and removed with the stage."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import processes

MOST_PROCESSES = 1000  # more instances share processes
RING_PARAMETER = Path("/sys/module/fuse/parameters/enable_uring")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def http_get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read()


class Mount:
    """A running hypeman-statsfs with a number of instances."""

    def __init__(self, path, data, daemon, ids):
        self.path = path
        self.data = data
        self.pid = daemon.pid
        self.ids = ids

    def stats_files(self, ids=None):
        return [self.path / one / "stats.json" for one in (self.ids if ids is None else ids)]


class Bridge:
    """A running hypeman-stats-bridge."""

    def __init__(self, url, pid):
        self.url = url
        self.pid = pid


class Stage:
    def __init__(self, stack, build, tools, soak_minutes=0):
        """`stack` ends and removes everything when it unwinds."""
        self.soak_minutes = soak_minutes
        self.build = build
        self._tools = tools
        self._stack = stack
        self._made = {}
        self.latency = None  # from read_rows.latency_by_placement
        self._servers = []
        self._stand_ins = []
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The first eight characters of an ID name the TAP, so all instances share one TAP.
        self._prefix = f"b{os.getpid() % 0x10000000:07x}"
        self.tap = f"hype-{self._prefix}"
        self.place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        subprocess.run(["ip", "tuntap", "add", self.tap, "mode", "tap"], check=True)
        stack.callback(subprocess.run, ["ip", "link", "delete", self.tap], check=False)

    def _once(self, key, make):
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _new_directory(self, name):
        path = self.place / name
        path.mkdir()
        return path

    def _start_mounted(self, mountpoint, command, environment=None, binds_itself=False):
        log = Path(f"{mountpoint}.log")
        # Unmounts if the program does not. It runs after the program has ended: the last callback runs first.
        self._stack.callback(subprocess.run, ["umount", "--quiet", "--lazy", mountpoint], check=False,
                             stderr=subprocess.DEVNULL)
        with open(log, "wb") as output:
            daemon = processes.start(self._stack, command, log=output, environment=environment)
        processes.until(lambda: os.path.ismount(mountpoint), command[0], log)
        if not binds_itself:
            self._servers.append(daemon.pid)
        return daemon

    def run_servers_on(self, cpus):
        """Runs all daemons that have been started so far on these CPUs."""
        for pid in self._servers:
            processes.run_on(cpus, pid)

    def tool(self, name):
        return self.build / "tests/benchmark" / name

    def write(self, name, lines):
        path = self.place / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def stand_ins(self, count):
        """The PIDs of processes that are used instead of hypervisors. Each has threads for two vCPUs."""
        while len(self._stand_ins) < count:
            child = processes.start(self._stack, [self.build / "tests/support/stand_in", "--threads",
                                                  "vcpu0", "vcpu1"])
            self._stand_ins.append(child.pid)
        return self._stand_ins[:count]

    def process_of_threads(self, count):
        """The PID of a process with `count` idle threads."""
        program = ("import threading, time\n"
                   f"for _ in range({count - 1}):\n"
                   "    threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()\n"
                   "time.sleep(1e6)\n")
        pid = processes.start(self._stack, [sys.executable, "-c", program]).pid
        processes.until(lambda: processes.most_threads(pid) == count, "threads")
        return pid

    def _write_instances(self, name, pids, count):
        data = self._new_directory(name)
        ids = [f"{self._prefix}{number:06}" for number in range(count)]
        (data / "guests").mkdir()
        for number, one in enumerate(ids):
            pid = pids[number % len(pids)]
            (data / "guests" / one).mkdir()
            (data / "guests" / one / "metadata.json").write_text(json.dumps({
                "Id": one, "Name": f"web-server-{number}", "Size": 4 << 30, "Vcpus": 2,
                "NetworkEnabled": True, "HypervisorPID": pid,
                "HypervisorStartTime": processes.start_time(pid), "HypervisorBootID": self._boot_id,
                "CreatedAt": "2026-01-01T00:00:00Z"}))
        time.sleep(3)  # the daemon reads metadata again each time if it is new
        return data, ids

    def instances(self, count, most_processes=MOST_PROCESSES):
        """A data directory with `count` running instances, and their IDs."""
        pids = self.stand_ins(min(count, most_processes))
        return self._once(("data", count, len(pids)),
                          lambda: self._write_instances(f"data-{count}-{len(pids)}", pids, count))

    def instances_on(self, name, pids, count=None):
        """The same with a directory of its own, with one instance for each PID unless `count` is given."""
        return self._once(("data", name), lambda: self._write_instances(f"data-{name}", pids, count or len(pids)))

    def serve(self, name, instances, io_uring=False):
        """With io_uring, each thread of the daemon stays on its own CPU, wherever run_servers_on() moves others."""
        data, ids = instances
        mountpoint = self._new_directory(f"stats-{name}{'-io_uring' if io_uring else ''}")
        with self._rings(io_uring):
            daemon = self._start_mounted(mountpoint,
                                         [self.build / "fs/hypeman-statsfs", "-f", "-o",
                                          f"io_uring={'on' if io_uring else 'off'}", data, mountpoint],
                                         binds_itself=io_uring)
        return Mount(mountpoint, data, daemon, ids)

    @staticmethod
    def has_rings():
        return RING_PARAMETER.exists()

    def mount(self, count, purpose="shared", most_processes=MOST_PROCESSES, io_uring=False):
        """A mount with `count` instances. Each purpose gets its own daemon."""
        return self._once(("mount", count, purpose, io_uring), lambda: self.serve(
            f"{count}-{purpose}", self.instances(count, most_processes), io_uring))

    @staticmethod
    def _rings(wanted):
        """The kernel offers rings to the mounts that are made meanwhile."""
        return processes.kernel_setting(RING_PARAMETER, "Y") if wanted else contextlib.nullcontext()

    def constant_files(self, count=1, io_uring=False):
        """FUSE files with constant content. Size and number of server threads are those of a mounted stats.json."""
        mountpoint = self._once(("constant", io_uring), lambda: self._start_constant_files(io_uring))
        return [mountpoint / str(number) / "stats.json" for number in range(count)]

    def _start_constant_files(self, io_uring):
        like = self.mount(10)
        content = self.place / "constant.json"
        content.write_bytes(like.stats_files()[0].read_bytes())
        mountpoint = self._new_directory(f"constant{'-io_uring' if io_uring else ''}")
        threads = processes.most_threads(like.pid) - 1  # the main thread answers no requests
        with self._rings(io_uring):
            self._start_mounted(mountpoint, [self.tool("constant_file"), mountpoint, content,
                                             "io_uring" if io_uring else threads], binds_itself=io_uring)
        return mountpoint

    def lxcfs_meminfo(self):
        return self._once("lxcfs", self._start_lxcfs)

    def _start_lxcfs(self):
        mountpoint = self._new_directory("lxcfs")
        leftover = Path("/run/lxcfs")
        if not leftover.exists():
            self._stack.callback(subprocess.run, ["find", leftover, "-depth", "-type", "d", "-empty",
                                                  "-delete"], check=False, stderr=subprocess.DEVNULL)
        library = next(self._tools.glob("usr/lib/*/lxcfs/liblxcfs.so"))
        self._start_mounted(
            mountpoint,
            [self._tools / "usr/bin/lxcfs", "--foreground", f"--pidfile={self.place}/lxcfs.pid", mountpoint],
            {**os.environ, "LD_LIBRARY_PATH": str(library.parent)})
        return mountpoint / "proc/meminfo"

    def exporter(self):
        """The URL of prometheus-process-exporter for the 1,000 processes and their threads."""
        return self._once("exporter", self._start_exporter)

    def _start_exporter(self):
        self.stand_ins(MOST_PROCESSES)
        names = self.write("names.yml", ['process_names:', '- name: "{{.PID}}"', '  comm: [stand_in]'])
        port = free_port()
        processes.start(self._stack, [
            self._tools / "usr/bin/prometheus-process-exporter", "-config.path", names,
            "-web.listen-address", f"127.0.0.1:{port}", "-threads=true", "-gather-smaps=false"])
        url = f"http://127.0.0.1:{port}/metrics"
        processes.until(lambda: http_get(url), "prometheus-process-exporter")
        return url

    def bridge(self, mount):
        """A bridge for a mount. It logs no requests and needs no key."""
        port = free_port()
        process = processes.start(self._stack, [
            self.build / "httpbridge/hypeman-stats-bridge", "--stats-dir", mount.path,
            "--listen", f"127.0.0.1:{port}", "--no-auth", "--no-access-log"])
        url = f"http://127.0.0.1:{port}"
        processes.until(lambda: http_get(f"{url}/healthz"), "hypeman-stats-bridge")
        return Bridge(url, process.pid)

    def nginx(self, mount):
        """The base URL of nginx, which serves the files of the mount."""
        port = free_port()
        place = self._new_directory("nginx")
        configuration = place / "nginx.conf"
        configuration.write_text(
            f"user root; worker_processes auto; daemon off; pid {place}/pid; error_log {place}/error.log;\n"
            "events { worker_connections 2048; }\n"
            f"http {{ access_log off; default_type application/json; keepalive_requests 1000000;\n"
            + "".join(f"  {kind}_temp_path {place}/{kind};\n"
                      for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + f"  server {{ listen 127.0.0.1:{port}; root {mount.path};\n"
              "    location = /healthz { return 200; }\n"
              "    rewrite ^/instances/([a-z0-9]+)/stats$ /$1/stats.json last; } }\n")
        processes.start(self._stack, [self._tools / "usr/sbin/nginx", "-p", place, "-c", configuration])
        url = f"http://127.0.0.1:{port}"
        processes.until(lambda: http_get(f"{url}/instances/{mount.ids[0]}/stats"), "nginx")
        return url

    def go_handler(self, mount):
        """The same for the handler in Go. It gets the PID and the TAP of each instance at its start."""
        pids = self.stand_ins(min(len(mount.ids), MOST_PROCESSES))
        known = self.write("go-instances", [
            f"{one} web-server-{number} {pids[number % len(pids)]} {self.tap} {4 << 30} 2"
            for number, one in enumerate(mount.ids)])
        port = free_port()
        with open(known, "rb") as stdin:
            processes.start(self._stack, [self.tool("http_baseline"), f"127.0.0.1:{port}"], stdin=stdin)
        url = f"http://127.0.0.1:{port}"
        processes.until(lambda: http_get(f"{url}/instances/{mount.ids[0]}/stats"), "the Go handler")
        return url
