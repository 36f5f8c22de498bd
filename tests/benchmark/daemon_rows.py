"""The memory and the CPU time of a daemon, and what deleted instances cost."""

import os
import shutil
import time

import processes
from figures import Spread, duration, spread
from read_rows import read_sides
from report import Finding, detail


def absolute(value):
    return Spread(value, value, value)


def memory_row(stage):
    """Starts new daemons for this row, because other rows would change their memory."""
    count = 10000
    empty, full = stage.mount(0, "memory"), stage.mount(count, "memory")
    (empty.path / "metrics.prom").read_bytes()
    read_sides(stage, [("turn", 1, full.stats_files())], blocks=2, operations=1)
    without, with_all = (processes.anonymous_memory(mount.pid) for mount in (empty, full))
    detail(f"open descriptors after each of {count} was read: {processes.open_descriptors(full.pid)}")
    (full.path / "metrics.prom").read_bytes()
    after_metrics = (processes.anonymous_memory(full.pid) - without) / count
    detail(f"after a read of metrics.prom: {after_metrics:.0f} B per instance")
    return [Finding("memory", f"Pss_Anon of the daemon per instance at {count}, beyond an empty one's",
                    f"{with_all / 1024:.0f} KiB", f"{without / 1024:.0f} KiB",
                    absolute((with_all - without) / count), 4096, unit=" B")]


def idle_row(stage):
    mount = stage.mount(1000)
    read_sides(stage, [("open", 1, mount.stats_files())], blocks=2)
    time.sleep(2)
    before = processes.context_switches(mount.pid)
    time.sleep(10)
    switches = processes.context_switches(mount.pid) - before
    return [Finding("idle", "context switches of an idle daemon of 1000 instances in 10 s",
                    str(switches), "", absolute(switches), 0, unit="")]


def delete_row(stage):
    """The listing that finds out that instances were deleted costs more than others. Each run needs instances of its
    own."""
    count, deleted = 10000, 2000
    mount = stage.serve("delete", stage.instances_on("delete", stage.stand_ins(10), count))

    def listing():
        begin = time.perf_counter()
        found = len(os.listdir(mount.path))
        return time.perf_counter() - begin, found

    (mount.path / "metrics.prom").read_bytes()
    before = spread([listing()[0] for _ in range(20)])
    for one in mount.ids[:deleted]:
        shutil.rmtree(mount.data / "guests" / one)
    first, left = listing()
    after = spread([listing()[0] for _ in range(20)])
    detail(f"later listings of {left} names: {duration(after.median)}")
    return [Finding("delete", f"first listing after {deleted} of {count} instances were deleted, beside one before",
                    duration(first), duration(before.median), absolute(first / before.median), 2)]
