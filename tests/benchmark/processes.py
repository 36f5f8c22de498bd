"""Starts, inspects and ends the processes of a run."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def until(condition, what, log=None):
    """Waits for a condition that other processes make true. `log` is the path of their output."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.01)
    sys.exit(f"bench: timeout while waiting for {what}\n{log.read_text() if log else ''}")


def start(stack, command, stdin=subprocess.DEVNULL, log=subprocess.DEVNULL, environment=None):
    """Runs a command until `stack` unwinds. The command has its own session, so that Ctrl-C reaches only the
    bench, which then ends everything in the right order."""
    child = subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=log, stderr=log,
                             env=environment, start_new_session=True)
    stack.callback(end, child)
    return child


def end(child):
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def tree_of(pid):
    """A process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree_of(int(child))
    return found


@contextlib.contextmanager
def kernel_setting(path, value):
    """Sets a parameter of the kernel for a while."""
    old = path.read_text()
    path.write_text(value)
    try:
        yield
    finally:
        path.write_text(old)


def run_on(cpus, pid):
    """Keeps all threads of a process and its descendants on these CPUs."""
    for one in tree_of(pid):
        for thread in Path(f"/proc/{one}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cpus)


def most_threads(pid):
    return max(len(os.listdir(f"/proc/{one}/task")) for one in tree_of(pid))


def start_time(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def context_switches(pid):
    """The context switches of all threads of a process and its descendants."""
    total = 0
    for one in tree_of(pid):
        for status in Path(f"/proc/{one}/task").glob("*/status"):
            for line in status.read_text().splitlines():
                if "ctxt_switches" in line:
                    total += int(line.split()[1])
    return total


def anonymous_memory(pid):
    """The private memory of a process and its descendants in bytes. Pss_Anon counts memory that they share
    only once."""
    total = 0
    for one in tree_of(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                total += int(line.split()[1]) * 1024
    return total


def open_descriptors(pid):
    return max(len(os.listdir(f"/proc/{one}/fd")) for one in tree_of(pid))
