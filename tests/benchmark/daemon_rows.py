"""The memory and the CPU time of an idle daemon."""

import time

import processes
from figures import Spread
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
