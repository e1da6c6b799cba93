#!/usr/bin/python3
"""The figures of the learning engine as one document.

  learn_report.py --programs build/host/bin --data DATA [--seeds N] [--nab-seeds N]
                  [--format text|json]

Runs the programs of each part and puts what they say side by side:

  boards    instructions and RAM on the emulated boards
  accuracy  the engine beside float32, by data set
  bytes     accuracy per byte: every compression beside float32
  anomaly   NAB's score of the engine and of float32, beside what NAB publishes of other detectors;
            left out with a warning where NAB's series are not to be had (tools/deps/fetch nab)

With --format json stdout is one JSON document, progress goes to stderr. Exits with 1 if a program
fails.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

NAB_SCORE = pathlib.Path(__file__).resolve().parents[2] / "tests/anomaly/nab_score.py"
ARITHMETICS = {"integers": [], "float32": ["--float"]}


def run(program, *options, **how):
    done = subprocess.run([program, *options], stdout=subprocess.PIPE, text=True, check=True, **how)
    return done.stdout


def printed_by(program, *options):
    """A part that one program prints, in either format."""

    def part(arguments):
        filled = [option.format(data=arguments.data, seeds=arguments.seeds) for option in options]
        printed = run(arguments.programs / program, *filled, "--format", arguments.format,
                      stdin=subprocess.DEVNULL)
        return json.loads(printed) if arguments.format == "json" else printed

    return part


def mean_and_deviation(values):
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "deviation": deviation}


def nab_scores(arguments):
    """For each series and arithmetic what nab_score.py says, seed by seed; the published scores."""
    folder = arguments.data / "nab"
    scores, published = {}, {}
    for seed in range(1, arguments.nab_seeds + 1):
        for arithmetic, option in ARITHMETICS.items():
            alarms = run(arguments.programs / "skep-nab", "--data", folder, "--seed", str(seed),
                         *option)
            for series in json.loads(run(NAB_SCORE, "--data", folder, input=alarms)):
                of_series = scores.setdefault(series["name"], {name: [] for name in ARITHMETICS})
                of_series[arithmetic].append({**series["skep"], "windows": series["windows"]})
                published[series["name"]] = series["published"]
    return scores, published


def summary_of(results):
    return {
        "score": mean_and_deviation([result["scaled"] for result in results]),
        "windows_found": statistics.fmean(result["windows_found"] for result in results),
        "false_alarms": statistics.fmean(result["false_alarms"] for result in results),
        "seeds_that_found_all": sum(r["windows_found"] == r["windows"] for r in results),
    }


def anomaly(arguments):
    if not (arguments.data / "nab").is_dir():
        print("bench: warning: no NAB series, no anomalies", file=sys.stderr)
        return None
    scores, published = nab_scores(arguments)
    document = {"seeds": arguments.nab_seeds, "series": {}}
    for name, of_series in scores.items():
        differences = [ours["scaled"] - float32["scaled"]
                       for ours, float32 in zip(of_series["integers"], of_series["float32"])]
        document["series"][name] = {
            **{arithmetic: summary_of(results) for arithmetic, results in of_series.items()},
            "difference_points": mean_and_deviation(differences),
            "published": published[name],
        }
    return document if arguments.format == "json" else text_of(document)


def text_of(document):
    lines = [f"NAB's score, mean and deviation of {document['seeds']} seeds"]
    for name, series in document["series"].items():
        for arithmetic in ARITHMETICS:
            result = series[arithmetic]
            lines.append(
                f"{name:<38} {arithmetic:<9} {result['score']['mean']:6.2f} ± "
                f"{result['score']['deviation']:5.2f}   found {result['windows_found']:.2f} "
                f"(all: {result['seeds_that_found_all']} seeds)   "
                f"false alarms {result['false_alarms']:.2f}")
        lines.append(f"{name:<38} difference {series['difference_points']['mean']:+.2f}")
    return "\n".join(lines) + "\n"


PARTS = {
    "boards": printed_by("skep-bench-learn-counts"),
    "accuracy": printed_by("skep-bench-learn-accuracy", "--data", "{data}", "--seeds", "{seeds}"),
    "bytes": printed_by("skep-bench-compression", "--data", "{data}/digits.csv", "--seeds",
                        "{seeds}"),
    "anomaly": anomaly,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    # A failure found or not is 25 points of one seed's score: a mean needs many.
    parser.add_argument("--nab-seeds", type=int, default=300)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    arguments = parser.parse_args()

    document = {}
    for name, part in PARTS.items():
        print(f"bench: {name}", file=sys.stderr)
        try:
            result = part(arguments)
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"learn_report.py: error: {name}: {error}", file=sys.stderr)
            return 1
        if arguments.format == "json":
            document[name] = result
        elif result is not None:
            print(result, flush=True)
    if arguments.format == "json":
        print(json.dumps(document, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
