"""Full load for a long time, while VMs come, go and change: does anything grow, or become slower?"""

import concurrent.futures
import contextlib
import itertools
import json
import os
import shutil
import sys
import threading
import time

import processes
from figures import duration, paired_ratio, single
from http_row import ask, requests_of
from read_rows import read_sides
from report import Finding, detail

READ_VMS = 800  # exist all the time; the others come and go
ALL_VMS = 1000
CHANGES_PER_SECOND = 20
ROUND_SECONDS = 60
WHOLE_HOST_FILES = ("metrics.prom", "instances.json", "summary")


class Changes:
    """Changes VMs: writes the metadata of those that exist all the time again, creates and deletes the others."""

    def __init__(self, data, ids):
        self._guests = data / "guests"
        self._ids = ids
        self._count = 0

    def _write(self, one, metadata):
        new = self._guests / one / "metadata.json.tmp"
        new.write_text(json.dumps(metadata))
        new.rename(self._guests / one / "metadata.json")

    def make_one(self):
        """Returns how many were made so far."""
        self._count += 1
        kept = self._ids[self._count % READ_VMS]
        metadata = json.loads((self._guests / kept / "metadata.json").read_text())
        self._write(kept, metadata)
        other = self._ids[READ_VMS + self._count % (len(self._ids) - READ_VMS)]
        if (self._guests / other).exists():
            shutil.rmtree(self._guests / other)
        else:
            (self._guests / other).mkdir()
            self._write(other, metadata | {"Id": other, "Name": f"new-{self._count}"})
        return self._count


class Load(contextlib.AbstractContextManager):
    """Changes, listings and whole-host reads in threads of their own, until the end of the context."""

    def __init__(self, mounts, changes):
        self.changes = 0
        self.whole_host_reads = 0
        self._end = threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=len(mounts) + 1)
        self._running = [self._pool.submit(self._change, changes)]
        self._running += [self._pool.submit(self._read_whole_host, mount) for mount in mounts]

    def _change(self, changes):
        while not self._end.wait(1 / CHANGES_PER_SECOND):
            self.changes = changes.make_one()

    def _read_whole_host(self, mount):
        for name in itertools.cycle(WHOLE_HOST_FILES):
            if self._end.is_set():
                return
            if not (mount.path / name).read_bytes():
                sys.exit(f"bench: {name} is empty")
            os.listdir(mount.path)
            self.whole_host_reads += 1

    def __exit__(self, *_):
        self._end.set()
        self._pool.shutdown()
        for one in self._running:
            one.result()  # raises what the thread has raised


def held(pids):
    """The memory in bytes, the open files and the threads of these processes and their descendants, in total."""
    every = [one for pid in pids for one in processes.tree_of(pid)]
    return (sum(processes.anonymous_memory(pid) for pid in pids),
            sum(len(os.listdir(f"/proc/{one}/fd")) for one in every),
            sum(len(os.listdir(f"/proc/{one}/task")) for one in every))


def soak_row(stage):
    data = stage.instances_on("soak", stage.stand_ins(50), ALL_VMS)
    transports = [False] + ([True] if stage.has_rings() else [])
    mounts = [stage.serve("soak", data, io_uring) for io_uring in transports]
    bridges = [stage.bridge(mount) for mount in mounts]
    paths = requests_of(stage, mounts[0], READ_VMS)
    pids = [mount.pid for mount in mounts] + [bridge.pid for bridge in bridges]
    rounds = []
    requests = 0
    end = time.monotonic() + 60 * stage.soak_minutes
    with Load(mounts, Changes(*data)) as load, concurrent.futures.ThreadPoolExecutor() as clients:
        while time.monotonic() < end:
            asked = [clients.submit(ask, bridge.url, paths, 32, seconds=ROUND_SECONDS) for bridge in bridges]
            time.sleep(ROUND_SECONDS / 4)
            sides = read_sides(stage, [("open", 4, mount.stats_files(mount.ids[:READ_VMS])) for mount in mounts])
            answers = [one.result() for one in asked]
            requests += sum(round(answer["rate"] * ROUND_SECONDS) for answer in answers)
            time.sleep(1)  # what was asked last is answered
            rounds.append((*held(pids), [side.p99 for side in sides], [answer["p99_us"] / 1e6 for answer in answers]))
            memory, files, threads, of_files, of_http = rounds[-1]
            detail(f"minute {len(rounds)}: {memory >> 10} KiB, {files} open files, {threads} threads; p99 of files "
                   f"{', '.join(map(duration, of_files))}, over HTTP {', '.join(map(duration, of_http))}")
    reads = len(rounds) * len(mounts) * 400 * 50 * 4
    detail(f"{reads} reads of stats.json, {requests} requests over HTTP, {load.whole_host_reads} whole-host reads and "
           f"listings, {2 * load.changes} changes")
    return findings_of(rounds)


def findings_of(rounds):
    """Compares the last tenth of the rounds with the first one, which began with everything in use."""
    part = max(len(rounds) // 10, 2)
    first, last = rounds[:part], rounds[-part:]

    def highest(of, index):
        return max(one[index] for one in of)

    found = [Finding("soak", f"{what} at the end, beside the beginning", str(highest(last, index)),
                     str(highest(first, index)), single(highest(last, index) / highest(first, index)), bar)
             for index, what, bar in ((0, "memory in bytes", 1.1), (1, "open files", 1.05), (2, "threads", 1.1))]
    for index, what in ((3, "p99 of open+read+close"), (4, "p99 over HTTP")):
        sums = [[sum(one[index]) for one in of] for of in (last, first)]
        found.append(Finding("soak", f"{what} at the end, beside the beginning", duration(max(sums[0])),
                             duration(max(sums[1])), paired_ratio(*sums), 1.5))
    return found
