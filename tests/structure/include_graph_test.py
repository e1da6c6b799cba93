#!/usr/bin/python3
"""Shows that include_graph.py finds what it promises to find, on small made-up trees."""

import pathlib
import tempfile
import unittest

import include_graph

# One public header per room; each test adds one file that includes something.
TREE = [
    "sdk/include/skep/status.h",
    "sdk/include/skep/platform.h",
    "sdk/include/skep/model_spec.h",
    "sdk/learn/include/skep/learn/engine.h",
    "sdk/privacy/include/skep/privacy/clip.h",
    "sdk/round/include/skep/round/client.h",
    "proto/include/skep/wire/codec.h",
    "ports/host/include/skep/host/platform.h",
    "server/store/include/skep/store/store.h",
    "server/store/private.h",
]


class IncludeGraph(unittest.TestCase):
    def violations(self, path, text):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in TREE:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text("")
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
            return include_graph.check(root)

    def assert_allowed(self, path, include):
        self.assertEqual(self.violations(path, f"#include {include}\n"), [])

    def assert_forbidden(self, path, include, why):
        found = self.violations(path, f"// a comment\n#include {include}\n")
        self.assertEqual(len(found), 1, found)
        self.assertIn(f"{path}:2:", found[0])
        self.assertIn(why, found[0])

    def test_stage_may_include_core_and_itself(self):
        self.assert_allowed("sdk/learn/a.cc", '"skep/status.h"')
        self.assert_allowed("sdk/learn/a.cc", '"skep/learn/engine.h"')

    def test_stage_must_not_include_a_stage(self):
        self.assert_forbidden("sdk/learn/a.cc", '"skep/privacy/clip.h"', "this is privacy's")
        self.assert_allowed("sdk/learn/a_test.cc", '"skep/privacy/clip.h"')

    def test_core_must_not_include_a_stage(self):
        self.assert_forbidden("sdk/core/a.cc", '"skep/learn/engine.h"', "core may include nothing")

    def test_stage_must_not_include_round(self):
        self.assert_forbidden("sdk/privacy/a.h", '"skep/round/client.h"', "this is round's")

    def test_round_may_include_every_stage(self):
        self.assert_allowed("sdk/round/a.cc", '"skep/learn/engine.h"')
        self.assert_allowed("sdk/round/a.cc", '"skep/privacy/clip.h"')

    def test_server_must_not_include_round_or_ports(self):
        self.assert_allowed("server/intake/a.cc", '"skep/learn/engine.h"')
        self.assert_forbidden("server/intake/a.cc", '"skep/round/client.h"', "this is round's")
        self.assert_forbidden("server/intake/a.cc", '"skep/host/platform.h"', "this is ports's")

    def test_sdk_must_not_include_server(self):
        self.assert_forbidden("sdk/round/a.cc", '"skep/store/store.h"', "this is server's")

    def test_port_sees_the_platform_header_only(self):
        self.assert_allowed("ports/host/a.cc", '"skep/platform.h"')
        self.assert_forbidden("ports/host/a.cc", '"skep/model_spec.h"', "may include skep/bytes.h")
        self.assert_forbidden("ports/host/a.cc", '"skep/learn/engine.h"', "this is learn's")

    def test_detours_are_seen(self):
        self.assert_forbidden("sdk/learn/a.cc", '"../privacy/include/skep/privacy/clip.h"', "..")
        self.assert_forbidden("sdk/learn/a.cc", "<skep/privacy/clip.h>", "this is privacy's")
        self.assert_forbidden("sdk/learn/a.cc", '  "skep/gone.h"', "no header of ours")

    def test_spacing_does_not_hide_an_include(self):
        found = self.violations("sdk/learn/a.cc", '  #  include   "skep/privacy/clip.h"\n')
        self.assertEqual(len(found), 1, found)

    def test_device_code_has_no_operating_system(self):
        self.assert_allowed("sdk/learn/a.cc", "<array>")
        self.assert_forbidden("sdk/learn/a.cc", "<vector>", "learn is flashed")
        self.assert_forbidden("sdk/round/a.cc", "<sys/socket.h>", "round is flashed")
        self.assert_allowed("sdk/learn/a_test.cc", "<vector>")
        self.assert_allowed("server/store/a.cc", "<vector>")

    def test_libraries_stay_in_their_rooms(self):
        self.assert_forbidden("sdk/learn/a.cc", "<psa/crypto.h>", "this library is for")
        self.assert_forbidden("sdk/round/a.cc", "<pb_encode.h>", "this library is for")
        self.assert_forbidden("sdk/round/a.cc", "<sqlite3.h>", "this library is for")
        self.assert_allowed("server/store/a.cc", "<sqlite3.h>")

    def test_every_allowed_room_exists_in_the_table(self):
        rooms = set(include_graph.ROOMS.values())
        self.assertEqual(set(include_graph.ALLOWED), rooms)
        for allowed in include_graph.ALLOWED.values():
            self.assertLessEqual(allowed, rooms)


if __name__ == "__main__":
    unittest.main()
