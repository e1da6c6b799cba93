#!/usr/bin/python3
"""The figures of the learning engine as one document.

  learn_report.py --programs build/host/bin --data DATA [--seeds N] [--format text|json]

Runs each program below, which prints one JSON document, and puts these side by side. With --format
json stdout is one JSON document, progress goes to stderr. Exits with 1 if a program fails.
"""

import argparse
import json
import pathlib
import subprocess
import sys

# Part of the document: the program and its options; {data} and {seeds} are filled in.
PARTS = {
    "boards": ("skep-bench-learn-counts",),
    "accuracy": ("skep-bench-learn-accuracy", "--data", "{data}", "--seeds", "{seeds}"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    arguments = parser.parse_args()

    document = {}
    for part, (program, *options) in PARTS.items():
        filled = [option.format(data=arguments.data, seeds=arguments.seeds) for option in options]
        command = [arguments.programs / program, *filled, "--format", arguments.format]
        print(f"bench: {program}", file=sys.stderr)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            return 1
        if arguments.format == "json":
            document[part] = json.loads(done.stdout)
        else:
            print(done.stdout, flush=True)
    if arguments.format == "json":
        print(json.dumps(document, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
