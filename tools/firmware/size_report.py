#!/usr/bin/python3
"""Says what an image is made of, from its linker map, and whether it keeps its budget.

  size_report.py --map skep-device.map [--objects build/board] [--budgets boards/x/budgets.json]
                 [--format text|json]

Flash is code, constants and the initial values of data; RAM is data, zeroed and uninitialised
memory and the stack. What lies in other memories (the emulated flash) is not the image's.
Exits with 1 if a budget is exceeded.
"""

import argparse
import json
import pathlib
import re
import sys

FLASH_SECTIONS = {".text", ".data"}
RAM_SECTIONS = {".stack", ".data", ".bss", ".noinit"}

# The first pattern that an input file's name matches says which part it belongs to.
PARTS = [
    (r"libskep_(observe|learn|privacy|compress|seal|model|round|core|wire)\.a", None),
    (r"libskep_nanopb\.a", "wire"),
    (r"libskep_transport_coap\.a", "transport"),
    (r"lib(mbed\w+|p256m|everest)\.a", "Mbed TLS"),
    (r"libskep_libcoap\.a", "libcoap"),
    (r"libskep_lwip\.a", "lwIP"),
    (r"libstdc\+\+\w*\.a|libsupc\+\+\w*\.a", "C++ runtime"),
    (r"libgcc\.a|libc\.a|libm\.a", "C runtime"),
    (r"skep_board|skep_baremetal|libskep_(provisioning|sensing)", "port"),
]
APPLICATION = "application"
STACK = "stack"

SECTION = re.compile(r"^(\.\w+)(?:\s+0x([0-9a-f]+)\s+0x([0-9a-f]+))?")
INPUT = re.compile(r"^ (\*?[.\w$]\S*)?\s*0x([0-9a-f]+)\s+0x([0-9a-f]+)(?:\s+(\S.*))?$")


def part_of(file):
    for pattern, name in PARTS:
        match = re.search(pattern, file)
        if match:
            return name or match.group(1)
    return APPLICATION


def pieces_of(map_text):
    """Yields (output section, size, input file or None for the linker's own)."""
    body = map_text[map_text.index("Linker script and memory map"):]
    section = None
    name = None  # an input section whose addresses stand on the next line
    for line in body.splitlines():
        if line.startswith("."):
            section = SECTION.match(line).group(1)
            name = None
            continue
        if section not in FLASH_SECTIONS | RAM_SECTIONS:
            continue
        if re.match(r"^ \.?[\w$*]\S*$", line):
            name = line.strip()
            continue
        match = INPUT.match(line if name is None else f" {name}{line}")
        name = None
        if not match:
            continue
        size = int(match.group(3), 16)
        file = match.group(4)
        if size == 0:
            continue
        if match.group(1) == "*fill*":
            yield section, size, None
        elif file and file.endswith((".o", ".obj", ")")):
            yield section, size, file


def section_sizes(map_text):
    sizes = {}
    for match in re.finditer(r"^(\.\w+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)", map_text, re.MULTILINE):
        sizes[match.group(1)] = int(match.group(2), 16)
    return sizes


def measure(map_text):
    sizes = section_sizes(map_text)
    parts = {}

    def add(part, flash, ram):
        entry = parts.setdefault(part, {"flash_bytes": 0, "ram_bytes": 0})
        entry["flash_bytes"] += flash
        entry["ram_bytes"] += ram

    for section, size, file in pieces_of(map_text):
        if file is None:
            continue
        add(part_of(file), size if section in FLASH_SECTIONS else 0,
            size if section in RAM_SECTIONS else 0)
    add(STACK, 0, sizes.get(".stack", 0))
    result = {
        "flash_bytes": sum(sizes.get(section, 0) for section in FLASH_SECTIONS),
        "ram_bytes": sum(sizes.get(section, 0) for section in RAM_SECTIONS),
        "stack_bytes": sizes.get(".stack", 0),
        "parts": parts,
    }
    # What alignment costs, and strings that the linker merged.
    counted = {key: sum(part[key] for part in parts.values()) for key in ("flash_bytes", "ram_bytes")}
    add("padding and merged strings", result["flash_bytes"] - counted["flash_bytes"],
        result["ram_bytes"] - counted["ram_bytes"])
    return result


def largest_frames(folder, count=5):
    """The functions with the largest stack frames, of what -fstack-usage wrote beside objects."""
    frames = []
    for file in pathlib.Path(folder).rglob("*.su"):
        for line in file.read_text(errors="replace").splitlines():
            where, size, kind = line.rsplit("\t", 2)
            frames.append((int(size), where.split(":", 3)[-1], kind))
    return [{"bytes": size, "function": name, "kind": kind}
            for size, name, kind in sorted(set(frames), reverse=True)[:count]]


def print_table(result):
    print(f"{'part':<28} {'flash B':>9} {'RAM B':>9}")
    for name, part in sorted(result["parts"].items(), key=lambda item: -item[1]["flash_bytes"]):
        print(f"{name:<28} {part['flash_bytes']:>9,} {part['ram_bytes']:>9,}")
    print(f"{'sum':<28} {result['flash_bytes']:>9,} {result['ram_bytes']:>9,}")
    for frame in result.get("largest_frames", []):
        print(f"frame {frame['bytes']:>6,} B  {frame['function']} ({frame['kind']})")


def exceeded(result, budgets):
    return [f"{key}: {result[key]:,} exceeds the budget of {limit:,}"
            for key, limit in budgets.items() if result[key] > limit]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", required=True)
    parser.add_argument("--objects", help="folder with the .su files of -fstack-usage")
    parser.add_argument("--budgets", help="budgets.json of a board")
    parser.add_argument("--format", choices=("text", "json", "none"), default="text")
    arguments = parser.parse_args()

    result = measure(pathlib.Path(arguments.map).read_text())
    if arguments.objects:
        result["largest_frames"] = largest_frames(arguments.objects)
    if arguments.format == "json":
        print(json.dumps(result, indent=2))
    elif arguments.format == "text":
        print_table(result)
    if not arguments.budgets:
        return 0
    problems = exceeded(result, json.loads(pathlib.Path(arguments.budgets).read_text()))
    for problem in problems:
        print(f"size_report: error: {arguments.map}: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
