#!/usr/bin/python3
"""What provision.py writes is what ports/zephyr reads. The two samples are those of
ztest/src/flash_test.cc, where the port's C++ code reads the same bytes."""

import pathlib
import re
import stat
import subprocess
import sys
import tempfile
import unittest
import zlib

HERE = pathlib.Path(__file__).parent
TOOL = HERE.parents[1] / "ports/zephyr/tools/provision.py"


class Provision(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.credentials = self.folder / "bee.cred"
        self.credentials.write_bytes(bytes(range(200)))

    def provision(self, rows, *, samples_at=0x2000, size=0x4000):
        samples = self.folder / "bee.csv"
        samples.write_text(rows, encoding="ascii")
        self.image = self.folder / "flash.bin"
        return subprocess.run(
            [
                sys.executable, "-B", str(TOOL),
                "--credentials", f"{self.credentials}@0x1000",
                "--samples", f"{samples}@{samples_at:#x}",
                "--size", f"{size:#x}", "--out", str(self.image),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def content(self, offset, kind):
        """The content at `offset`, after checks of its header."""
        image = self.image.read_bytes()
        self.assertEqual(image[offset : offset + 4], b"SKPB")
        self.assertEqual(int.from_bytes(image[offset + 4 : offset + 6], "little"), kind)
        self.assertEqual(int.from_bytes(image[offset + 6 : offset + 8], "little"), 1)
        length = int.from_bytes(image[offset + 8 : offset + 12], "little")
        content = image[offset + 16 : offset + 16 + length]
        crc = int.from_bytes(image[offset + 12 : offset + 16], "little")
        self.assertEqual(crc, zlib.crc32(content))
        return content

    def test_image_holds_credentials_and_samples_and_is_erased_elsewhere(self):
        result = self.provision("-5,1,2,7\n32767,-32768,9,4660\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.content(0x1000, 1), self.credentials.read_bytes())
        samples = self.content(0x2000, 2)

        source = (HERE / "ztest/src/flash_test.cc").read_text(encoding="utf-8")
        array = re.search(r"kSamples\{([^}]*)\}", source)[1]
        expected = [int(value, 0) for value in re.findall(r"0x[0-9A-F]+|\d+", array)]
        self.assertEqual(list(samples), expected)

        image = self.image.read_bytes()
        self.assertEqual(len(image), 0x4000)
        rest = image[:0x1000] + image[0x10D8:0x2000] + image[0x2028:]
        self.assertEqual(set(rest), {0xFF})

    def test_image_is_for_its_owner_only(self):
        self.provision("1,2\n")
        self.assertEqual(stat.S_IMODE(self.image.stat().st_mode), 0o600)

    def refuses(self, reason, rows, **layout):
        result = self.provision(rows, **layout)
        self.assertEqual(result.returncode, 1, rows)
        self.assertRegex(result.stderr, f"^provision.py: .*{reason}")
        self.assertFalse(self.image.exists())

    def test_bad_samples_are_refused(self):
        self.refuses("holds no sample", "")
        self.refuses("at least one feature", "1\n")
        self.refuses("row 2 has 2 columns, not 3", "1,2,3\n1,2\n")
        self.refuses("row 1: ", "40000,1\n")
        self.refuses("row 1: ", "1,-1\n")
        self.refuses("invalid literal", "1,x\n")

    def test_parts_that_do_not_fit_are_refused(self):
        self.refuses("overlap or leave the image", "1,2\n", samples_at=0x1010)
        self.refuses("overlap or leave the image", "1,2\n", samples_at=0x3FF0)


if __name__ == "__main__":
    unittest.main()
