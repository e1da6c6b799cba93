#!/usr/bin/python3
"""Checks the Zephyr module without Zephyr: Kconfig against skep/config.h, the configurations of
sample and tests against Kconfig, the devicetree partitions against what the SDK needs, and the
YAML files against what is in the tree.

Kconfig is loaded below stub/Kconfig.zephyr, which has the options of Zephyr that ours refer to.
"""

import os
import pathlib
import re
import tempfile
import unittest

import kconfiglib
import yaml

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PORT = ROOT / "ports/zephyr"
SAMPLE = PORT / "samples/digits"
ZTEST = HERE / "ztest"
BOARDS = {"mps2/an385", "native_sim", "native_sim/native/64"}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def load_yaml(path):
    return yaml.safe_load(read(path))


def file_name_of(board):
    return board.replace("/", "_")


def load_kconfig(root=SAMPLE / "Kconfig", is_posix=False):
    os.environ.update(
        srctree=str(HERE / "stub"),
        SKEP_KCONFIG=str(PORT / "Kconfig"),
        STUB_ARCH_POSIX="y" if is_posix else "n",
        KCONFIG_WARN_UNDEF="y",
    )
    return kconfiglib.Kconfig(str(root), warn_to_stderr=False)


def assignments(path):
    """Option → value, as the file has it."""
    pairs = re.findall(r"^CONFIG_(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: value.strip('"') for name, value in pairs}


def configured(board, left_out=(), more=()):
    """The sample's configuration for a board, and what was asked for."""
    kconfig = load_kconfig(is_posix=board.startswith("native_sim"))
    files = [SAMPLE / "prj.conf", SAMPLE / f"boards/{file_name_of(board)}.conf", *more]
    wanted = {}
    for file in files:
        kconfig.load_config(str(file), replace=False)
        wanted.update(assignments(file))
    for name in left_out:
        kconfig.syms[name].set_value("n")
    return kconfig, wanted


class Kconfig(unittest.TestCase):
    def test_loads_without_a_warning(self):
        kconfig = load_kconfig()
        self.assertEqual(kconfig.warnings, [])
        self.assertIn("SKEP", kconfig.syms)

    def test_an_unknown_option_is_noticed(self):
        # Shows that the test above can fail.
        stub = HERE / "stub/Kconfig.zephyr"
        text = stub.read_text(encoding="utf-8").replace("config COAP\n", "config COAPX\n")
        broken = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "Kconfig"
        broken.write_text(text, encoding="utf-8")
        kconfig = load_kconfig(broken)
        self.assertTrue(any("COAP" in warning for warning in kconfig.warnings), kconfig.warnings)

    def test_bounds_are_those_of_config_h(self):
        header = read("sdk/include/skep/config.h")
        bounds = dict(re.findall(r"^#define (SKEP_\w+) (\d+)$", header, re.MULTILINE))
        self.assertGreaterEqual(len(bounds), 6)
        kconfig, _ = configured("mps2/an385")
        passed_on = read("ports/zephyr/CMakeLists.txt")
        for name, value in bounds.items():
            with self.subTest(name):
                self.assertIn(name, kconfig.syms)
                self.assertEqual(kconfig.syms[name].str_value, value)
                self.assertIn(f"{name}=${{CONFIG_{name}}}", passed_on)

    def test_no_more_layers_than_the_wire_carries(self):
        options = read("proto/skep.options")
        most = re.search(r"ModelSpec\.layers max_count:(\d+)", options)[1]
        kconfig, _ = configured("mps2/an385")
        layers = kconfig.syms["SKEP_MAX_LAYERS"]
        layers.set_value(most)
        self.assertEqual(layers.str_value, most)
        layers.set_value(str(int(most) + 1))
        self.assertNotEqual(layers.str_value, str(int(most) + 1))

    def test_skep_needs_what_it_stands_on(self):
        kconfig, _ = configured("mps2/an385")
        self.assertEqual(kconfig.syms["SKEP"].str_value, "y")
        needed = [
            "CPP", "COAP", "NET_SOCKETS_ENABLE_DTLS", "TLS_CREDENTIALS",
            "MBEDTLS_SSL_DTLS_CONNECTION_ID", "MBEDTLS_PSA_CRYPTO_C", "FLASH_MAP",
            "FLASH_PAGE_LAYOUT", "NANOPB",
        ]  # fmt: skip
        for name in needed:
            with self.subTest(name):
                kconfig, _ = configured("mps2/an385", left_out=[name])
                self.assertEqual(kconfig.syms["SKEP"].str_value, "n")

    def test_every_option_in_the_code_exists(self):
        known = set(load_kconfig().syms)
        used = {}
        for folder in (PORT, HERE):
            for file in folder.rglob("*"):
                if file.suffix in (".cc", ".c", ".h", ".txt", ".cmake") and "stub" not in file.parts:
                    for name in re.findall(r"\bCONFIG_(\w+)", file.read_text(encoding="utf-8")):
                        used.setdefault(name, file)
        self.assertGreater(len(used), 10)
        for name, file in used.items():
            self.assertIn(name, known, f"{file} uses CONFIG_{name}")


class Configurations(unittest.TestCase):
    def check(self, board, more=()):
        kconfig, wanted = configured(board, more=more)
        self.assertEqual(kconfig.warnings, [])
        self.assertEqual(wanted["SKEP"], "y")
        for name, value in wanted.items():
            self.assertIn(name, kconfig.syms, "no such option")
            self.assertEqual(kconfig.syms[name].str_value, value, f"CONFIG_{name} is not honoured")

    def test_every_line_is_honoured_on_every_board(self):
        for board in BOARDS:
            with self.subTest(board):
                self.check(board)
                self.check(board, more=[ZTEST / "prj.conf"])

    def test_every_board_has_entropy_from_its_host(self):
        for board in BOARDS:
            kconfig, _ = configured(board)
            self.assertEqual(kconfig.syms["SKEP_HOST_ENTROPY"].str_value, "y", board)
            self.assertEqual(kconfig.syms["CSPRNG_ENABLED"].str_value, "y", board)

    def test_a_block_fits_a_record(self):
        kconfig, _ = configured("mps2/an385")
        block = int(kconfig.syms["SKEP_COAP_BLOCK_BYTES"].str_value)
        record = int(kconfig.syms["MBEDTLS_SSL_MAX_CONTENT_LEN"].str_value)
        self.assertLessEqual(block + 128, record)


def overlay_of(board):
    return read(f"ports/zephyr/samples/digits/boards/{file_name_of(board)}.overlay")


def partitions_of(board):
    """Label → (offset, size) of Skep's partitions."""
    text = re.sub(r"/\*.*?\*/", "", overlay_of(board), flags=re.DOTALL)
    found = re.findall(r"(skep_\w+): partition@([0-9a-f]+) \{[^}]*reg = <(\S+) (\S+)>;", text)
    for _, unit, offset, _ in found:
        assert int(unit, 16) == int(offset, 16), f"partition@{unit} is at {offset}"
    return {label: (int(offset, 16), int(size, 16)) for label, _, offset, size in found}


class Partitions(unittest.TestCase):
    ERASE_UNIT = 4096
    LOG_BANKS = 2  # kLogBankCount; a bank is one erase unit here
    FLASH_END = {"mps2/an385": 0x40000, "native_sim": 0x200000, "native_sim/native/64": 0x200000}

    def test_they_do_not_overlap_and_lie_in_the_flash(self):
        for board in BOARDS:
            parts = partitions_of(board)
            self.assertEqual(set(parts), {"skep_storage", "skep_credentials", "skep_samples"})
            end_of_last = 0
            for offset, size in sorted(parts.values()):
                self.assertGreaterEqual(offset, end_of_last)
                self.assertEqual((offset % self.ERASE_UNIT, size % self.ERASE_UNIT), (0, 0))
                end_of_last = offset + size
            self.assertLessEqual(end_of_last, self.FLASH_END[board])

    def test_storage_holds_what_the_sample_configures(self):
        kconfig, _ = configured("mps2/an385")
        package = int(kconfig.syms["DIGITS_MAX_PACKAGE_BYTES"].str_value)
        update = int(kconfig.syms["DIGITS_MAX_UPDATE_BYTES"].str_value)

        def units(size):
            return -(-size // self.ERASE_UNIT) * self.ERASE_UNIT

        needed = self.LOG_BANKS * self.ERASE_UNIT + 2 * units(package) + units(update)
        for board in BOARDS:
            parts = partitions_of(board)
            self.assertGreaterEqual(parts["skep_storage"][1], needed, board)

    def test_the_bank_size_used_above_is_the_sdks(self):
        layout = read("sdk/model/include/skep/model/storage_layout.h")
        self.assertLessEqual(int(re.search(r"kLogBankBytes = (\d+);", layout)[1]), self.ERASE_UNIT)
        self.assertEqual(int(re.search(r"kLogBankCount = (\d+);", layout)[1]), self.LOG_BANKS)


class Yaml(unittest.TestCase):
    def test_module_points_at_what_exists(self):
        module = load_yaml("zephyr/module.yml")
        self.assertEqual(set(module), {"name", "build", "samples", "tests"})
        self.assertEqual(module["name"], "skep")
        build = module["build"]
        self.assertEqual(set(build), {"cmake", "kconfig", "depends", "settings"})
        self.assertTrue((ROOT / build["cmake"] / "CMakeLists.txt").is_file())
        self.assertTrue((ROOT / build["kconfig"]).is_file())
        self.assertTrue((ROOT / build["settings"]["dts_root"] / "dts/bindings").is_dir())
        for folder in module["samples"]:
            self.assertTrue(list((ROOT / folder).rglob("sample.yaml")), folder)
        for folder in module["tests"]:
            self.assertTrue((ROOT / folder / "testcase.yaml").is_file(), folder)

    def test_manifest_imports_what_the_module_depends_on(self):
        manifest = load_yaml("zephyr/west.yml")["manifest"]
        (project,) = manifest["projects"]
        self.assertEqual(project["name"], "zephyr")
        self.assertIn(project["remote"], {remote["name"] for remote in manifest["remotes"]})
        self.assertRegex(project["revision"], r"^v\d+\.\d+\.\d+$")
        depends = set(load_yaml("zephyr/module.yml")["build"]["depends"])
        self.assertLessEqual(depends, set(project["import"]["name-allowlist"]))

    def check_scenarios(self, folder, document, prefix):
        self.assertTrue(document["tests"])
        common = document.get("common", {})
        for name, scenario in document["tests"].items():
            self.assertTrue(name.startswith(prefix), name)
            self.assertLessEqual(set(scenario), {"platform_allow", "integration_platforms", "timeout"})
            allowed = set(scenario["platform_allow"])
            self.assertLessEqual(allowed, BOARDS)
            self.assertLessEqual(set(scenario["integration_platforms"]), allowed)
            self.assertTrue(all(isinstance(tag, str) for tag in common["tags"]))
        self.assertTrue((ROOT / folder / "CMakeLists.txt").is_file())
        self.assertTrue((ROOT / folder / "prj.conf").is_file())

    def test_sample(self):
        document = load_yaml("ports/zephyr/samples/digits/sample.yaml")
        self.assertEqual(set(document), {"sample", "common", "tests"})
        self.assertEqual(set(document["sample"]), {"name", "description"})
        self.check_scenarios("ports/zephyr/samples/digits", document, "sample.skep.")
        (scenario,) = document["tests"].values()
        self.assertEqual(set(scenario["platform_allow"]), BOARDS)

    def test_test_suite(self):
        document = load_yaml("tests/zephyr/ztest/testcase.yaml")
        self.check_scenarios("tests/zephyr/ztest", document, "skep.")

    def test_every_board_has_both_files(self):
        files = {file.name for file in (SAMPLE / "boards").iterdir()}
        expected = {f"{file_name_of(b)}{suffix}" for b in BOARDS for suffix in (".conf", ".overlay")}
        self.assertEqual(files, expected)

    def test_every_binding_is_used(self):
        for binding in (PORT / "dts/bindings").rglob("*.yaml"):
            compatible = yaml.safe_load(binding.read_text(encoding="utf-8"))["compatible"]
            self.assertEqual(binding.stem, compatible)
            for board in BOARDS:
                self.assertIn(f'compatible = "{compatible}"', overlay_of(board))

    def test_every_source_is_built(self):
        for source in [*PORT.rglob("*.cc"), *PORT.rglob("*.c"), *ZTEST.rglob("*.cc")]:
            with self.subTest(source.relative_to(ROOT)):
                folder = source.parent
                while not (folder / "CMakeLists.txt").is_file():
                    folder = folder.parent
                name = source.relative_to(folder).as_posix()
                listed = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
                self.assertRegex(listed, rf"(?m)(^|[\s(]){re.escape(name)}($|[\s)])")


if __name__ == "__main__":
    unittest.main()
