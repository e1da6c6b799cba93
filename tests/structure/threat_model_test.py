#!/usr/bin/python3
"""Every threat of docs/threat-model.md names a test, and each test that it names is in the tree."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# GoogleTest's macros may break the line behind a comma.
DEFINITION = re.compile(r"\b(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP)\(\s*(\w+),\s*(\w+)")
NAME = re.compile(r"`(\w+)\.(\w+)`")


def tests_of(root):
    """Suite.Name of every test in the tree."""
    found = set()
    for folder in ("boards", "ports", "proto", "sdk", "server", "tests", "tools"):
        for path in (root / folder).rglob("*_test.cc"):
            found |= {".".join(pair) for pair in DEFINITION.findall(path.read_text())}
    return found


def problems(text, tests):
    """What is wrong with the tables whose last column is "tests"."""
    found = []
    in_threats = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("|"):
            in_threats = False
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[-1] == "tests":
            in_threats = True
        elif in_threats and not re.fullmatch("-+", cells[-1]):
            names = [".".join(pair) for pair in NAME.findall(cells[-1])]
            if not names:
                found.append(f"line {number}: names no test: {cells[0]}")
            found += [f"line {number}: there is no test {name}" for name in names
                      if name not in tests]
    return found


class ThreatModelTest(unittest.TestCase):
    HEAD = "| threat | holds | tests |\n|---|---|---|\n"

    def test_the_threat_model_names_tests_that_exist(self):
        text = (ROOT / "docs/threat-model.md").read_text()
        self.assertGreater(len(NAME.findall(text)), 20)
        self.assertEqual(problems(text, tests_of(ROOT)), [])

    def test_a_threat_without_a_test_is_found(self):
        self.assertEqual(problems(self.HEAD + "| a | b | `A.B` |\n", {"A.B"}), [])
        self.assertEqual(problems(self.HEAD + "| a | b | |\n", {"A.B"}),
                         ["line 3: names no test: a"])

    def test_a_test_that_is_not_there_is_found(self):
        self.assertEqual(problems(self.HEAD + "| a | b | `A.B`, `A.C` |\n", {"A.B"}),
                         ["line 3: there is no test A.C"])

    def test_other_tables_are_not_asked(self):
        self.assertEqual(problems("| asset | where |\n|---|---|\n| a | b |\n", set()), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
