#!/usr/bin/python3
"""The score of the Numenta Anomaly Benchmark, standard profile, for one series.

  skep-nab --data FOLDER | nab_score.py --data FOLDER

Written from the paper (Lavin and Ahmad, "Evaluating Real-Time Anomaly Detection Algorithms: the
Numenta Anomaly Benchmark", ICMLA 2015, section II), and apart from the program whose alarms it
scores. It prints one JSON document: for each series NAB's raw score, the same on NAB's scale of 0
(says nothing) to 100 (perfect), windows found and false alarms, beside what NAB publishes of other
detectors on that series.
"""

import argparse
import json
import math
import pathlib
import sys

# The application profile "standard": what a detection, a false one and a miss count.
A_TP, A_FP, A_FN = 1.0, 0.11, 1.0


def sigma(position):
    """Equation 2: near 1 where a window begins, 0 where it ends, near -1 one window later."""
    return 2 / (1 + math.exp(5 * position)) - 1


class Series:
    """One series' times and its labelled windows as pairs of rows, both inclusive."""

    def __init__(self, times, windows):
        self.times = times
        self.windows = windows
        # 15 % of a series, of 5,000 rows at most, are there to learn from and are not scored.
        self.probation = min(len(times) * 15 // 100, 750)

    @classmethod
    def load(cls, folder, name):
        lines = (folder / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        times = [line.split(",")[0] for line in lines[1:]]
        labels = json.loads((folder / "combined_windows.json").read_text(encoding="utf-8"))
        (windows,) = [w for key, w in labels.items() if key.endswith(f"/{name}.csv")]
        return cls(times, [(times.index(a[:19]), times.index(b[:19])) for a, b in windows])

    def window_of(self, row):
        for window in self.windows:
            if window[0] <= row <= window[1]:
                return window
        return None

    def value_of_hit(self, row, window):
        """A_TP where the window begins, 0 after its end; each row is a step of 1 / length."""
        length = window[1] - window[0] + 1
        return A_TP * sigma((row - window[1] - 1) / length) / sigma(-1)

    def value_of_false_alarm(self, row):
        """Next to nothing right after a window, -A_FP far from the last one or before any."""
        before = [window for window in self.windows if window[1] < row]
        if not before:
            return -A_FP
        first, last = before[-1]
        position = (row - last) / (last - first)
        return A_FP * (sigma(position) if position <= 3 else -1)

    def score(self, rows):
        """Of each window the earliest hit counts, or the miss; of false alarms each one."""
        rows = [row for row in rows if row >= self.probation]
        found, false_alarms, raw = 0, 0, 0.0
        for window in self.windows:
            hits = [self.value_of_hit(row, window) for row in rows if self.window_of(row) == window]
            found += bool(hits)
            raw += max(hits, default=-A_FN)
        for row in rows:
            if self.window_of(row) is None:
                false_alarms += 1
                raw += self.value_of_false_alarm(row)
        null, perfect = -A_FN * len(self.windows), A_TP * len(self.windows)
        return {
            "raw": raw,
            "scaled": 100 * (raw - null) / (perfect - null),
            "windows_found": found,
            "false_alarms": false_alarms,
        }


def published_results():
    path = pathlib.Path(__file__).with_name("published_results.json")
    return json.loads(path.read_text(encoding="utf-8"))["series"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="NAB's files")
    folder = parser.parse_args().data
    report = []
    for entry in json.load(sys.stdin)["series"]:
        series = Series.load(folder, entry["name"])
        others = published_results().get(entry["name"], {})
        report.append({
            "name": entry["name"],
            "windows": len(series.windows),
            "skep": series.score([alarm["row"] for alarm in entry["alarms"]]),
            "published": {name: series.score(other["rows"]) for name, other in others.items()},
        })
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
