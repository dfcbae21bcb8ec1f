"""Rows, medians, ratios, and the table."""

import json
import platform
import statistics
import time

# How a value is printed: factor, digits, unit.
UNITS = {
    "ms": (1e3, 2, "ms"), "us": (1e6, 0, "µs"), "rate": (1, 0, "/s"), "MB/s": (1e-6, 0, "MB/s"), "KiB": (1 / 1024, 1, "KiB"),
}

# The name of another rmail, measured for comparison.
BEFORE = "rmail-before"


class Row:
    """`goal`: how many times better than the faster Dovecot (or than the one named by `against`); `limit`: a value
    that rmail has to stay below, in seconds or bytes, whatever the others do; `twin`: a row of rmail's own that it has
    to come up to, give or take a tenth."""

    def __init__(self, name, title, unit="ms", goal=None, limit=None, against=None, twin=None):
        self.name, self.title, self.unit = name, title, unit
        self.goal, self.limit, self.against, self.twin = goal, limit, against, twin
        self.higher = unit in ("rate", "MB/s")
        self.values = {}

    def add(self, server, value):
        self.values.setdefault(server, []).append(value)

    def median(self, server):
        values = self.values.get(server)
        return statistics.median(values) if values else None

    def text(self, value):
        if value is None:
            return "–"
        factor, digits, unit = UNITS[self.unit]
        scaled = value * factor
        return f"{scaled:,.{digits if scaled < 100 else 0}f} {unit}"

    def best_other(self):
        others = [self.median(name) for name in self.values if not name.startswith("rmail")
                  and (self.against is None or name == self.against)]
        return (max if self.higher else min)(others) if others else None

    def ratio(self):
        """How many times better rmail is; more is better, whatever the unit."""
        mine, other = self.median("rmail"), self.best_other()
        if mine is None or other is None:
            return None
        if self.higher:
            return mine / other if other else None
        return other / mine if mine else float("inf")

    def change(self):
        """How much slower rmail is than the one before, in percent: the median over the rounds, and all of them."""
        pairs = list(zip(self.values.get("rmail", []), self.values.get(BEFORE, [])))
        changes = [100 * ((old / new if self.higher else new / old) - 1) for new, old in pairs if new and old]
        if not changes:
            return "–"
        return f"{statistics.median(changes):+.1f} % ({min(changes):+.0f} to {max(changes):+.0f})"

    def verdict(self):
        mine, ratio = self.median("rmail"), self.ratio()
        if mine is None:
            return ""
        parts = []
        if self.goal is not None:
            if ratio is None:
                return "–"
            parts.append(ratio >= self.goal)
        if self.limit is not None:
            parts.append(mine <= self.limit)
        if self.twin is not None and self.twin.values.get("rmail"):
            parts.append(mine <= 1.1 * self.twin.median("rmail"))
        return "" if not parts else "met" if all(parts) else "MISSED"

    def goal_text(self):
        parts = []
        if self.goal is not None:
            parts.append(f"≥ {self.goal:g} ×" + (f" {self.against}" if self.against else ""))
        if self.limit is not None:
            parts.append(f"≤ {self.text(self.limit)}")
        if self.twin is not None:
            parts.append("as the second time")
        return ", ".join(parts)

    def table_line(self, servers):
        ratio = self.ratio()
        cells = [self.title, *(self.text(self.median(name)) for name in servers),
                 "–" if ratio is None else "∞" if ratio == float("inf") else f"{ratio:.2f} ×", self.goal_text(),
                 self.verdict()]
        if BEFORE in servers:
            cells.append(self.change())
        return "| " + " | ".join(cells) + " |"


def table(rows, servers):
    rows = [row for row in rows if row.values]
    head = ["row", *servers, "rmail against the faster Dovecot", "goal", ""]
    if BEFORE in servers:
        head.append("slower than before")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + [row.table_line(servers) for row in rows])


def document(rows, servers, settings):
    """Everything, every single value too, for a file."""
    return json.dumps({
        "settings": settings, "kernel": platform.release(), "time": int(time.time()),
        "rows": [{
            "name": row.name, "title": row.title, "unit": row.unit, "values": row.values,
            "medians": {name: row.median(name) for name in servers if row.values.get(name)},
            "ratio": None if row.ratio() == float("inf") else row.ratio(), "goal": row.goal, "limit": row.limit,
            "verdict": row.verdict(),
        } for row in rows if row.values],
    }, indent=1, ensure_ascii=False)
