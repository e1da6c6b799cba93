#!/usr/bin/python3
"""Runs the images of all boards in QEMU and says how large, how deep and how fast they are.

  report.py --build build --digits digits.csv [--format text|json]

--build has <board>/bin for every folder of boards/, and host/bin with skepd, skepctl and
skep-provision. A board without an emulator is measured by its linker map only. With --format json
stdout is one JSON document. Exits with 1 if an image does not do its work or exceeds a budget.
"""

import argparse
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

import size_report

BOARDS = pathlib.Path(__file__).resolve().parents[2] / "boards"
COUNTS = ("train_step_mlp_64_32_10", "forward", "seal", "sign", "verify")
# -icount shift=6: an instruction takes 64 ns. The timer runs at this many ticks a second.
NS_PER_INSTRUCTION = 64
ROUND_LIMIT_S = 180


class Failure(Exception):
    pass


def read_board(folder):
    """A board's facts: its QEMU machine (None without one) and its clock."""
    cmake = (folder / "board.cmake").read_text()
    machine = re.search(r"SKEP_BOARD_QEMU_MACHINE (\S+?)\)", cmake)
    hertz = re.search(r"kCoreHertz = ([\d']+);", (folder / "board_map.h").read_text())
    return (machine.group(1) if machine else None,
            int(hertz.group(1).replace("'", "")) if hertz else None)


def qemu(machine, image, *arguments):
    joined = "".join(f",arg={argument}" for argument in ("fw", *arguments))
    return ["qemu-system-arm", "-M", machine, "-kernel", str(image), "-display", "none",
            "-monitor", "none", "-serial", "stdio", "-icount", "shift=6",
            "-semihosting-config", f"enable=on,target=native{joined}",
            "-nic", "user,model=lan9118"]


def run_counts(machine, image):
    """The instruction counts and the update's digest that the test image prints."""
    done = subprocess.run(qemu(machine, image), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=600)
    if done.returncode != 0:
        raise Failure(f"{image}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    counts = dict(re.findall(r"^instructions (\w+)=(\d+)", done.stdout, re.MULTILINE))
    digest = re.search(r"^update_sha256=([0-9a-f]{64})$", done.stdout, re.MULTILINE)
    missing = [name for name in COUNTS if name not in counts] + ([] if digest else ["update_sha256"])
    if missing:
        raise Failure(f"{image}: did not print {', '.join(missing)}:\n{done.stdout}")
    return {name: int(counts[name]) for name in COUNTS}, digest.group(1)


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_federation(programs, digits, folder):
    """A federation of one device: its directory, its flash."""
    rows = digits.read_text().splitlines(keepends=True)
    (folder / "holdout.csv").write_text("".join(rows[:200]))
    (folder / "samples.csv").write_text("".join(rows[200:300]))
    fed = folder / "fed"
    skepctl = [programs / "skepctl", "--format", "json"]
    commands = [
        [*skepctl, "init", fed, "--port", str(free_udp_port()), "--model-name", "digits",
         "--inputs", "64", "--input-exponent=-4", "--layers", "dense:32,relu,dense:10",
         "--seed", "7", "--holdout", folder / "holdout.csv", "--deadline-s", "0", "--quorum", "1",
         "--max-rounds", "2"],
        [*skepctl, "--dir", fed, "device", "add", "board"],
        [programs / "skep-provision", "--credentials", fed / "devices" / "board.cred",
         "--samples", folder / "samples.csv", "--gateway", "10.0.2.2", "--training-seed", "7",
         "--backoff-first-ms", "200", "--out", folder / "flash"],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{command[0]}: {done.stdout}{done.stderr}")
    return fed


def wait_for(file, what, processes):
    limit = time.monotonic() + ROUND_LIMIT_S
    while what not in file.read_text():
        if time.monotonic() > limit or any(process.poll() is not None for process in processes):
            raise Failure(f"no \"{what}\" in {file}:\n{file.read_text()}")
        time.sleep(0.05)


def run_device(programs, machine, image, digits):
    """Two rounds of the whole device with a gateway; what it printed."""
    with tempfile.TemporaryDirectory(prefix="skep-firmware-") as name:
        folder = pathlib.Path(name)
        fed = make_federation(programs, digits, folder)
        processes = []
        try:
            for command, log in (
                    ([programs / "skepd", "--config", fed / "skepd.toml"], folder / "skepd.log"),
                    (qemu(machine, image, f"flash={folder / 'flash'}"), folder / "console")):
                with log.open("w") as out:
                    processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                                      stderr=subprocess.STDOUT))
                first = "skepd ready" if len(processes) == 1 else "boot "
                wait_for(log, first, processes)
            wait_for(folder / "console", "kind=ModelInstalled status=Ok round=3", processes)
            return (folder / "console").read_text()
        finally:
            for process in processes:
                process.kill()
                process.wait()


def measure_monitor(binaries):
    """The size of the sensor node's image; None on a board without a sensor's line."""
    path = binaries / "skep-monitor.map"
    return size_report.measure(path.read_text()) if path.exists() else None


def measure_board(board, build, digits):
    machine, hertz = read_board(BOARDS / board)
    binaries = build / board / "bin"
    result = size_report.measure((binaries / "skep-device.map").read_text())
    result["monitor"] = measure_monitor(binaries)
    result.update(stack_peak_bytes=None, instructions=None, update_sha256=None)
    if machine is None:
        return result
    programs = build / "host" / "bin"
    counts, result["update_sha256"] = run_counts(machine, binaries / "test_instruction_counts.elf")
    console = run_device(programs, machine, binaries / "skep-device.elf", digits)
    ticks = int(re.search(r"kind=Connected status=Ok .*busy_ticks=(\d+)", console).group(1))
    counts["handshake"] = round(ticks * 1_000_000_000 / hertz / NS_PER_INSTRUCTION)
    result["instructions"] = counts
    result["stack_peak_bytes"] = max(map(int, re.findall(r"stack_peak_bytes=(\d+)", console)))
    return result


def problems_of(board, result):
    budgets = json.loads((BOARDS / board / "budgets.json").read_text())
    problems = size_report.exceeded(result, budgets)
    if (result["stack_peak_bytes"] or 0) > budgets["stack_bytes"]:
        problems.append(f"stack_peak_bytes: {result['stack_peak_bytes']:,} exceeds the budget")
    if result["monitor"] is not None:
        problems += [f"skep-monitor: {problem}"
                     for problem in size_report.exceeded(result["monitor"], budgets)]
    return [f"{board}: {problem}" for problem in problems]


def print_text(boards):
    for board, result in boards.items():
        print(f"== {board}")
        size_report.print_table(result)
        if result["monitor"] is not None:
            print(f"{'skep-monitor, sum':<28} {result['monitor']['flash_bytes']:>9,} "
                  f"{result['monitor']['ram_bytes']:>9,}")
        if result["instructions"] is None:
            print("not run: QEMU has no such board\n")
            continue
        print(f"stack peak {result['stack_peak_bytes']:,} B of {result['stack_bytes']:,} B")
        for name, count in result["instructions"].items():
            print(f"{name:<28} {count:>12,} instructions")
        print(f"update_sha256 {result['update_sha256']}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--digits", required=True, type=pathlib.Path)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    arguments = parser.parse_args()

    boards = {}
    problems = []
    for board in sorted(path.parent.name for path in BOARDS.glob("*/board.cmake")):
        print(f"firmware: {board}", file=sys.stderr)
        try:
            boards[board] = measure_board(board, arguments.build.resolve(), arguments.digits)
        except (Failure, OSError, AttributeError, subprocess.TimeoutExpired) as error:
            problems.append(f"{board}: {error}")
            continue
        problems += problems_of(board, boards[board])
    digests = {result["update_sha256"] for result in boards.values() if result["update_sha256"]}
    if len(digests) > 1:
        problems.append(f"the boards' updates differ: {', '.join(sorted(digests))}")
    if arguments.format == "json":
        print(json.dumps({"boards": boards, "problems": problems}, indent=2))
    else:
        print_text(boards)
    for problem in problems:
        print(f"firmware: error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
