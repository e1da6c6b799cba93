#!/usr/bin/python3
"""Shows that a forbidden include does not compile: CMake hides what a room must not see.

    visibility_test.py COMPILER FOLDER

FOLDER holds a file for each library of ours: its folder, then the include folders that its
sources are compiled with. include_graph.py says what is forbidden.
"""

import pathlib
import subprocess
import sys
import unittest

import include_graph

ROOT = pathlib.Path(__file__).parents[2]


class Visibility(unittest.TestCase):
    def setUp(self):
        files = list(include_graph.our_files(ROOT))
        self.headers = include_graph.public_headers(files)
        self.libraries = {}  # name → (folder, compiler flags)
        for listing in sorted(FOLDER.glob("*.txt")):
            folder, *includes = listing.read_text(encoding="utf-8").split("\n")
            folder = pathlib.PurePosixPath(folder).relative_to(ROOT.as_posix())
            self.libraries[listing.stem] = (folder, [f"-I{path}" for path in includes if path])

    def compiler(self, flags, source, *more):
        command = [COMPILER, "-std=c++20", "-x", "c++", *more, *flags, "-"]
        return subprocess.run(command, input=source, capture_output=True, text=True, check=False)

    def visible(self, flags, names):
        source = "".join(f'#if __has_include("{n}")\nVISIBLE {n}\n#endif\n' for n in names)
        lines = self.compiler(flags, source, "-E", "-P").stdout.split("\n")
        return {line.split()[1] for line in lines if line.startswith("VISIBLE ")}

    def forbidden(self, folder):
        room = include_graph.room_of(folder / "x.h")
        allowed = include_graph.ALLOWED[room] | {room}
        return {
            name
            for name, file in self.headers.items()
            if include_graph.room_of(file) not in allowed
            # What helps tests has no room of its own to be kept out of.
            and not include_graph.TEST_FILE.search(file.as_posix())
        }

    def test_forbidden_headers_are_invisible(self):
        self.assertIn("core", self.libraries)
        for library, (folder, flags) in self.libraries.items():
            with self.subTest(library=library):
                self.assertEqual(self.visible(flags, self.forbidden(folder)), set())

    def test_own_headers_are_visible(self):
        # Without this the test above would also pass with no include folders at all.
        for library, (folder, flags) in self.libraries.items():
            with self.subTest(library=library):
                own = {n for n, f in self.headers.items() if folder / "include" in f.parents}
                self.assertEqual(self.visible(flags, own), own)

    def test_forbidden_include_does_not_compile(self):
        for library, (folder, flags) in self.libraries.items():
            forbidden = self.forbidden(folder)
            if not forbidden:
                continue
            with self.subTest(library=library):
                name = min(forbidden)
                result = self.compiler(flags, f'#include "{name}"\n', "-fsyntax-only")
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(name, result.stderr)


if __name__ == "__main__":
    COMPILER, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
