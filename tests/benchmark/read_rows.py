"""The rows about single reads. The program `reader` measures the sides of each row in turn."""

import contextlib
import dataclasses
import enum
import json
import os
import resource
import statistics
import subprocess
import sys

import processes
from figures import duration, paired_ratio, single, spread
from report import Finding, detail
from sample_row import in_process

BLOCKS = 400
OPERATIONS = 50
DESCRIPTORS_EACH = 4  # of each instance whose files stay open


class Placement(enum.Enum):
    """The CPUs of the reader and the servers. A round trip between two CPUs takes up to ten times longer than on
    one CPU. If the kernel chooses the CPUs, a ratio depends on chance."""

    FREE = "on CPUs that the kernel chooses"
    APART = "on two CPUs"
    TOGETHER = "on one CPU"

    def cpus(self):
        """The CPUs of the reader, and the CPUs of the servers."""
        every = sorted(os.sched_getaffinity(0))
        if self is Placement.FREE:
            return every, every
        return every[:1], every[-1:] if self is Placement.APART else every[:1]


@dataclasses.dataclass
class Side:
    """The result of `reader` for one side."""

    medians: list  # of the blocks, seconds
    rates: list  # of the blocks, reads per second
    p50: float
    p99: float

    def __str__(self):
        return f"{duration(self.p50)} / {duration(self.p99)}"


def read_sides(stage, sides, blocks=BLOCKS, operations=OPERATIONS, placement=Placement.FREE):
    """`sides` are (mode, threads, files)."""
    words = []
    for number, (mode, threads, files) in enumerate(sides):
        words.append(f"{mode}:{threads}:{stage.write(f'files-{number}', files)}")
    reader_cpus, server_cpus = placement.cpus()
    stage.run_servers_on(server_cpus)
    done = subprocess.run(["taskset", "--cpu-list", ",".join(map(str, reader_cpus)), stage.tool("reader"),
                           str(blocks), str(operations), *words],
                          stdout=subprocess.PIPE, check=True, text=True)
    stage.run_servers_on(os.sched_getaffinity(0))
    found = []
    for line in done.stdout.splitlines():
        said = json.loads(line)
        found.append(Side([time / 1e9 for time in said["block_medians_ns"]], said["block_rates"],
                          said["p50_ns"] / 1e9, said["p99_ns"] / 1e9))
    return found


def transports(stage):
    """The transports that this kernel has: a name, and whether it is io_uring."""
    found = [("/dev/fuse", False)]
    if stage.has_rings():
        found.append(("io_uring", True))
    else:
        detail("this kernel does not have FUSE over io_uring")
    return found


def beside_constant(stage, row, mode, what):
    """The limit of a read is a FUSE file of constant content, plus the kernel files that the read needs."""
    kernel = spread(in_process(stage, "raw_pread")["raw_pread"]).median
    findings = []
    for name, io_uring in transports(stage):
        for placement in Placement:
            ours, theirs = read_sides(stage, [
                (mode, 1, stage.mount(10, io_uring=io_uring).stats_files()[:1]),
                (mode, 1, stage.constant_files(io_uring=io_uring))], placement=placement)
            limits = [median + kernel for median in theirs.medians]
            findings.append(Finding(
                row, f"{what} with {name}, {placement.value}, beside a FUSE file of constant content and pread of "
                f"the four kernel files", str(ours), f"{theirs} and {duration(kernel)}",
                paired_ratio(ours.medians, limits), 1.2))
    return findings


def open_row(stage):
    return beside_constant(stage, "open", "open", "open+read+close of stats.json")


def pread_row(stage):
    return beside_constant(stage, "pread", "pread", "pread on a held descriptor")


def latency_by_placement(stage):
    """Of open+read+close: {placement: {server: Side}}, measured side by side. The placement is that of the reader,
    lxcfs and the daemon with /dev/fuse; with io_uring, a thread on the reader's CPU answers."""
    sides = {"lxcfs": ("open", 1, [stage.lxcfs_meminfo()])}
    for name, io_uring in transports(stage):
        sides[name] = ("open", 1, stage.mount(10, io_uring=io_uring).stats_files()[:1])
    return {placement: dict(zip(sides, read_sides(stage, list(sides.values()), placement=placement)))
            for placement in Placement}


def transport_row(stage):
    """Reads through io_uring beside reads through /dev/fuse and beside lxcfs, by the same reader."""
    latency = latency_by_placement(stage)
    for placement, sides in latency.items():
        for name, side in sides.items():
            detail(f"open+read+close, {placement.value}: {name} {side}")
    stage.latency = latency
    if not stage.has_rings():
        return []
    free = latency[Placement.FREE]
    findings = [Finding("lxcfs", "open+read+close of stats.json with io_uring, beside lxcfs's meminfo, "
                        f"{Placement.FREE.value}", str(free["io_uring"]), str(free["lxcfs"]),
                        paired_ratio(free["lxcfs"].medians, free["io_uring"].medians), 3, at_least=True)]
    pread = {}
    for placement in Placement:
        ring, classic = read_sides(stage, [
            ("pread", 1, stage.mount(10, io_uring=io_uring).stats_files()[:1]) for io_uring in (True, False)],
            placement=placement)
        detail(f"pread, {placement.value}: io_uring {ring}, /dev/fuse {classic}")
        pread[placement] = {"io_uring": ring, "/dev/fuse": classic}
    for what, measured in (("open+read+close of stats.json", latency), ("pread on a held descriptor", pread)):
        ring, classic = measured[Placement.FREE]["io_uring"], measured[Placement.FREE]["/dev/fuse"]
        findings.append(Finding("transport", f"p99 of {what} with io_uring, beside /dev/fuse, {Placement.FREE.value}",
                                str(ring), str(classic), single(classic.p99 / ring.p99), 3, at_least=True))
        rings = [sides["io_uring"] for sides in measured.values()]
        best, worst = (choose(rings, key=lambda side: side.p50) for choose in (min, max))
        findings.append(Finding("transport", f"{what} with io_uring, worst placement beside the best", str(worst),
                                str(best), single(worst.p50 / best.p50), 1.25))
    return findings


def whole_host_row(stage):
    """64 readers of one VM each, alone and while another process reads the whole host without a pause. That takes
    CPU time from them, so a process that only uses a CPU is the comparison."""
    whole_host = ("import os, sys\n"
                  "while True:\n"
                  "    fd = os.open(sys.argv[1], os.O_RDONLY)\n"
                  "    while os.read(fd, 1 << 20):\n"
                  "        pass\n"
                  "    os.close(fd)\n")
    only_cpu = "while True:\n    pass\n"
    findings = []
    for name, io_uring in transports(stage):
        mount = stage.mount(5000, io_uring=io_uring)
        side = ("open", 64, mount.stats_files(mount.ids[:64]))
        measured = {}
        for beside, program in (("nothing", None), ("a busy process", only_cpu), ("whole-host reads", whole_host)):
            with contextlib.ExitStack() as stack:
                if program:
                    processes.start(stack, [sys.executable, "-c", program, mount.path / "metrics.prom"])
                measured[beside], = read_sides(stage, [side], blocks=40, operations=2000)
            detail(f"{name}, 64 readers beside {beside}: {measured[beside]}")
        ours, theirs = measured["whole-host reads"], measured["a busy process"]
        findings.append(Finding("whole-host", f"p99 of 64 readers with {name} beside a loop of whole-host reads of "
                                "5,000 VMs; beside a busy process", str(ours), str(theirs),
                                single(ours.p99 / theirs.p99), 1.25))
    return findings


def instances_row(stage):
    """The bar is for reads of the same ten instances: other instances on the host must not make them slower. Reads
    of always different instances are slower, because CPU caches are too small for 10,000 of anything. Other details
    show how slow that is without the daemon. All instances run on the same ten processes, so that the kernel does
    not need more memory for processes. Each order has its own daemon, because an order determines which descriptors
    stay open."""
    count, few = 10000, 1000
    ten = stage.mount(10)
    everything, part, turns = (stage.mount(count, order, most_processes=10)
                               for order in ("at random", "working set", "in turn"))
    spread_out = stage.mount(count, "on many processes")
    for mount in (everything, part, turns, spread_out):
        read_sides(stage, [("turn", 1, mount.stats_files())], blocks=2, operations=1)

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    detail(f"{limit} descriptors keep at most {min(count, limit // DESCRIPTORS_EACH)} instances open")

    def proc_stat(count):
        return [f"/proc/{pid}/stat" for pid in stage.stand_ins(count)]

    findings = []
    for mode, mount, files, what_it_is in (
            ("open", part, 10, "the same ten of 10,000"),
            ("open", everything, count, "any of 10,000, at random"),
            ("open", part, few, "a working set of 1,000 of them"),
            ("turn", turns, count, "10,000 in turn"),
            ("pread", part, few, "pread, a working set of 1,000"),
            ("open", spread_out, few, "the same 1,000 on as many processes")):
        base_mode = "open" if mode == "turn" else mode
        many, base = read_sides(stage, [(mode, 1, mount.stats_files(mount.ids[:files])),
                                        (base_mode, 1, ten.stats_files())], placement=Placement.TOGETHER)
        ratio = paired_ratio(many.medians, base.medians)
        detail(f"{what_it_is:35} {str(many):22} beside ten: {str(base):22} {ratio.median:.2f}×")
        if files == 10:
            findings.append(Finding("instances", "open+read+close, ten instances of 10,000, beside ten of ten",
                                    str(many), str(base), ratio, 1.1))
    # The same comparison without the daemon. It shows which part of the numbers above is not from the daemon.
    for what_it_is, many_files, ten_files in (
            ("without it: 10,000 constant files", stage.constant_files(count), stage.constant_files(10)),
            ("without it: 1,000 constant files", stage.constant_files(few), stage.constant_files(10)),
            ("without it: 1,000 /proc/<pid>/stat", proc_stat(few), proc_stat(10))):
        many, base = read_sides(stage, [("open", 1, many_files), ("open", 1, ten_files)],
                                placement=Placement.TOGETHER)
        detail(f"{what_it_is:35} {str(many):22} beside ten: {str(base):22} "
               f"{paired_ratio(many.medians, base.medians).median:.2f}×")
    return findings


def readers_row(stage):
    """Many parallel readers together must not read less than one reader."""
    counts = (1, 2, 4, 8, 16, 64)
    files = stage.mount(200).stats_files()[:64]
    sides = [("open", count, files[:1]) for count in counts] + [("open", count, files[:count])
                                                                for count in counts[1:]]
    found = read_sides(stage, sides, blocks=40, operations=2000)
    single = found[0]
    findings = []
    for what, measured in (("one instance", [single, *found[1:len(counts)]]),
                           ("as many instances", [single, *found[len(counts):]])):
        for count, side in zip(counts, measured):
            detail(f"{count:2} readers of {what:17} {statistics.median(side.rates):8.0f}/s, {side}")
        findings.append(Finding(
            "readers", f"reads/s of 64 readers of {what}, beside one reader",
            f"{statistics.median(measured[-1].rates):.0f}/s", f"{statistics.median(single.rates):.0f}/s",
            paired_ratio(measured[-1].rates, single.rates), 1, at_least=True))
    return findings


def threads_row(stage):
    """Has no bar: the kernel adds up the times of all threads of a process for each read of its stat."""
    counts = (1, 10, 100)
    mount = stage.serve("threads", stage.instances_on(
        "threads", [stage.process_of_threads(count) for count in counts]))
    sides = read_sides(stage, [("open", 1, [file]) for file in mount.stats_files()], placement=Placement.TOGETHER)
    for count, side in zip(counts, sides):
        ratio = paired_ratio(side.medians, sides[0].medians)
        detail(f"hypervisor of {count:3} threads: {side}, {ratio.median:.2f}×")
    return []
