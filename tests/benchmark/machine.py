"""The properties and limits of the machine that measures."""

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
    return (f"{processor()}, {os.cpu_count()} CPUs; Linux {os.uname().release.partition('-')[0]}; "
            f"{time.strftime('%Y-%m-%d %H:%M %Z')}; commit {commit.stdout.strip() or 'unknown'}; "
            f"load {os.getloadavg()[0]:.1f}; descriptors {resource.getrlimit(resource.RLIMIT_NOFILE)[1]}")


def warn_if_busy():
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"bench: other programs keep {load:.1f} CPUs busy. The ratios are still valid; the absolute figures "
              "are worse than on an idle machine", file=sys.stderr)


def raise_descriptor_limit():
    """Raises the limit for this process and its children, as far as its capabilities allow."""
    wanted = 1 << 17
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (max(wanted, hard), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return limit
        except (PermissionError, ValueError):
            continue
    return hard
