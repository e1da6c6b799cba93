"""Files that the importer refuses, each with a message that says what, where and what was expected.

    onnx_refusal_test.py FIXTURE_PROGRAM

Every case starts from a model that is accepted and changes one thing, so that the change is what is
refused. Nothing is written for a model that is refused.
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "testing"))
import numpy as np
import onnx
import onnx_exports
import onnx_models
from onnx import TensorProto, helper, numpy_helper

FIXTURE = sys.argv[1]


def run(content, loss="-", exponent="-12"):
    """(exit status, stderr, files written)."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "in.onnx").write_bytes(content)
        (folder / "out").mkdir()
        # In an empty folder: what an external reference would name does not exist here.
        result = subprocess.run([FIXTURE, "../in.onnx", ".", exponent, loss, "-"],
                                capture_output=True, cwd=folder / "out", timeout=60)
        return result.returncode, result.stderr, list((folder / "out").iterdir())


def node(model, kind, number=0):
    return [n for n in model.graph.node if n.op_type == kind][number]


def attribute(node, name):
    return next(a for a in node.attribute if a.name == name)


def constant(model, name):
    return next(c for c in model.graph.initializer if c.name == name)


def set_constant(model, name, array):
    constant(model, name).CopyFrom(numpy_helper.from_array(array, name))


def poison(value, field):
    """Puts `value` into the constant that is input `field` of the node."""
    def change(model, node):
        array = numpy_helper.to_array(constant(model, node.input[field])).copy()
        array.flat[array.size // 2] = value
        set_constant(model, node.input[field], array)
    return change


def integers_of(model):
    """For every integer among the attributes and constants of a model what sets it: f(model, value).
    Of a list the first number stands for all."""
    def attribute_setter(n, a, field):
        def change(model, value):
            found = model.graph.node[n].attribute[a]
            if field == "i":
                found.i = value
            elif field == "ints":
                found.ints[0] = value
            else:
                found.t.CopyFrom(filled(found.t, value))
        return change

    def filled(tensor, value):
        array = numpy_helper.to_array(tensor).copy()
        array.flat[0] = value
        return numpy_helper.from_array(array, tensor.name)

    def constant_setter(c):
        def change(model, value):
            found = model.graph.initializer[c]
            found.CopyFrom(filled(found, value))
        return change

    for n, found in enumerate(model.graph.node):
        for a, one in enumerate(found.attribute):
            if one.type == onnx.AttributeProto.INT:
                yield attribute_setter(n, a, "i")
            elif one.type == onnx.AttributeProto.INTS and one.ints:
                yield attribute_setter(n, a, "ints")
            elif one.type == onnx.AttributeProto.TENSOR and one.t.data_type == TensorProto.INT64:
                yield attribute_setter(n, a, "t")
    for c, one in enumerate(model.graph.initializer):
        if one.data_type == TensorProto.INT64:
            yield constant_setter(c)


class RefusalTest(unittest.TestCase):
    def refused(self, change, status, *words, make=onnx_models.torch_cnn, loss="-"):
        model = make().model
        self.assertEqual(run(model.SerializeToString(), loss)[0], 0, "the model as it is")
        change(model)
        self.refused_bytes(model.SerializeToString(), status, *words, loss=loss)

    def refused_bytes(self, content, status, *words, loss="-"):
        code, error, files = run(content, loss)
        text = error.decode("ascii")  # nothing else may be in a message
        self.assertEqual(code, 1, text)
        self.assertEqual(len(text.splitlines()), 1, text)
        self.assertTrue(all(" " <= c <= "~" for c in text[:-1]), text)
        self.assertTrue(text.startswith(status + ": "), text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(files, [])
        self.assertLess(len(text), 600)

    def refused_or_harmless(self, content):
        code, error, files = run(content)
        self.assertIn(code, (0, 1), error)
        # A sanitizer leaves with 1 as well, but what it says begins with no status.
        self.assertRegex(error, rb"\A[A-Z][A-Za-z]+: [ -~]+\n\Z" if code == 1 else rb"\A\Z")
        self.assertEqual(code == 1, files == [])

    # ---- the file

    def test_truncated_and_foreign_files(self):
        whole = onnx_models.torch_cnn().model.SerializeToString()
        for size in sorted({0, 1, 7, *range(2, len(whole), 97), len(whole) - 1}):
            code, error, files = run(whole[:size])
            self.assertEqual((code, files), (1, []), (size, error))
        self.refused_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100), "Malformed", "no ONNX model")
        self.refused_bytes(b"\0" * 1000, "Malformed")

    def test_a_file_beyond_the_limit_is_not_parsed(self):
        self.refused_bytes(bytes((16 << 20) + 1), "TooLarge", "16777217", "16777216")

    def test_random_damage_is_refused_or_harmless(self):
        whole = onnx_models.keras_ds_cnn().model.SerializeToString()
        random = np.random.default_rng(5)
        for _ in range(60):
            damaged = bytearray(whole)
            for at in random.integers(0, len(whole), 3):
                damaged[at] ^= 1 << int(random.integers(0, 8))
            self.refused_or_harmless(bytes(damaged))

    def test_every_integer_at_its_extremes_is_refused_or_harmless(self):
        """What overflows is found where the sanitizers watch."""
        view = onnx.load(onnx_exports.FOLDER / "torch_view_torchscript_13.onnx")
        models = [view] + [make().model for make in (
            onnx_models.torch_cnn, onnx_models.keras_ds_cnn, onnx_models.keras_cnn_flat)]
        for model in models:
            for place in integers_of(model):
                for value in (-2**63, 2**63 - 1):
                    changed = onnx.ModelProto()
                    changed.CopyFrom(model)
                    place(changed, value)
                    self.refused_or_harmless(changed.SerializeToString())

    def test_opsets(self):
        def opset(version):
            return lambda model: setattr(model.opset_import[0], "version", version)
        for version in (0, 6, 22, 2**40, -1):
            self.refused(opset(version), "UnsupportedVersion", str(version), "7 to 21")
        self.refused(lambda model: model.ClearField("opset_import"), "UnsupportedVersion")

    # ---- constants

    def test_declared_and_present_bytes_differ(self):
        def dims(*extents):
            def change(model):
                tensor = constant(model, node(model, "Conv").input[1])
                del tensor.dims[:]
                tensor.dims.extend(extents)
            return change
        self.refused(dims(6, 3, 3, 4), "Malformed", "'/Conv_0'", "216", "162")
        self.refused(dims(6, 3, 3, 2**62), "Malformed", "'/Conv_0'")
        self.refused(dims(2**20, 2**20, 2**20, 2**20), "Malformed", "larger than the file")
        self.refused(dims(6, 3, 3, -3), "Malformed", "-3")
        self.refused(dims(6, 0, 3, 3), "Malformed")
        self.refused(dims(6, 27), "Unsupported", "rank 2", "expected 4")
        self.refused(dims(), "Malformed")

    def test_no_float(self):
        for value, name in ((np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")):
            self.refused(lambda m: poison(value, 1)(m, node(m, "Conv", 1)), "InvalidArgument",
                         "'/Conv_4'", name)
            self.refused(lambda m: poison(value, 2)(m, node(m, "Gemm")), "InvalidArgument",
                         "'/Gemm_8'", "bias", name)
            self.refused(lambda m: poison(value, 1)(m, node(m, "BatchNormalization")),
                         "InvalidArgument", "'/Conv_0'")
        self.refused(lambda m: poison(np.nan, 4)(m, node(m, "BatchNormalization")), "Unsupported",
                     "variance")
        self.refused(lambda m: poison(1e5, 1)(m, node(m, "Gemm")), "TooLarge", "100000", "8191")

    def test_other_element_types(self):
        def half(model):
            name = node(model, "Gemm").input[1]
            set_constant(model, name,
                         numpy_helper.to_array(constant(model, name)).astype(np.float16))
        self.refused(half, "Unsupported", "element type 10", "float (1)")

    def test_external_data_is_never_read(self):
        def external(path):
            def change(model):
                tensor = constant(model, node(model, "Conv").input[1])
                tensor.data_location = TensorProto.EXTERNAL
                entry = tensor.external_data.add()
                entry.key, entry.value = "location", path
            return change
        for path in ("/etc/passwd", "../in.onnx", "weights.bin"):
            self.refused(external(path), "Unsupported", "another file")

    def test_missing_and_repeated_constants(self):
        def remove(model):
            model.graph.initializer.remove(constant(model, node(model, "Conv").input[1]))
        self.refused(remove, "Malformed", "nothing makes", "'/Conv_0'")

        def twice(model):
            model.graph.initializer.add().CopyFrom(model.graph.initializer[0])
        self.refused(twice, "Malformed", "'c0'", "twice")

    def test_sparse_constants_and_functions(self):
        self.refused(lambda m: m.graph.sparse_initializer.add(), "Unsupported", "sparse")
        self.refused(lambda m: m.functions.add(), "Unsupported", "functions")

    # ---- the graph

    def test_the_first_unsupported_operator_is_named(self):
        def recurrent(model):
            model.graph.node[5].op_type = "LSTM"
            model.graph.node[7].op_type = "Einsum"
        self.refused(recurrent, "Unsupported", "'/LeakyRelu_5' (LSTM)", "accepted are Add,",
                     "Unsqueeze")
        self.refused(lambda m: setattr(node(m, "Relu"), "domain", "com.evil"), "Unsupported",
                     "Relu_2")

    def test_control_characters_stay_in_the_file(self):
        self.refused(lambda m: setattr(node(m, "Relu"), "op_type", "\x1b[2J\nRelu\x07\u00e4"),
                     "Unsupported", "?[2J?Relu?")

        def long_name(model):
            node(model, "Relu").op_type = "R" * 5000
            node(model, "R" * 5000).name = "x" * 5000
        self.refused(long_name, "Unsupported", "x" * 64 + "...", "R" * 64 + "...")

    def test_branches(self):
        def join(model):
            first, second = node(model, "Relu"), node(model, "MaxPool")
            add = helper.make_node("Add", [second.output[0], first.output[0]], ["joined"], name="j")
            node(model, "Conv", 1).input[0] = "joined"
            model.graph.node.insert(4, add)
        self.refused(join, "Unsupported", "'j' (Add)", "chain")

        def fork(model):
            relu = node(model, "Relu")
            model.graph.node.append(
                helper.make_node("Tanh", [relu.output[0]], ["side"], name="fork"))
        self.refused(fork, "Unsupported", "'fork' (Tanh)", "branches")

    def test_cycles(self):
        def island(model):
            model.graph.node.append(helper.make_node("Relu", ["b"], ["a"], name="i1"))
            model.graph.node.append(helper.make_node("Relu", ["a"], ["b"], name="i2"))
        self.refused(island, "Unsupported", "not reached", "cycles")

        def closed(model):
            node(model, "Conv").input[0] = node(model, "Relu").output[0]
        self.refused(closed, "Unsupported")

        def itself(model):
            relu = node(model, "Relu")
            relu.input[0] = relu.output[0]
        self.refused(itself, "Unsupported")

    def test_values_made_twice_or_never(self):
        self.refused(lambda m: m.graph.node[3].output.__setitem__(0, m.graph.node[2].output[0]),
                     "Malformed", "made twice")
        self.refused(lambda m: m.graph.node[3].input.__setitem__(0, "nowhere"), "Malformed",
                     "nothing makes 'nowhere'")
        self.refused(lambda m: m.graph.node[3].output.__delitem__(0), "Malformed", "no output")
        self.refused(lambda m: m.graph.ClearField("output"), "Malformed", "output of the model")
        self.refused(lambda m: m.graph.ClearField("node"), "Malformed")

    def test_inputs(self):
        def dynamic(model):
            dimension = model.graph.input[0].type.tensor_type.shape.dim[2]
            dimension.dim_param = "height"
        self.refused(dynamic, "Unsupported", "'input'", "axis 2 is dynamic")

        def second(model):
            model.graph.input.add().CopyFrom(
                helper.make_tensor_value_info("also", TensorProto.FLOAT, [1, 2]))
        self.refused(second, "Unsupported", "'input' and 'also'")

        def huge(model):
            model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2**40
        self.refused(huge, "TooLarge", "16384")
        self.refused(lambda m: m.graph.input[0].type.tensor_type.ClearField("shape"), "Unsupported")
        self.refused(lambda m: m.graph.ClearField("input"), "Malformed", "no input")
        self.refused(lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type",
                                       TensorProto.INT8), "Unsupported", "float")

    # ---- operators

    def integers(self, kind, name, values, *words, status="Unsupported", number=0,
                 make=onnx_models.torch_cnn):
        def change(model):
            found = attribute(node(model, kind, number), name)
            del found.ints[:]
            found.ints.extend(values)
        self.refused(change, status, kind, *words, make=make)

    def integer(self, kind, name, value, *words, status="Unsupported", make=onnx_models.torch_cnn):
        def change(model):
            found = node(model, kind)
            for old in [a for a in found.attribute if a.name == name]:
                found.attribute.remove(old)
            found.attribute.append(helper.make_attribute(name, value))
        self.refused(change, status, kind, *words, make=make)

    def test_convolutions(self):
        self.integers("Conv", "dilations", [2, 1], "dilations")
        self.integers("Conv", "strides", [0, 1], "strides is 0")
        self.integers("Conv", "strides", [256, 1], "strides is 256")
        self.integers("Conv", "strides", [1], "strides")
        self.integers("Conv", "pads", [1, 1], "pads has 2")
        self.integers("Conv", "pads", [-1, 0, 0, 0], "pads is -1")
        self.integers("Conv", "pads", [3, 0, 0, 0], "padding", status="InvalidArgument")
        self.integers("Conv", "kernel_shape", [3, 5], "kernel_shape")
        self.integer("Conv", "group", 3, "group is 3", "as many as channels")
        self.integer("Conv", "group", 0, "group is 0")
        self.integer("Conv", "group", -1)
        self.integer("Conv", "auto_pad", "LUNAR", "NOTSET")
        self.integer("Conv", "strides", 5, "wrong type", status="Malformed")
        self.integers("Conv", "kernel_shape", [1, 5], "kernel_shape", number=1)

        def tall(model):
            model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 1
        self.refused(tall, "InvalidArgument", "MaxPool", "does not fit")

    def test_pools(self):
        self.integers("MaxPool", "pads", [1, 1, 0, 0], "no padding", status="InvalidArgument")
        self.integers("MaxPool", "kernel_shape", [2], "kernel_shape has 1")
        self.integers("MaxPool", "kernel_shape", [400, 2], "kernel_shape is 400")
        self.integer("MaxPool", "ceil_mode", 1, "ceil_mode is 1")
        self.integer("MaxPool", "storage_order", 1, "storage_order")
        self.integer("AveragePool", "auto_pad", "SAME_UPPER", "no padding",
                     status="InvalidArgument")

        def indices(model):
            node(model, "MaxPool").output.append("where")
            model.graph.node.append(helper.make_node("Relu", ["where"], ["x"], name="uses"))
        self.refused(indices, "Unsupported", "'uses'")

    def test_dense(self):
        self.integer("Gemm", "transA", 1, "transA 0")
        self.integer("Gemm", "alpha", 0.5, "alpha")
        self.integer("Gemm", "beta", 2.0, "beta")
        self.integer("Gemm", "transB", 0, "inputs")

        def first(model):  # W x instead of x W
            found = node(model, "MatMul")
            found.input[0], found.input[1] = found.input[1], found.input[0]
        self.refused(first, "Unsupported", "MatMul", make=onnx_models.keras_mlp)
        self.refused(lambda m: set_constant(m, node(m, "Gemm").input[2],
                                            np.zeros(5, np.float32)), "Unsupported", "5 biases")

        def image(model):
            model.graph.node.remove(node(model, "Flatten"))
            node(model, "Gemm").input[0] = node(model, "AveragePool").output[0]
        self.refused(image, "Unsupported", "Gemm", "rank 4", "Flatten")

    def test_normalization(self):
        self.integer("BatchNormalization", "training_mode", 1, "training_mode")
        self.refused(lambda m: poison(-5, 4)(m, node(m, "BatchNormalization")), "Unsupported",
                     "variance")

        for field in range(1, 5):
            self.refused(lambda m: set_constant(m, node(m, "BatchNormalization").input[field],
                                                np.ones(7, np.float32)),
                         "Unsupported", "BatchNormalization", "7 numbers", "expected 6")
        self.refused(lambda m: set_constant(m, node(m, "BatchNormalization").input[1],
                                            np.full(6, 1e30, np.float32)), "TooLarge")

    def test_factors_and_summands(self):
        """Between a convolution of 6 channels and its ReLU, and before the first layer."""
        def insert(kind, array, first=False):
            def change(model):
                constant = numpy_helper.from_array(np.asarray(array, np.float32), "extra")
                model.graph.initializer.append(constant)
                relu = node(model, "Relu")
                inputs = [relu.input[0], "extra"]
                model.graph.node.insert(2, helper.make_node(
                    kind, inputs[::-1] if first else inputs, ["scaled"], name="extra"))
                relu.input[0] = "scaled"
            return change
        for kind in ("Add", "Sub", "Mul", "Div"):
            # Along the width, along two axes, of one more axis, of the batch.
            for shape in ((11,), (6, 1, 11), (1, 1, 6, 1, 1), (2, 1, 1, 1), (6,), (0,)):
                self.refused(insert(kind, np.ones(shape)), "Unsupported", f"'extra' ({kind})",
                             "one a channel")
        self.refused(insert("Div", 1, first=True), "Unsupported", "constants after")
        self.refused(insert("Div", np.zeros((1, 6, 1, 1))), "InvalidArgument", "Conv")
        self.refused(insert("Mul", np.full((1, 6, 1, 1), np.nan)), "InvalidArgument", "NaN")
        self.refused(insert("Add", np.full((1, 6, 1, 1), np.inf)), "InvalidArgument", "infinite")

        def branches(model):
            gemm = node(model, "Gemm")
            model.graph.node.append(helper.make_node("Mul", [gemm.input[0]] * 2, ["m"], name="sq"))
        self.refused(branches, "Unsupported", "'sq' (Mul) joins 2 values")

    def test_padding(self):
        """Before the second convolution."""
        def insert(pads, behind="Conv", value=None, **attributes):
            def change(model):
                model.graph.initializer.append(
                    numpy_helper.from_array(np.asarray(pads, np.int64), "pads"))
                inputs = ["", "pads"]
                if value is not None:
                    model.graph.initializer.append(
                        numpy_helper.from_array(np.asarray(value, np.float32), "value"))
                    inputs.append("value")
                reader = node(model, behind, 1 if behind == "Conv" else 0)
                inputs[0] = reader.input[0]
                at = list(model.graph.node).index(reader)
                model.graph.node.insert(at, helper.make_node("Pad", inputs, ["padded"],
                                                             name="pad", **attributes))
                reader.input[0] = "padded"
            return change
        zeros = [0] * 8
        self.refused(insert(zeros[:6]), "Unsupported", "'pad' (Pad)", "6 numbers: expected 8")
        self.refused(insert([0, 0, 0, -1, 0, 0, 0, 0]), "Unsupported", "0 to 255")
        self.refused(insert([0, 0, 0, 2**62, 0, 0, 0, 2**62]), "Unsupported", "0 to 255")
        self.refused(insert([1, 0, 0, 0, 0, 0, 0, 0]), "Unsupported", "batch")
        self.refused(insert([0, 1, 0, 0, 0, 0, 0, 0]), "Unsupported", "channels")
        self.refused(insert(zeros, value=1), "Unsupported", "expected zeros")
        self.refused(insert(zeros, mode="reflect"), "Unsupported", "mode")
        self.refused(insert(zeros, behind="MaxPool"), "Unsupported", "(MaxPool)", "expected a Conv")
        self.refused(insert([0, 0, 0, 3, 0, 0, 0, 0]), "InvalidArgument", "conv")

    def test_computed_shapes(self):
        """x.view(x.size(0), -1), with another operator each time."""
        view = onnx_exports.FOLDER / "torch_view_torchscript_13.onnx"

        def make():
            return onnx_models.Case("view", onnx.load(view), (), None, "", [])

        def replace(kind, new, **attributes):
            def change(model):
                old = node(model, kind)
                made = helper.make_node(new, [*old.input], [*old.output], name="changed",
                                        **attributes)
                old.CopyFrom(made)
            return change
        self.refused(replace("Concat", "Concat", axis=1), "Unsupported", "axis 1", make=make)
        self.refused(replace("Unsqueeze", "Cast", to=1), "Unsupported", "element type 1", make=make)
        self.refused(replace("Unsqueeze", "NonZero"), "Unsupported", "'changed' (NonZero)",
                     "accepted are", make=make)
        self.refused(replace("Unsqueeze", "Transpose", perm=[0]), "Unsupported", "two axes",
                     make=make)
        self.refused(replace("Shape", "Shape", start=1), "Unsupported", "all extents", make=make)

        def out_of_range(model):
            constant = next(n for n in model.graph.node
                            if n.op_type == "Constant" and n.output[0] in node(model, "Gather").input)
            constant.attribute[0].t.CopyFrom(numpy_helper.from_array(np.array(4, np.int64)))
        self.refused(out_of_range, "Unsupported", "Gather", "number 4 of 4", make=make)

        def later(model):  # the shape of what the Reshape itself makes
            node(model, "Shape").input[0] = node(model, "Reshape").output[0]
        self.refused(later, "Unsupported", "Shape", "before it", make=make)

        def batch_last(model):
            inputs = node(model, "Concat").input
            inputs[0], inputs[1] = inputs[1], inputs[0]
        self.refused(batch_last, "Unsupported", "Reshape", "batch", make=make)

        def grows(model):
            concat = node(model, "Concat")
            for i in range(10):
                model.graph.node.insert(
                    list(model.graph.node).index(node(model, "Concat", i)) + 1,
                    helper.make_node("Concat", [node(model, "Concat", i).output[0]] * 2, [f"g{i}"],
                                     name=f"grow{i}", axis=0))
            self.assertEqual(concat.op_type, "Concat")
            node(model, "Reshape").input[1] = "g9"
        self.refused(grows, "TooLarge", "grow5", "more than 64 numbers", make=make)

        def many(model):
            model.graph.node.extend(
                helper.make_node("Shape", ["input"], [f"s{i}"], name=f"many{i}")
                for i in range(260))
        self.refused(many, "TooLarge", "more than 256", make=make)

    def test_activations(self):
        for alpha in (0.0, -0.5, 1.0, float("nan"), float("inf")):
            self.integer("LeakyRelu", "alpha", alpha, "alpha is outside")

        def on_sample(model):
            node(model, "Conv").input[0] = "r"
            model.graph.node.insert(0, helper.make_node("Relu", ["input"], ["r"], name="early"))
        self.refused(on_sample, "Unsupported", "'early' (Relu)", "sample itself")

        def twice(model):
            node(model, "Gemm", 1).input[0] = "t"
            model.graph.node.insert(9, helper.make_node("Sigmoid",
                                                        [node(model, "Tanh").output[0]], ["t"]))
        self.refused(twice, "Unsupported", "sigmoid", "another activation")

    def test_axes(self):
        self.integer("Flatten", "axis", 2, "axis is 2")
        self.integers("Transpose", "perm", [1, 0, 2, 3], "perm", make=onnx_models.keras_ds_cnn)
        self.integers("Transpose", "perm", [0, 1, 1, 3], "perm", make=onnx_models.keras_ds_cnn)

        def stay(model):  # rows would be taken for channels
            attribute(node(model, "Transpose"), "perm").ints[:] = [0, 1, 2, 3]
        self.refused(stay, "Unsupported", "'/Conv_1' (Conv)", "input of 9",
                     make=onnx_models.keras_ds_cnn)
        self.integers("ReduceMean", "axes", [1, 3], "mean", make=onnx_models.keras_ds_cnn)
        self.integers("ReduceMean", "axes", [0, 1], "mean", make=onnx_models.keras_ds_cnn)

        def shape(*extents):
            def change(model):
                set_constant(model, node(model, "Reshape", 1).input[1], np.array(extents, np.int64))
            return change
        for extents in ((-1, 35), (-1, -1), (2, 36), (-1, 0, 36), (-1, 6, 6), (36,), (1,) * 12,
                        (-1, 2**62), (-1, 2**40, 2**40)):
            self.refused(shape(*extents), "Unsupported", "Reshape",
                         make=onnx_models.keras_cnn_flat)

    # ---- the end

    def test_losses(self):
        softmax = onnx_models.keras_mlp().model.SerializeToString()
        for loss in ("mean_squared_error", "binary_cross_entropy"):
            self.refused_bytes(softmax, "Unsupported", "Softmax", loss, loss=loss)
        self.refused_bytes(onnx_models.torch_mlp().model.SerializeToString(), "InvalidArgument",
                           "as many", loss="mean_squared_error")
        self.integer("Softmax", "axis", 0, "expected over", make=onnx_models.keras_mlp)

    def test_an_image_as_output_of_a_classifier(self):
        content = onnx_models.torch_conv_autoencoder().model.SerializeToString()
        self.refused_bytes(content, "Unsupported", "plain vector", loss="softmax_cross_entropy")

    def test_too_many_layers_and_parameters(self):
        def many(model):
            value = node(model, "Gemm").output[0]
            for i in range(40):
                model.graph.node.insert(2 + i, helper.make_node(
                    "Relu", [value if i == 0 else f"m{i - 1}"], [f"m{i}"], name=f"many{i}"))
            node(model, "Relu", 40).input[0] = "m39"
        self.refused(many, "TooLarge", "more than 24 layers", make=onnx_models.torch_mlp)
        g = onnx_models.Graph(1, (9,))
        v = "input"
        for _ in range(1025):
            v = g.op("Identity", v)
        self.refused_bytes(g.model(v).SerializeToString(), "TooLarge", "more than 1024 operators")
        g = onnx_models.Graph(1, (600,))
        v = g.op("Gemm", "input", g.weights(600, 600), g.bias(600), transB=1)
        self.refused_bytes(g.model(v).SerializeToString(), "TooLarge", "262144 parameters")

    def test_input_exponent(self):
        content = onnx_models.keras_mlp().model.SerializeToString()
        for exponent in ("-31", "16", "1000"):
            code, error, _ = run(content, exponent=exponent)
            self.assertEqual(code, 1, error)
            self.assertIn(b"exponent", error)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
