"""Statistics over HTTP: the bridge compared with a handler in Go and with nginx; wrk sends the requests."""

import contextlib
import json
import statistics
import subprocess
import sys
from pathlib import Path

import processes
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
    """Each comparison has bars of its own for the two transports."""
    findings = []
    mount = stage.mount(1000)
    servers = {"bridge": stage.bridge(mount).url, "Go": stage.go_handler(mount), "nginx": stage.nginx(mount)}
    if stage.has_rings():
        servers["bridge, io_uring"] = stage.bridge(stage.mount(1000, io_uring=True)).url
    bars = {1: {("bridge", "Go"): 6, ("bridge, io_uring", "Go"): 6},
            1000: {("bridge", "Go"): 2, ("bridge, io_uring", "Go"): 3, ("bridge", "nginx"): 3,
                   ("bridge, io_uring", "nginx"): 3}}
    for count in (1, 1000):
        paths = requests_of(stage, mount, count)
        for url in servers.values():
            ask(url, paths, 8, seconds=1)
        for connections in CONNECTIONS:
            answers = {name: [] for name in servers}
            for _ in range(BLOCKS):
                for name, url in servers.items():
                    answers[name].append(ask(url, paths, connections))
            detail(f"{connections:3} connections, {count:4} instances: " +
                   "; ".join(f"{name} {said(one)}" for name, one in answers.items()))
            if connections != JUDGED:
                continue
            for (ours, theirs), bar in bars[count].items():
                if ours in answers:
                    ratio = paired_ratio(*([one["rate"] for one in answers[name]] for name in (ours, theirs)))
                    findings.append(Finding(
                        "http", f"requests/s of the {ours}, {connections} connections, instances: {count}; beside "
                        f"{theirs}", said(answers[ours]), said(answers[theirs]), ratio, bar, at_least=True))
    split_of_one_answer(stage, mount, servers["bridge"])
    return findings


def names_row(stage):
    """Clients that ask for names and prefixes that do not exist must not slow down those that ask for an ID."""
    mount = stage.mount(10000)
    bridge = stage.bridge(mount).url
    exact = stage.write("exact-id", [f"/instances/{mount.ids[0]}/stats"])
    ask(bridge, exact, 1, seconds=1)
    findings = []
    for what, unknown in (("a name", "no-such-name"), ("a prefix", mount.ids[0][:4] + "zz")):
        alone, beside = [], []
        for _ in range(BLOCKS):
            alone.append(ask(bridge, exact, 1))
            with contextlib.ExitStack() as stack:
                processes.start(stack, ["wrk", "--threads", "1", "--connections", "8", "--duration", "60s",
                                        f"{bridge}/instances/{unknown}/stats"])
                beside.append(ask(bridge, exact, 1))
        findings.append(Finding(
            "names", f"p99 of one client of an exact ID while eight ask for {what} that does not exist, 10,000 "
            "instances; beside alone", said(beside), said(alone),
            paired_ratio([one["p99_us"] for one in beside], [one["p99_us"] for one in alone]), 2))
    return findings
