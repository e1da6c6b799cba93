#!/usr/bin/env python3
"""Makes a flash image with a device's credentials and samples, for the simulated flash of
native_sim (--flash=) and of QEMU (-device loader), or to write to a board's partitions.

    provision.py --credentials bee.cred@0x10000 --samples bee.csv@0x11000 \\
                 --size 0x40000 --out flash.bin

What is not written reads as erased. The format is in skep/port_zephyr/provisioned.h.
"""

import argparse
import csv
import os
import pathlib
import struct
import sys
import zlib

MAGIC = b"SKPB"
VERSION = 1
CREDENTIALS = 1
SAMPLES = 2
ERASED = b"\xff"


def provisioned(kind, content):
    if not content:
        raise ValueError("nothing to write")
    header = MAGIC + struct.pack("<HHII", kind, VERSION, len(content), zlib.crc32(content))
    return header + content


def samples_of(path):
    """Rows of integers, the label last, as skep-device reads them."""
    with open(path, newline="", encoding="ascii") as file:
        rows = [[int(value) for value in row] for row in csv.reader(file)]
    if not rows:
        raise ValueError(f"{path} holds no sample")
    features = len(rows[0]) - 1
    if features < 1:
        raise ValueError(f"{path}: a row is at least one feature and the label")
    content = struct.pack("<HHI", features, 0, len(rows))
    for number, row in enumerate(rows, start=1):
        if len(row) != features + 1:
            raise ValueError(f"{path}: row {number} has {len(row)} columns, not {features + 1}")
        try:
            content += struct.pack(f"<{features}hH", *row)
        except struct.error as error:
            raise ValueError(f"{path}: row {number}: {error}") from error
    return content


def placed(text):
    path, separator, offset = text.rpartition("@")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE@OFFSET")
    return pathlib.Path(path), int(offset, 0)


def make_image(size, parts):
    """`parts` are (offset, bytes); they must lie in the image and not overlap."""
    image = bytearray(ERASED * size)
    end_of_last = 0
    for offset, content in sorted(parts):
        if offset < end_of_last or offset + len(content) > size:
            raise ValueError(f"{len(content)} bytes at {offset:#x} overlap or leave the image")
        image[offset : offset + len(content)] = content
        end_of_last = offset + len(content)
    return bytes(image)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--credentials", type=placed, metavar="FILE@OFFSET", required=True)
    parser.add_argument("--samples", type=placed, metavar="CSV@OFFSET", required=True)
    parser.add_argument("--size", type=lambda text: int(text, 0), required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    try:
        credentials, credentials_at = arguments.credentials
        samples, samples_at = arguments.samples
        image = make_image(
            arguments.size,
            [
                (credentials_at, provisioned(CREDENTIALS, credentials.read_bytes())),
                (samples_at, provisioned(SAMPLES, samples_of(samples))),
            ],
        )
        # It holds a private key.
        descriptor = os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(image)
    except (OSError, ValueError) as error:
        print(f"provision.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
