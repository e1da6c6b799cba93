"""An exported model under ONNX's checker and ONNX Runtime, beside our integer engine.

    onnx_test.py FIXTURE_PROGRAM DIGITS.csv

How far apart may the two be? Per Dense layer with n inputs, weights W and bias b:

  engine   The sums are exact integers; the layer's outputs (after the ReLU) are rounded to int16
           with the exponent that puts the largest into 2^14 ... 2^15 - 1. One unit is thus at
           most max|y| * 2^-14, and rounding to nearest with saturation errs by one at most.
  runtime  float32: every product, sum and stored bias errs by 2^-24 relative. In any order of
           summation the error is at most (n + 2) * 2^-24 / (1 - (n + 2) * 2^-24) times
           |W| |x| + |b| (Higham, Accuracy and Stability, section 3.1).

Either error passes through the layers that follow as |W| times itself, a ReLU never enlarges it.
So the bound is computed for each sample and logit from the weights: no constant is tuned.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
import onnxruntime

UNIT = 2.0**-24
FIXTURE, DIGITS = sys.argv[1:3]


def read_fields(message):
    """Length-delimited fields of a protobuf message, in order: {number: bytes}."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = varint()
        assert tag & 7 == 2, "a ModelPackage has only bytes"
        size = varint()
        fields[tag >> 3] = message[at : at + size]
        at += size
    return fields


def read_layers(blob, widths):
    """[(W, b)] as float64 from the canonical weights blob (docs/reference/weights.md)."""
    layers, at, inputs = [], 0, 64
    for outputs in widths:
        exponent = int(np.frombuffer(blob, "<i2", 1, at)[0])
        weights = np.frombuffer(blob, "<i2", inputs * outputs, at + 2).reshape(outputs, inputs)
        at += 2 + 2 * inputs * outputs
        biases = np.frombuffer(blob, "<i4", outputs, at)
        at += 4 * outputs
        layers.append((np.ldexp(weights.astype(float), exponent),
                       np.ldexp(biases.astype(float), exponent - 16)))
        inputs = outputs
    assert at == len(blob)
    return layers


def reference_and_bounds(layers, features):
    """Logits in float64, and how far the engine and float32 may be from them."""
    value = features
    engine = np.zeros_like(value)
    runtime = np.zeros_like(value)
    for index, (weights, biases) in enumerate(layers):
        absolute = np.abs(weights)
        gamma = (weights.shape[1] + 2) * UNIT / (1 - (weights.shape[1] + 2) * UNIT)
        runtime = runtime @ absolute.T + gamma * (
            (np.abs(value) + runtime) @ absolute.T + np.abs(biases))
        engine = engine @ absolute.T
        value = value @ weights.T + biases
        if index + 1 < len(layers):
            value = np.maximum(value, 0)
        largest = (np.abs(value) + engine).max(axis=1, keepdims=True)
        engine = engine + largest * 2.0**-14
    return value, engine, runtime


def der_signature(raw):
    """r || s as the DER that openssl reads."""
    def integer(value):
        value = value.lstrip(b"\0") or b"\0"
        if value[0] & 0x80:
            value = b"\0" + value
        return b"\2" + bytes([len(value)]) + value

    body = integer(raw[:32]) + integer(raw[32:])
    return b"\x30" + bytes([len(body)]) + body


class Fixture:
    def __init__(self, widths):
        self.widths = widths
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        subprocess.run([FIXTURE, ",".join(map(str, widths)), DIGITS, self.path], check=True)
        self.export = self.path / "export"
        data = np.loadtxt(DIGITS, delimiter=",", dtype=np.int64)
        held_out = data[len(data) * 4 // 5 :]
        self.features = np.ldexp(held_out[:, :-1].astype(float), -4)
        rows = np.loadtxt(self.path / "logits.txt", dtype=np.int64)
        self.labels = rows[:, 0]
        assert (self.labels == held_out[:, -1]).all()
        self.engine_logits = np.ldexp(rows[:, 2:].astype(float), rows[:, 1:2].astype(int))
        self.model = onnx.load(self.export / "model.onnx")
        blob = read_fields((self.export / "model.skep").read_bytes())[3]
        self.layers = read_layers(blob, widths)

    def run(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            self.export / "model.onnx", options, providers=["CPUExecutionProvider"])
        return session.run(["logits", "probabilities"],
                           {"features": self.features.astype(np.float32)})


class OnnxTest(unittest.TestCase):
    SHAPES = [(32, 10), (10,), (48, 24, 16, 10)]

    @classmethod
    def setUpClass(cls):
        cls.fixtures = [Fixture(widths) for widths in cls.SHAPES]

    def each(self):
        for fixture in self.fixtures:
            with self.subTest(widths=fixture.widths):
                yield fixture

    def test_checker_passes(self):
        for fixture in self.each():
            onnx.checker.check_model(fixture.model, full_check=True)
            self.assertEqual([v.name for v in fixture.model.graph.input], ["features"])
            self.assertEqual([v.name for v in fixture.model.graph.output],
                             ["logits", "probabilities"])

    def test_weights_are_the_signed_integers(self):
        for fixture in self.each():
            tensors = [onnx.numpy_helper.to_array(t) for t in fixture.model.graph.initializer]
            self.assertEqual(len(tensors), 2 * len(fixture.layers))
            for index, (weights, biases) in enumerate(fixture.layers):
                np.testing.assert_array_equal(tensors[2 * index].astype(float), weights)
                np.testing.assert_array_equal(tensors[2 * index + 1], biases.astype(np.float32))

    def test_metadata_names_the_version_and_the_digest(self):
        for fixture in self.each():
            properties = {p.key: p.value for p in fixture.model.metadata_props}
            blob = read_fields((fixture.export / "model.skep").read_bytes())[3]
            self.assertEqual(properties["skep.model_version"], "9")
            self.assertEqual(properties["skep.weights_sha256"], hashlib.sha256(blob).hexdigest())

    def test_predictions_are_the_engines(self):
        for fixture in self.each():
            logits, probabilities = fixture.run()
            _, engine, runtime = reference_and_bounds(fixture.layers, fixture.features)
            tolerance = engine + runtime
            difference = np.abs(logits - fixture.engine_logits)
            self.assertTrue((difference <= tolerance).all(),
                            f"off by {difference.max()}, tolerance {tolerance.max()}")
            ranked = np.sort(fixture.engine_logits, axis=1)
            decided = ranked[:, -1] - ranked[:, -2] > 2 * tolerance.max(axis=1)
            ours = fixture.engine_logits.argmax(axis=1)
            theirs = logits.argmax(axis=1)
            np.testing.assert_array_equal(ours[decided], theirs[decided])
            np.testing.assert_array_equal(probabilities.argmax(axis=1), theirs)
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
            # Without these the comparison could be an empty one.
            self.assertGreater(decided.mean(), 0.95)
            self.assertGreater((theirs == fixture.labels).mean(), 0.85)
            print(f"{fixture.widths}: largest difference {difference.max():.2e}, "
                  f"tolerance {tolerance.min():.2e} to {tolerance.max():.2e}, "
                  f"largest logit {np.abs(logits).max():.1f}, decided {decided.mean():.1%}, "
                  f"same class {(ours == theirs).mean():.1%}, "
                  f"accuracy {(theirs == fixture.labels).mean():.1%}", file=sys.stderr)

    def test_a_changed_weight_is_noticed(self):
        """The tolerance is tight enough to tell this model from one with one changed weight."""
        for fixture in self.each():
            weights, biases = fixture.layers[-1]
            changed = weights.copy()
            changed[0, np.abs(weights[0]).argmax()] *= -1
            layers = fixture.layers[:-1] + [(changed, biases)]
            value, engine, runtime = reference_and_bounds(layers, fixture.features)
            self.assertTrue(
                (np.abs(value - fixture.engine_logits) > engine + runtime).any())

    def test_openssl_verifies_the_signature(self):
        for fixture in self.each():
            metadata = json.loads((fixture.export / "metadata.json").read_text())
            manifest = bytes.fromhex(metadata["signature"]["manifest_hex"])
            raw = (fixture.export / "signature.bin").read_bytes()
            self.assertEqual(len(raw), 64)
            (fixture.path / "signature.der").write_bytes(der_signature(raw))
            command = ["openssl", "dgst", "-sha256", "-verify", fixture.path / "signing.pub",
                       "-signature", fixture.path / "signature.der", fixture.path / "signed"]
            for content, accepted in ((manifest, True), (manifest[:-1], False)):
                (fixture.path / "signed").write_bytes(b"skep model manifest v1\0" + content)
                result = subprocess.run(command, capture_output=True)
                self.assertEqual(result.returncode == 0, accepted, result.stdout)
            for name in ("model.skep", "model.onnx"):
                digest = hashlib.sha256((fixture.export / name).read_bytes()).hexdigest()
                self.assertEqual(metadata["files"][name]["sha256"], digest)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
