"""Compares and formats measured numbers."""

import dataclasses
import statistics


@dataclasses.dataclass
class Spread:
    """A median and its quartiles."""

    median: float
    low: float
    high: float


def spread(values):
    low, median, high = statistics.quantiles(values, n=4)
    return Spread(median, low, high)


def single(value):
    """A value that was measured once."""
    return Spread(value, value, value)


def paired_ratio(numerators, denominators):
    """The ratios of neighbouring blocks. A disturbance that affects both blocks does not change the ratio."""
    return spread([n / d for n, d in zip(numerators, denominators)])


def duration(seconds):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.1f} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def percentile(values, share):
    return sorted(values)[round((len(values) - 1) * share)]


def median_and_p99(seconds):
    return f"{duration(statistics.median(seconds))} / {duration(percentile(seconds, 0.99))}"
