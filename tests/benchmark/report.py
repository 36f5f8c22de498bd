"""The results of the rows, and the table of all results."""

import dataclasses

from figures import Spread


@dataclasses.dataclass
class Finding:
    """One line of the table."""

    row: str
    what: str
    ours: str
    theirs: str
    value: Spread
    bar: float
    at_least: bool = False
    unit: str = "×"

    @property
    def met(self):
        return self.value.median >= self.bar if self.at_least else self.value.median <= self.bar

    def cells(self):
        def number(value):
            return f"{value:.2f}" if self.unit == "×" and value < 100 else f"{value:.0f}"

        value = f"{number(self.value.median)}{self.unit}"
        if self.value.low != self.value.high:
            value += f" ({number(self.value.low)} to {number(self.value.high)})"
        bar = f"{'≥' if self.at_least else '≤'} {self.bar:g}{self.unit}"
        return [self.row, self.what, self.ours, self.theirs, value, bar, "met" if self.met else "MISSED"]


HEADINGS = ["row", "what", "ours, median / p99", "theirs, median / p99", "value (quartiles)", "bar", ""]


def table(findings):
    """The table in Markdown, for docs/performance.md."""
    lines = [HEADINGS] + [finding.cells() for finding in findings]
    widths = [max(map(len, column)) for column in zip(*lines)]

    def line(cells):
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(HEADINGS), rule, *map(line, lines[1:])])


def detail(text):
    print(f"    {text}", flush=True)
