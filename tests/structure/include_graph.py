#!/usr/bin/python3
"""Who may include whom, and who does.

Reads every #include of the tree and compares it with the tables below, which are the
architecture of docs/architecture in a form that a machine can check. A room is a folder of
the tree; a rule that is not written here is a "no".

    include_graph.py [ROOT]      prints each violation; exit status 1 if there is one
"""

import pathlib
import re
import sys

# Folder → room. The longest folder that matches counts.
ROOMS = {
    "sdk/include": "core",
    "sdk/core": "core",
    "sdk/observe": "observe",
    "sdk/learn": "learn",
    "sdk/privacy": "privacy",
    "sdk/compress": "compress",
    "sdk/seal": "seal",
    "sdk/secagg": "secagg",
    "sdk/model": "model",
    "sdk/transport": "transport",
    "sdk/transport/coap": "transport_coap",
    "sdk/round": "round",
    "proto": "wire",
    "ports": "ports",
    "ports/host/app": "port_app",
    "ports/baremetal/app": "port_app",
    "ports/baremetal/net": "port_network",
    "ports/baremetal/provisioning": "provisioning",
    "ports/baremetal/sensing": "sensing",
    "ports/zephyr/transport": "transport_zephyr",
    "ports/zephyr/samples": "port_app",
    "boards": "boards",
    "server": "server",
    "tools": "tools",
    "tests": "tests",
}

# Room → rooms whose headers it may include, besides its own.
STAGES = {"observe", "learn", "privacy", "compress", "seal", "secagg", "model", "transport"}
ALLOWED = {
    "core": set(),
    "wire": {"core"},
    # A stage knows core and no other stage: what one hands to the next is a type of core.
    **{stage: {"core"} for stage in STAGES},
    # These two make and check signed messages of the wire contract.
    "seal": {"core", "wire"},
    "model": {"core", "wire"},
    "transport_coap": {"core", "transport"},
    "transport_zephyr": {"core", "transport"},
    # round strings the stages together and speaks the wire format.
    "round": {"core", "wire"} | STAGES,
    # A port implements skep/platform.h (see HEADERS_ONLY).
    "ports": {"core"},
    # The IP stack below libcoap's client.
    "port_network": {"core", "ports", "transport_coap"},
    # What a tool writes into a board's flash and its app reads there.
    "provisioning": {"core"},
    # A sensor's line, and what a node makes of its readings.
    "sensing": {"core", "observe"},
    # A port's app is where round meets the platform.
    "port_app": {
        "core", "wire", "ports", "provisioning", "sensing", "observe", "round", "seal", "transport",
        "transport_coap", "transport_zephyr",
    },
    "boards": {"core", "ports", "round", "transport", "transport_coap"},
    # The gateway opens what the device sealed with the device's own code; it never sees
    # round, the ports or a board.
    "server": {"core", "wire", "learn", "compress", "seal", "secagg"},
    "tools": {
        "core", "wire", "ports", "provisioning", "round", "server", "transport_coap",
    } | STAGES,
    "tests": {
        "core", "wire", "ports", "sensing", "round", "server", "tools", "transport_coap",
        "transport_zephyr",
    } | STAGES,
}

# Rooms that see only these headers of another room.
HEADERS_ONLY = {
    ("ports", "core"): {
        "skep/platform.h",
        "skep/status.h",
        "skep/bytes.h",
        "skep/config.h",
    },
}

# Third-party header, or folder of headers → rooms that may include it.
HOSTED = {"port_app", "server", "tools", "tests"}
CRYPTO = {
    "seal", "secagg", "model", "transport_coap", "transport_zephyr", "ports", "port_network",
} | HOSTED
THIRD_PARTY = {
    "coap3/": {"transport_coap", "port_network"} | HOSTED,
    "mbedtls/": CRYPTO,
    "psa/": CRYPTO,
    "pb.h": {"wire"},
    "pb_decode.h": {"wire"},
    "pb_encode.h": {"wire"},
    "sqlite3.h": HOSTED,
    "spdlog/": HOSTED,
    "nlohmann/": HOSTED,
    "toml++/": HOSTED,
    "CLI/": HOSTED,
    "httplib.h": HOSTED,
    "onnx/": HOSTED,
}

# What is flashed has no heap, no exceptions, no threads and no operating system. The C++
# headers here allocate, throw or lock; tests that stand beside the code may use them.
# (<memory> is absent: std::construct_at lives there. That nothing allocates is checked by
# linking a board's image without an allocator.)
DEVICE_ROOMS = {"core", "wire", "round"} | STAGES
HOSTED_HEADERS = {
    "chrono", "condition_variable", "deque", "exception", "filesystem", "format", "fstream",
    "functional", "future", "iomanip", "iostream", "istream", "list", "map", "mutex",
    "ostream", "queue", "regex", "set", "shared_mutex", "sstream", "stack", "stdexcept",
    "string", "thread", "unordered_map", "unordered_set", "vector",
    "fcntl.h", "netdb.h", "poll.h", "pthread.h", "signal.h", "unistd.h",
}  # fmt: skip
HOSTED_PREFIXES = ("sys/", "netinet/", "arpa/", "net/")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
# Tests, fuzzers and benchmarks stand beside the code and may use what runs on a host. Those of
# a stage or of the gateway may also come by their input in the only way there is: through the
# stages before.
TEST_FILE = re.compile(r"_(test|testing|test_support|fuzz|bench|benchmark)\.(cc|h)$|/(test|fuzz|bench)_[^/]*$|/testing/")


def room_of(path):
    """Room of a file given by its path from the root, or None for a folder of no room."""
    for folder in path.parents:
        if folder.as_posix() in ROOMS:
            return ROOMS[folder.as_posix()]
    return None


def our_files(root):
    for folder in sorted({pathlib.PurePosixPath(f).parts[0] for f in ROOMS}):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in (".h", ".cc") and file.is_file():
                yield pathlib.PurePosixPath(file.relative_to(root).as_posix())


def public_headers(files):
    """Include name ("skep/learn/x.h") → file, for everything below an include/ folder."""
    headers = {}
    for file in files:
        parts = file.parts
        if "include" in parts:
            headers["/".join(parts[parts.index("include") + 1 :])] = file
    return headers


def check(root):
    """Returns the violations in the tree `root` as lines of text."""
    root = pathlib.Path(root)
    files = list(our_files(root))
    headers = public_headers(files)
    violations = []
    for file in files:
        room = room_of(file)
        text = (root / file).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), start=1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            problem = judge(root, file, room, match[1] == '"', match[2], headers)
            if problem:
                violations.append(f"{file}:{number}: {line.strip()}\n    {problem}")
    return violations


def judge(root, file, room, quoted, name, headers):
    """Why `file` must not include `name`; None if it may."""
    is_test = bool(TEST_FILE.search(file.as_posix()))
    if ".." in pathlib.PurePosixPath(name).parts:
        return "a path with .. goes around the include folders that keep rooms apart"
    if name in headers:
        return judge_room(room, room_of(headers[name]), name, is_test)
    if quoted and (root / file.parent / name).is_file():
        owner = room_of(file.parent / name)
        return None if owner == room else f"{name} is private to {owner}"
    if name.startswith("skep/"):
        return "no header of ours has this name"
    if name == "skep.pb.h":
        return judge_room(room, "wire", name, is_test)
    rooms = THIRD_PARTY.get(name) or THIRD_PARTY.get(name.split("/")[0] + "/")
    if rooms is not None and room not in rooms and not is_test:
        return f"this library is for {', '.join(sorted(rooms))}"
    if room in DEVICE_ROOMS and not is_test:
        if name in HOSTED_HEADERS or name.startswith(HOSTED_PREFIXES):
            return f"{room} is flashed: no heap, no exceptions, no operating system"
    return None


def judge_room(room, owner, name, is_test):
    if owner == room or (is_test and room in STAGES | {"server"} and owner in STAGES):
        return None
    only = HEADERS_ONLY.get((room, owner))
    if owner in ALLOWED[room] and (only is None or name in only or is_test):
        return None
    allowed = ", ".join(sorted(only or ALLOWED[room])) or "nothing"
    return f"{room} may include {allowed}; this is {owner}'s"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
    violations = check(root)
    for violation in violations:
        print(violation)
    print(f"{len(violations)} forbidden includes", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
