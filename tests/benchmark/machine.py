"""The machine that measures: what it is, and what it lets a process do."""

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def facts(source_root):
    commit = subprocess.run(["git", "-C", source_root, "describe", "--always", "--dirty"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return (f"{processor()}, {os.cpu_count()} CPUs; Linux {os.uname().release}; "
            f"{time.strftime('%Y-%m-%d %H:%M %Z')}; commit {commit.stdout.strip() or 'unknown'}; "
            f"load {os.getloadavg()[0]:.1f}; descriptors {resource.getrlimit(resource.RLIMIT_NOFILE)[1]}")


def warn_if_busy():
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"bench: others keep {load:.1f} CPUs busy: ratios still compare like with like, absolute figures "
              "are worse than this machine's", file=sys.stderr)


def raise_descriptor_limit():
    """For this process and those that it starts; where root has not the capability, as far as it goes."""
    wanted = 1 << 17
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (max(wanted, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return limit
        except (PermissionError, ValueError):
            continue
    return hard
