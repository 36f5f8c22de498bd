"""metrics.prom, compared with prometheus-process-exporter for the same processes."""

import os
import time

from figures import duration, median_and_p99, paired_ratio, spread
from report import Finding, detail
from stage import http_get

ROUNDS = 15
JUDGED = 1000


def timed(function, argument):
    begin = time.perf_counter()
    result = function(argument)
    return time.perf_counter() - begin, result


def read_file(path):
    # Not open(): it also calls fstat(2), which makes the daemon measure everything once more.
    fd = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(fd, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def metrics_row(stage):
    findings = []
    exporter = stage.exporter()
    for count in (200, JUDGED, 10000):
        metrics = stage.mount(count, "metrics").path / "metrics.prom"
        read_file(metrics)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            seconds, text = timed(read_file, metrics)
            ours.append(seconds)
            if count == JUDGED:
                theirs.append(timed(http_get, exporter)[0])
        series = sum(not line.startswith(b"#") for line in text.splitlines())
        detail(f"{count:5} VMs: {median_and_p99(ours)}, {duration(spread(ours).median / count)} a VM; "
               f"{series} series, {len(text)} bytes")
        if theirs:
            findings.append(Finding(
                "metrics", f"metrics.prom of {count} VMs, beside prometheus-process-exporter",
                median_and_p99(ours), median_and_p99(theirs), paired_ratio(theirs, ours), 20, at_least=True))
    return findings
