"""Draws the latency of open+read+close by the placement of reader and server, as SVG."""

from xml.sax.saxutils import escape

from figures import duration

COLOURS = {"io_uring": "#1a7f64", "/dev/fuse": "#4c78a8", "lxcfs": "#b0b0b0"}
BAR, GAP, GROUP_GAP = 16, 4, 26  # heights in pixels
LEFT, CHART_WIDTH, RIGHT, TOP = 90, 520, 150, 62


def text(x, y, words, size=12, colour="#222", weight="normal", anchor="start"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{colour}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{escape(words)}</text>')


def svg(latency, facts):
    """`latency` is {placement: {server: a Side with p50 and p99}}. A bar ends at the median, a thin line at p99."""
    longest = max(side.p99 for sides in latency.values() for side in sides.values())

    def width(seconds):
        return seconds / longest * CHART_WIDTH

    parts, y = [], TOP
    for placement, sides in latency.items():
        parts.append(text(LEFT, y, placement.value, weight="bold"))
        y += 8
        for server in (name for name in COLOURS if name in sides):
            side = sides[server]
            middle = y + BAR / 2
            parts += [
                text(LEFT - 6, middle + 4, server, anchor="end"),
                f'<rect x="{LEFT}" y="{y}" width="{width(side.p50):.1f}" height="{BAR}" fill="{COLOURS[server]}"/>',
                f'<line x1="{LEFT}" x2="{LEFT + width(side.p99):.1f}" y1="{middle}" y2="{middle}" '
                f'stroke="{COLOURS[server]}" stroke-width="2"/>',
                text(LEFT + width(side.p99) + 6, middle + 4, f"{duration(side.p50)}, p99 {duration(side.p99)}", 11),
            ]
            y += BAR + GAP
        y += GROUP_GAP
    whole_width = LEFT + CHART_WIDTH + RIGHT
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole_width}" height="{y}" '
        f'viewBox="0 0 {whole_width} {y}" font-family="sans-serif">',
        f'<rect width="{whole_width}" height="{y}" fill="#fff"/>',
        text(LEFT, 20, "open+read+close of one file: bar to the median, line to p99", 14, weight="bold"),
        text(LEFT, 38, "stats.json with io_uring and with /dev/fuse; /proc/meminfo of lxcfs", colour="#555"),
        *parts,
        text(LEFT, y - 8, facts.partition("; commit")[0], 10, "#777"),
        "</svg>", ""])
