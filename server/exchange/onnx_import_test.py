"""Models of other frameworks through the importer: against ONNX Runtime, within derived bounds.

    onnx_import_test.py FIXTURE_PROGRAM

The oracle in the middle is a float64 evaluation of spec.textproto and weights.bin, written here
from docs/reference alone. Per layer with n inputs, ours W and b, input x known up to an error E:

  original  ONNX Runtime on the file as it came. Its weights are within u = 2^(e-1) of ours, its
            biases within 2^(e-17) (the importer's promise), a LeakyRelu's slope within 2^-16. So
            its exact output is within |W| E + u (|x| + E) + 2^(e-17) of ours, where the products
            are the layer's own sums.
  float32   Every product, sum and stored number errs by 2^-24 relative: at most
            g = (n + 2) 2^-24 / (1 - (n + 2) 2^-24) times |W| (|x| + E) + |b| (Higham, section 3.1).
            What a normalisation that the file computes on its own rounds besides is not allowed for.
  engine    docs/reference/learning.md. A layer's outputs are normalised: an error of one unit, at
            most 2^-14 of the largest. A convolution's sums and biases are rounded before, each by
            half a unit of the stage, 2^(e + ceil(log2 n)) units of x or 2^-28 of the largest bias.
            A mean errs by 2^-15 units of x and 2^-16 relative, a sigmoid by 6e-5 + 2^-16 + 2^-15, a
            tanh by twice the table's part of it.

Activations and pools never enlarge an error. No constant here is tuned to what was measured.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "testing"))
import numpy as np
import onnx
import onnx_exports
import onnx_models
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FIXTURE = sys.argv[1]
UNIT = 2.0**-24
TABLE_ERROR = 6e-5 + 2.0**-16
EXPONENT = -12
SAMPLES = 40


def read_spec(text):
    """[(kind, {field: number})] and the fields of the whole."""
    layers, fields = [], {}
    for line in text.splitlines():
        pairs = dict(re.findall(r"(\w+): (-?\w+)", line))
        if line.startswith("layers"):
            kind = pairs.pop("kind").removeprefix("LAYER_KIND_").lower()
            layers.append((kind, {key: int(value) for key, value in pairs.items()}))
        elif not line.startswith("#"):
            fields.update(pairs)
    return fields, layers


class Blob:
    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, dtype, count):
        values = np.frombuffer(self.content, dtype, count, self.at)
        self.at += values.nbytes
        return values.astype(float)

    def layer(self, weight_count, bias_count):
        exponent = int(self.take("<i2", 1)[0])
        weights = np.ldexp(self.take("<i2", weight_count), exponent)
        return exponent, weights, np.ldexp(self.take("<i4", bias_count), exponent - 16)


def windows(value, layer, padded):
    """[N, H', W', kh, kw, C] of an [N, H, W, C]."""
    pads = [layer.get(name, 0) for name in ("pad_top", "pad_bottom", "pad_left", "pad_right")]
    if padded:
        value = np.pad(value, ((0, 0), pads[:2], pads[2:], (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(
        value, (layer["kernel_height"], layer["kernel_width"]), axis=(1, 2))
    view = view[:, ::layer["stride_height"], ::layer["stride_width"]]
    return view.transpose(0, 1, 2, 4, 5, 3)


class Evaluation:
    """A batch through the spec in float64, and how far the three others may be from it."""

    def __init__(self, fields, layers, blob, batch):
        self.value = self.batch = batch
        self.parameters = []
        self.unit = np.full((len(batch), 1, 1, 1), 2.0**EXPONENT)  # of the engine's integers
        self.errors = {name: np.zeros_like(batch) for name in ("original", "export", "engine")}
        self.blob = Blob(blob)
        for kind, layer in layers:
            getattr(self, kind)(layer)  # the method of the kind's name
        assert self.blob.at == len(blob)

    def read(self, weight_count, bias_count):
        self.parameters.append(self.blob.layer(weight_count, bias_count))
        return self.parameters[-1]

    def linear(self, sums, exponent, fan_in, bias, magnitude, is_staged):
        """`sums(x, w)` is the layer; w None: with ones for all weights."""
        x, absolute = self.value, np.abs(self.value)
        gamma = (fan_in + 2) * UNIT / (1 - (fan_in + 2) * UNIT)
        bounds = {}
        for name, quantized in (("original", True), ("export", False)):
            error = self.errors[name]
            off, bias_off = (2.0**(exponent - 1), 2.0**(exponent - 17)) if quantized else (0, 0)
            bound = sums(error, magnitude) + off * sums(absolute + error, None) + bias_off
            bounds[name] = bound + gamma * (
                sums(absolute + error, magnitude) + off * sums(absolute + error, None)
                + np.abs(bias) + bias_off)
        engine = sums(self.errors["engine"], magnitude)
        self.value = sums(x, self.weights) + bias
        if is_staged:
            stage = np.ldexp(self.unit, exponent + int(np.ceil(np.log2(fan_in))))
            engine = engine + stage + np.abs(bias).max() * 2.0**-28
        bounds["engine"] = engine
        self.errors = bounds
        self.normalize()

    def normalize(self):
        axes = tuple(range(1, self.value.ndim))
        error = self.errors["engine"]
        self.unit = (np.abs(self.value) + error).max(axis=axes, keepdims=True) * 2.0**-14
        self.errors["engine"] = error + self.unit

    def dense(self, layer):
        inputs = self.value.shape[-1]
        self.value = self.value.reshape(len(self.value), -1)
        self.unit = self.unit.reshape(-1, 1)
        for name in self.errors:
            self.errors[name] = self.errors[name].reshape(len(self.value), -1)
        exponent, weights, bias = self.read(inputs * layer["outputs"], layer["outputs"])
        self.weights = weights.reshape(layer["outputs"], inputs)
        ones = np.ones_like(self.weights)
        self.linear(lambda x, w: x @ (ones if w is None else w).T, exponent, inputs, bias,
                    np.abs(self.weights), is_staged=False)

    def conv(self, layer):
        shape = (layer["outputs"], layer["kernel_height"], layer["kernel_width"],
                 self.value.shape[-1])
        exponent, weights, bias = self.read(int(np.prod(shape)), shape[0])
        self.weights = weights.reshape(shape)
        ones = np.ones(shape)
        self.linear(lambda x, w: np.einsum("nhwklc,oklc->nhwo", windows(x, layer, True),
                                           ones if w is None else w),
                    exponent, int(np.prod(shape[1:])), bias, np.abs(self.weights), is_staged=True)

    def depthwise_conv(self, layer):
        shape = (layer["kernel_height"], layer["kernel_width"], self.value.shape[-1])
        exponent, weights, bias = self.read(int(np.prod(shape)), shape[2])
        self.weights = weights.reshape(shape)
        ones = np.ones(shape)
        self.linear(lambda x, w: np.einsum("nhwklc,klc->nhwc", windows(x, layer, True),
                                           ones if w is None else w),
                    exponent, shape[0] * shape[1], bias, np.abs(self.weights), is_staged=True)

    def pooled(self, layer, reduce):
        self.value = reduce(windows(self.value, layer, False), (3, 4))
        for name, error in self.errors.items():
            self.errors[name] = reduce(windows(error, layer, False), (3, 4))

    def max_pool(self, layer):
        self.pooled(layer, np.max)

    def average_pool(self, layer):
        largest = np.abs(self.value).max()
        self.pooled(layer, np.mean)
        count = layer["kernel_height"] * layer["kernel_width"]
        for name in ("original", "export"):
            self.errors[name] = self.errors[name] + (count + 2) * UNIT * largest * 2
        self.errors["engine"] = (self.errors["engine"] + self.unit * 2.0**-15
                                 + largest * 2.0**-16)
        self.normalize()

    def global_average_pool(self, layer):
        shape = self.value.shape
        self.average_pool({"kernel_height": shape[1], "kernel_width": shape[2],
                           "stride_height": 1, "stride_width": 1})

    def flatten(self, layer):
        self.value = self.value.reshape(len(self.value), 1, 1, -1)
        for name in self.errors:
            self.errors[name] = self.errors[name].reshape(self.value.shape)

    def relu(self, layer):
        self.value = np.maximum(self.value, 0)

    def leaky_relu(self, layer):
        off = {"original": 2.0**-16, "export": 0, "engine": 0}
        for name, error in self.errors.items():
            self.errors[name] = error + (off[name] + 2 * UNIT) * (np.abs(self.value) + error)
        self.value = np.where(self.value >= 0, self.value,
                              self.value * layer["negative_slope_q15"] / 32768)
        self.normalize()

    def squash(self, function, table_error):
        self.value = function(self.value)
        for name in ("original", "export"):
            self.errors[name] = self.errors[name] + APPROXIMATION
        self.errors["engine"] = self.errors["engine"] + table_error + 2.0**-15
        self.unit = np.full_like(self.unit, 2.0**-15)

    def sigmoid(self, layer):
        self.squash(lambda x: 1 / (1 + np.exp(-x)), TABLE_ERROR)

    def tanh(self, layer):
        self.squash(np.tanh, 2 * TABLE_ERROR)


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def approximation():
    """How far ONNX Runtime's own sigmoid and tanh are from the functions, over 2^20 arguments."""
    x = np.linspace(-30, 30, 1 << 20, dtype=np.float32)
    worst = 0
    for op, function in (("Sigmoid", lambda v: 1 / (1 + np.exp(-v))), ("Tanh", np.tanh)):
        graph = helper.make_graph(
            [helper.make_node(op, ["x"], ["y"])], "f",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
        y = session(model).run(["y"], {"x": x})[0]
        worst = max(worst, np.abs(y - function(x.astype(float))).max())
    return worst + 2 * UNIT


APPROXIMATION = approximation()


class Imported:
    """One case through the fixture program."""

    def __init__(self, case, test):
        self.case = case
        random = np.random.default_rng(99)
        count = SAMPLES
        integers = random.integers(-8192, 8192, (count, *case.input_shape))
        self.onnx_batch = np.ldexp(integers.astype(np.float32), EXPONENT)
        ours = self.to_ours(integers)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "in.onnx").write_bytes(case.file())
            np.savetxt(folder / "samples.csv", ours.reshape(count, -1), "%d", ",")
            run = subprocess.run(
                [FIXTURE, folder / "in.onnx", folder, str(EXPONENT),
                 case.loss if case.ask_loss else "-", folder / "samples.csv"],
                capture_output=True, text=True)
            test.assertEqual(run.returncode, 0, run.stderr)
            self.fields, self.layers = read_spec((folder / "spec.textproto").read_text())
            self.blob = (folder / "weights.bin").read_bytes()
            self.exported = (folder / "model.onnx").read_bytes()
            rows = np.loadtxt(folder / "outputs.txt", dtype=np.int64, ndmin=2)
            again = subprocess.run(
                [FIXTURE, folder / "model.onnx", folder, str(EXPONENT), case.loss, "-"],
                capture_output=True, text=True)
            test.assertEqual(again.returncode, 0, again.stderr)
            self.blob_again = (folder / "weights.bin").read_bytes()
            self.layers_again = read_spec((folder / "spec.textproto").read_text())[1]
        self.engine = np.ldexp(rows[:, 1:].astype(float), rows[:, :1].astype(int))
        self.evaluation = Evaluation(self.fields, self.layers, self.blob,
                                     np.ldexp(ours.astype(float), EXPONENT))

    def to_ours(self, batch):
        if self.case.ours is not None:
            batch = batch.reshape(len(batch), *self.case.ours)
        if self.case.to_ours is None:
            return batch.reshape(len(batch), 1, 1, -1)
        batch = batch.transpose(self.case.to_ours)
        return batch[:, None] if batch.ndim == 3 else batch

    def outputs_to_ours(self, batch):
        """An autoencoder's output has the order of its input, a classifier's is a vector."""
        if self.case.loss == "mean_squared_error" and self.case.to_ours is not None:
            return self.to_ours(batch.reshape(self.onnx_batch.shape)).reshape(len(batch), -1)
        return batch.reshape(len(batch), -1)

    def original(self):
        model = session(self.case.model)
        (given,) = model.get_inputs()
        size = given.shape[0] if isinstance(given.shape[0], int) else SAMPLES
        results = [model.run([self.case.output], {given.name: self.onnx_batch[i:i + size]})[0]
                   for i in range(0, SAMPLES, size)]
        return self.outputs_to_ours(np.concatenate(results))

    def reexported(self):
        model = session(self.exported)
        batch = self.to_ours(self.onnx_batch)
        is_image = len(model.get_inputs()[0].shape) == 4
        batch = batch.transpose(0, 3, 1, 2) if is_image else batch.reshape(len(batch), -1)
        result = model.run(None, {"features": np.ascontiguousarray(batch)})[0]
        if is_image and self.case.loss == "mean_squared_error":
            result = result.reshape(batch.shape).transpose(0, 2, 3, 1)
        return result.reshape(len(result), -1)


class ImportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.imported = [Imported(case, cls("test_layers_are_those_of_the_network"))
                        for case in onnx_models.all_cases() + onnx_exports.all_cases()]

    def for_each(self, check):
        for imported in self.imported:
            with self.subTest(case=imported.case.name):
                check(imported)

    def compare(self, name, values_of):
        def check(imported):
            values = values_of(imported)
            value = imported.evaluation.value.reshape(len(values), -1)
            bound = imported.evaluation.errors[name].reshape(value.shape)
            difference = np.abs(values - value)
            self.assertEqual(values.shape, value.shape)
            self.assertTrue((difference <= bound).all(),
                            f"off by {difference.max()}, bound {bound.max()}")
            # Tight enough to notice outputs in another order.
            noticed = np.abs(np.roll(values, 1, axis=1) - value) > bound
            self.assertGreater(noticed.mean(), 0.5)
            print(f"{imported.case.name}, {name}: {difference.max():.1e} of {bound.max():.1e}, "
                  f"outputs up to {np.abs(value).max():.1f}", file=sys.stderr)

        self.for_each(check)

    def test_layers_are_those_of_the_network(self):
        def check(imported):
            self.assertEqual([kind for kind, _ in imported.layers], imported.case.kinds)
            self.assertEqual(imported.fields["loss"], "LOSS_" + imported.case.loss.upper())
            self.assertEqual(imported.fields["input_exponent"], str(EXPONENT))

        self.for_each(check)

    def test_original_is_within_the_tolerance(self):
        self.compare("original", Imported.original)

    def test_export_says_the_same(self):
        self.for_each(lambda imported: onnx.checker.check_model(
            onnx.load_from_string(imported.exported), full_check=True))
        self.compare("export", Imported.reexported)

    def test_engine_says_the_same(self):
        self.compare("engine", lambda imported: imported.engine)

    def test_what_was_exported_comes_back(self):
        """The same layers, exponents and weights; biases but for their rounding to float32."""
        def check(imported):
            self.assertEqual(imported.layers_again, imported.layers)
            again = Evaluation(imported.fields, imported.layers_again, imported.blob_again,
                               np.zeros_like(imported.evaluation.batch))
            for before, after in zip(imported.evaluation.parameters, again.parameters, strict=True):
                self.assertEqual(after[0], before[0])
                np.testing.assert_array_equal(after[1], before[1])
                half_unit = 2.0**(before[0] - 17)
                self.assertTrue((np.abs(after[2] - before[2])
                                 <= np.abs(before[2]) * UNIT + half_unit).all())

        self.for_each(check)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
