"""One sample without a file system, measured with Google Benchmark."""

import json
import subprocess

from figures import duration, paired_ratio, spread
from report import Finding, detail

REPETITIONS = 20


def in_process(stage, which=""):
    """The CPU time of each repetition in seconds, by benchmark. The repetitions of all benchmarks run in random
    order. `which` is a regular expression."""
    data, ids = stage.instances(10)
    done = subprocess.run(
        [stage.tool("micro"), data, ids[0], str(stage.stand_ins(10)[0]), stage.tap,
         f"--benchmark_repetitions={REPETITIONS}", "--benchmark_enable_random_interleaving=true",
         f"--benchmark_filter={which}", "--benchmark_min_time=0.03", "--benchmark_format=json"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    times = {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] == "iteration":
            times.setdefault(run["name"], []).append(run["cpu_time"] / 1e9)
    return times


def sample_row(stage):
    times = in_process(stage)
    for name, repetitions in times.items():
        of = spread(repetitions)
        detail(f"{name:23} {duration(of.median):>8} ({duration(of.low)} to {duration(of.high)})")
    ours, theirs = times["sample"], times["raw_pread"]
    return [Finding("sample", "one sample in process, beside pread of the four kernel files",
                    duration(spread(ours).median), duration(spread(theirs).median),
                    paired_ratio(ours, theirs), 1.3)]
