"""Statistics over HTTP: the bridge compared with a handler in Go; wrk sends the requests."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from figures import duration, paired_ratio, spread
from read_rows import read_sides
from report import Finding, detail
from sample_row import in_process

BLOCKS = 5
SECONDS = 2
CONNECTIONS = (8, 64, 512)
JUDGED = 64  # connections


def ask(url, paths, connections, seconds=SECONDS):
    script = Path(__file__).with_name("wrk_requests.lua")
    done = subprocess.run(
        ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s",
         "--timeout", "10s", "--script", script, url, "--", paths],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, text=True)
    answer = json.loads(done.stderr)
    if answer["errors"]:
        sys.exit(f"bench: {url} failed {answer['errors']} requests")
    return answer


def said(answers):
    def median(key):
        return statistics.median(answer[key] for answer in answers)

    return (f"{median('rate'):.0f}/s, {duration(median('p50_us') / 1e6)} / "
            f"{duration(median('p99_us') / 1e6)}")


def requests_of(stage, mount, count):
    return stage.write(f"requests-{count}", [f"/instances/{one}/stats" for one in mount.ids[:count]])


def split_of_one_answer(stage, mount, bridge):
    """Measures one client, so that no request waits for another one."""
    times = {name: spread(repetitions).median for name, repetitions in in_process(stage).items()}
    held, = read_sides(stage, [("pread", 1, mount.stats_files()[:1])])
    request = ask(bridge, requests_of(stage, mount, 1), 1)["p50_us"] / 1e6
    rest = held.p50 - times["sample_and_render"]
    detail(f"one response to one client, {duration(request)}: kernel files {duration(times['raw_pread'])}, "
           f"rest of the sample {duration(max(times['sample'] - times['raw_pread'], 0))}, "
           f"JSON {duration(times['render_stats_json'])}, FUSE {duration(rest)}, "
           f"HTTP {duration(request - held.p50)}")


def http_row(stage):
    findings = []
    mount = stage.mount(1000)
    bridge, handler = stage.bridge(mount), stage.go_handler(mount)
    for count in (1, 1000):
        paths = requests_of(stage, mount, count)
        for url in (bridge, handler):
            ask(url, paths, 8, seconds=1)
        for connections in CONNECTIONS:
            ours, theirs = [], []
            for _ in range(BLOCKS):
                ours.append(ask(bridge, paths, connections))
                theirs.append(ask(handler, paths, connections))
            ratio = paired_ratio([one["rate"] for one in ours], [one["rate"] for one in theirs])
            detail(f"{connections:3} connections, {count:4} instances: {said(ours):32} Go: {said(theirs):32} "
                   f"{ratio.median:.2f}×")
            if connections == JUDGED:
                findings.append(Finding(
                    "http", f"requests/s, {connections} connections, instances: {count}; beside Go net/http",
                    said(ours), said(theirs), ratio, 2, at_least=True))
    split_of_one_answer(stage, mount, bridge)
    return findings
