"""ONNX graphs as PyTorch's and Keras' exporters write them, op by op, with random weights.

Neither framework is needed: each function below follows what its exporter emits for the network in
its first line (torch.onnx.export of PyTorch 2.x; tf2onnx 1.16 of a Keras model), as far as layout,
operators, attributes and constants go. The weights come from a seeded generator.
"""

import dataclasses

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclasses.dataclass
class Case:
    name: str
    model: onnx.ModelProto
    input_shape: tuple  # without the batch
    to_ours: tuple | None  # axes of a batch of samples → [N, H, W, C]; None: a plain vector
    output: str  # the value that our outputs are compared with
    kinds: list  # of our layers
    loss: str = "softmax_cross_entropy"
    ask_loss: bool = False  # the file does not say: it is given as an option
    content: bytes | None = None  # the file, where `model` has outputs that it has not
    ours: tuple | None = None  # [W, C] that the network itself makes of a sample

    def file(self):
        return self.content or self.model.SerializeToString()


class Graph:
    """Appends nodes; each method returns the name of its output."""

    def __init__(self, seed, input_shape, opset=17, batch="N"):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants, self.extra = [], [], []
        self.opset = opset
        self.input = helper.make_tensor_value_info("input", TensorProto.FLOAT,
                                                   [batch, *input_shape])

    def constant(self, array, name=None):
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weights(self, *shape):
        fan_in = np.prod(shape[1:])
        return self.constant(
            self.random.uniform(-1, 1, shape).astype(np.float32) * np.float32(1.5 / fan_in**0.5))

    def bias(self, size):
        return self.constant(self.random.uniform(-0.3, 0.3, size).astype(np.float32))

    def op(self, kind, *inputs, **attributes):
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output],
                                           name=f"/{kind}_{len(self.nodes)}", **attributes))
        return output

    def model(self, *outputs):
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "main", [self.input], values, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)],
                                 ir_version=8)


def normalization(g, value, channels):
    return g.op("BatchNormalization", value,
                g.constant(g.random.uniform(0.5, 1.5, channels).astype(np.float32)),
                g.bias(channels), g.bias(channels),
                g.constant(g.random.uniform(0.3, 2, channels).astype(np.float32)),
                epsilon=1e-3, momentum=0.9)


def torch_mlp():
    """Flatten, Linear(12, 20), ReLU, Dropout, Linear(20, 5): nn.Flatten of a [1, 3, 4] image."""
    g = Graph(1, (1, 3, 4), opset=13)
    v = g.op("Flatten", "input", axis=1)
    v = g.op("Gemm", v, g.weights(20, 12), g.bias(20), alpha=1.0, beta=1.0, transB=1)
    v = g.op("Relu", v)
    v = g.op("Identity", v)
    v = g.op("Gemm", v, g.weights(5, 20), g.bias(5), alpha=1.0, beta=1.0, transB=1)
    return Case("torch_mlp", g.model(v), (1, 3, 4), None, v, ["dense", "relu", "dense"])


def torch_cnn():
    """Conv2d(3, 6, 3, padding=1), BatchNorm2d, ReLU, MaxPool2d(2), Conv2d(6, 8, (3, 2), stride=2),
    LeakyReLU(0.1), AvgPool2d(2, stride=1), Flatten, Linear, Tanh, Linear, LogSoftmax."""
    g = Graph(2, (3, 10, 11))
    v = g.op("Conv", "input", g.weights(6, 3, 3, 3), g.bias(6), dilations=[1, 1], group=1,
             kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    v = normalization(g, v, 6)
    v = g.op("Relu", v)
    v = g.op("MaxPool", v, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0],
             ceil_mode=0, dilations=[1, 1])
    v = g.op("Conv", v, g.weights(8, 6, 3, 2), g.bias(8), dilations=[1, 1], group=1,
             kernel_shape=[3, 2], pads=[0, 0, 0, 0], strides=[2, 1])
    v = g.op("LeakyRelu", v, alpha=0.1)
    v = g.op("AveragePool", v, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 0, 0],
             ceil_mode=0, count_include_pad=1)
    v = g.op("Flatten", v, axis=1)
    v = g.op("Gemm", v, g.weights(7, 8 * 1 * 3), g.bias(7), alpha=1.0, beta=1.0, transB=1)
    v = g.op("Tanh", v)
    logits = g.op("Gemm", v, g.weights(4, 7), g.bias(4), alpha=1.0, beta=1.0, transB=1)
    end = g.op("LogSoftmax", logits, axis=-1)
    return Case("torch_cnn", g.model(logits, end), (3, 10, 11), (0, 2, 3, 1), logits,
                ["conv", "relu", "max_pool", "conv", "leaky_relu", "average_pool", "flatten",
                 "dense", "tanh", "dense"])


def torch_conv1d():
    """Conv1d(3, 8, 5, stride=2), ReLU, MaxPool1d(2), Conv1d(8, 8, 3, groups=8, padding=1), ReLU,
    Conv1d(8, 12, 1), ReLU, AdaptiveAvgPool1d(1), Flatten, Linear: a HAR net."""
    g = Graph(3, (3, 40))
    v = g.op("Conv", "input", g.weights(8, 3, 5), g.bias(8), dilations=[1], group=1,
             kernel_shape=[5], pads=[0, 0], strides=[2])
    v = g.op("Relu", v)
    v = g.op("MaxPool", v, kernel_shape=[2], strides=[2], pads=[0, 0], ceil_mode=0, dilations=[1])
    v = g.op("Conv", v, g.weights(8, 1, 3), g.bias(8), dilations=[1], group=8,
             kernel_shape=[3], pads=[1, 1], strides=[1])
    v = g.op("Relu", v)
    v = g.op("Conv", v, g.weights(12, 8, 1), g.bias(12), dilations=[1], group=1,
             kernel_shape=[1], pads=[0, 0], strides=[1])
    v = g.op("Relu", v)
    v = g.op("GlobalAveragePool", v)
    v = g.op("Flatten", v, axis=1)
    v = g.op("Gemm", v, g.weights(6, 12), g.bias(6), alpha=1.0, beta=1.0, transB=1)
    return Case("torch_conv1d", g.model(v), (3, 40), (0, 2, 1), v,
                ["conv", "relu", "max_pool", "depthwise_conv", "relu", "conv", "relu",
                 "global_average_pool", "dense"])


def torch_mean():
    """Conv2d(2, 5, 3), ReLU, x.mean(dim=(2, 3)), Linear: opset 18 gives ReduceMean its axes as an
    input."""
    g = Graph(4, (2, 6, 7), opset=18, batch=1)
    v = g.op("Conv", "input", g.weights(5, 2, 3, 3), g.bias(5), dilations=[1, 1], group=1,
             kernel_shape=[3, 3], pads=[0, 0, 0, 0], strides=[1, 1])
    v = g.op("Relu", v)
    v = g.op("ReduceMean", v, g.constant(np.array([2, 3], np.int64)), keepdims=0)
    v = g.op("Gemm", v, g.weights(3, 5), g.bias(3), alpha=1.0, beta=1.0, transB=1)
    return Case("torch_mean", g.model(v), (2, 6, 7), (0, 2, 3, 1), v,
                ["conv", "relu", "global_average_pool", "dense"])


def torch_dense_autoencoder():
    """Linear(16, 6), ReLU, Linear(6, 16), trained with MSELoss."""
    g = Graph(5, (16,), opset=11)
    v = g.op("Gemm", "input", g.weights(6, 16), g.bias(6), alpha=1.0, beta=1.0, transB=1)
    v = g.op("Relu", v)
    v = g.op("Gemm", v, g.weights(16, 6), g.bias(16), alpha=1.0, beta=1.0, transB=1)
    return Case("torch_dense_autoencoder", g.model(v), (16,), None, v,
                ["dense", "relu", "dense"], loss="mean_squared_error")


def torch_conv_autoencoder():
    """Conv2d(2, 4, 3, padding=1), Tanh, Conv2d(4, 2, 3, padding=1), MSELoss on the image."""
    g = Graph(6, (2, 5, 6))
    for channels in ((4, 2), (2, 4)):
        v = g.op("Conv", "input" if channels[1] == 2 else v, g.weights(*channels, 3, 3),
                 g.bias(channels[0]), dilations=[1, 1], group=1, kernel_shape=[3, 3],
                 pads=[1, 1, 1, 1], strides=[1, 1])
        if channels[0] == 4:
            v = g.op("Tanh", v)
    return Case("torch_conv_autoencoder", g.model(v), (2, 5, 6), (0, 2, 3, 1), v,
                ["conv", "tanh", "conv"], loss="mean_squared_error")


def torch_flat_autoencoder():
    """Conv1d(2, 3, 3, padding=1), ReLU, Flatten, Linear(24, 16): against the flattened input."""
    g = Graph(7, (2, 8))
    v = g.op("Conv", "input", g.weights(3, 2, 3), g.bias(3), dilations=[1], group=1,
             kernel_shape=[3], pads=[1, 1], strides=[1])
    v = g.op("Relu", v)
    v = g.op("Flatten", v, axis=1)
    v = g.op("Gemm", v, g.weights(16, 24), g.bias(16), alpha=1.0, beta=1.0, transB=1)
    return Case("torch_flat_autoencoder", g.model(v), (2, 8), (0, 2, 1), v,
                ["conv", "relu", "flatten", "dense"], loss="mean_squared_error")


def torch_binary():
    """Linear(9, 4), LeakyReLU, Linear(4, 3), Sigmoid, trained with BCELoss."""
    g = Graph(8, (9,))
    v = g.op("Gemm", "input", g.weights(4, 9), g.bias(4), alpha=1.0, beta=1.0, transB=1)
    v = g.op("LeakyRelu", v, alpha=0.01)
    logits = g.op("Gemm", v, g.weights(3, 4), g.bias(3), alpha=1.0, beta=1.0, transB=1)
    end = g.op("Sigmoid", logits)
    return Case("torch_binary", g.model(logits, end), (9,), None, logits,
                ["dense", "leaky_relu", "dense"], loss="binary_cross_entropy")


def torch_sigmoid_inside():
    """Linear(9, 4), Sigmoid, Linear(4, 9): --loss softmax_cross_entropy decides against MSE."""
    g = Graph(9, (9,))
    v = g.op("Gemm", "input", g.weights(4, 9), g.bias(4), alpha=1.0, beta=1.0, transB=1)
    v = g.op("Sigmoid", v)
    v = g.op("Gemm", v, g.weights(9, 4), g.bias(9), alpha=1.0, beta=1.0, transB=1)
    return Case("torch_sigmoid_inside", g.model(v), (9,), None, v,
                ["dense", "sigmoid", "dense"], ask_loss=True)


def torch_as_traced():
    """(x - mean) / deviation, Conv1d(3, 6, 3), ReLU, BatchNorm1d of both signs, MaxPool1d(2),
    Conv1d(6, 6, 3) and x.flatten(1), Linear: dynamo=True with optimize=False, whose constants are
    attributes, on a batch of 40; weights that two layers share are an Identity of one, as
    dynamo=False writes them."""
    g = Graph(14, (3, 20), opset=20, batch=40)
    statistics = [g.random.uniform(low, high, (3, 1)).astype(np.float32)
                  for low, high in ((-1, 1), (0.3, 2))]
    v = g.op("Sub", "input", g.constant(statistics[0]))
    v = g.op("Div", v, g.constant(statistics[1]))
    v = g.op("Conv", v, g.weights(6, 3, 3), g.bias(6), kernel_shape=[3])
    v = g.op("Relu", v)
    ones = g.constant(np.ones(6, np.float32))
    signs = g.constant(np.array([1, -1, 0.5, -2, 1, 1.5], np.float32))
    v = g.op("BatchNormalization", v, signs, g.bias(6), g.bias(6), g.op("Identity", ones),
             epsilon=1e-3)
    v = g.op("MaxPool", v, kernel_shape=[2], strides=[2])
    v = g.op("Conv", v, g.weights(6, 6, 3), ones, kernel_shape=[3])
    v = g.op("Relu", v)
    v = g.op("Reshape", v, g.op("Concat", g.op("Constant", value_ints=[40]),
                                g.op("Constant", value_ints=[42]), axis=0), allowzero=1)
    v = g.op("Gemm", v, g.weights(4, 42), g.bias(4), transB=1)
    return Case("torch_as_traced", g.model(v), (3, 20), (0, 2, 1), v,
                ["conv", "relu", "depthwise_conv", "max_pool", "conv", "relu", "flatten", "dense"])


def keras_global_max():
    """Conv2D(5, 3), ReLU, GlobalMaxPooling2D, Multiply by a number, Dense(3)."""
    g = Graph(15, (7, 6, 2), opset=15)
    v = g.op("Transpose", "input", perm=[0, 3, 1, 2])
    v = g.op("Conv", v, g.weights(5, 2, 3, 3), g.bias(5), kernel_shape=[3, 3])
    v = g.op("Relu", v)
    v = g.op("GlobalMaxPool", v)
    v = g.op("Squeeze", v, g.constant(np.array([2, 3], np.int64)))
    v = g.op("Mul", g.constant(np.float32(-0.7)), v)
    v = g.op("Sub", g.constant(g.random.uniform(-1, 1, 5).astype(np.float32)), v)
    v = g.op("MatMul", v, g.weights(5, 3))
    return Case("keras_global_max", g.model(v), (7, 6, 2), (0, 1, 2, 3), v,
                ["conv", "relu", "max_pool", "dense"])


def keras_mlp():
    """Dense(8, relu), Dropout, Dense(3, softmax): tf2onnx writes MatMul and Add."""
    g = Graph(10, (6,), opset=15)
    v = g.op("MatMul", "input", g.weights(6, 8))
    v = g.op("Add", v, g.bias(8))
    v = g.op("Relu", v)
    v = g.op("MatMul", v, g.weights(8, 3))
    logits = g.op("Add", v, g.bias(3))
    end = g.op("Softmax", logits)
    return Case("keras_mlp", g.model(logits, end), (6,), None, logits, ["dense", "relu", "dense"])


def keras_conv1d():
    """Conv1D(6, 4, strides=2, padding=same), BatchNormalization, ReLU, MaxPooling1D(2), Flatten,
    Dense(4, softmax): tf2onnx makes an image of the series and puts channels first."""
    g = Graph(11, (21, 3), opset=15)
    v = g.op("Unsqueeze", "input", g.constant(np.array([1], np.int64)))
    v = g.op("Transpose", v, perm=[0, 3, 1, 2])
    v = g.op("Conv", v, g.weights(6, 3, 1, 4), g.bias(6), auto_pad="SAME_UPPER",
             dilations=[1, 1], group=1, kernel_shape=[1, 4], strides=[1, 2])
    v = normalization(g, v, 6)
    v = g.op("Squeeze", v, g.constant(np.array([2], np.int64)))
    v = g.op("Relu", v)
    v = g.op("Unsqueeze", v, g.constant(np.array([2], np.int64)))
    v = g.op("MaxPool", v, auto_pad="VALID", kernel_shape=[1, 2], strides=[1, 2])
    v = g.op("Squeeze", v, g.constant(np.array([2], np.int64)))
    v = g.op("Transpose", v, perm=[0, 2, 1])
    v = g.op("Reshape", v, g.constant(np.array([-1, 30], np.int64)))
    v = g.op("MatMul", v, g.weights(30, 4))
    logits = g.op("Add", v, g.bias(4))
    end = g.op("Softmax", logits, axis=-1)
    return Case("keras_conv1d", g.model(logits, end), (21, 3), (0, 1, 2), logits,
                ["conv", "relu", "max_pool", "flatten", "dense"])


def keras_ds_cnn():
    """Conv2D(6, (4, 3), strides=2, padding=same, no bias), BatchNormalization, ReLU,
    DepthwiseConv2D(3, padding=same), BatchNormalization, ReLU, Conv2D(8, 1), ReLU,
    GlobalAveragePooling2D, Dense(5, softmax): a keyword net, NHWC."""
    g = Graph(12, (9, 8, 2), opset=13)
    v = g.op("Transpose", "input", perm=[0, 3, 1, 2])
    v = g.op("Conv", v, g.weights(6, 2, 4, 3), auto_pad="SAME_UPPER", dilations=[1, 1], group=1,
             kernel_shape=[4, 3], strides=[2, 2])
    v = normalization(g, v, 6)
    v = g.op("Relu", v)
    v = g.op("Conv", v, g.weights(6, 1, 3, 3), auto_pad="SAME_LOWER", dilations=[1, 1], group=6,
             kernel_shape=[3, 3], strides=[1, 1])
    v = normalization(g, v, 6)
    v = g.op("Relu", v)
    v = g.op("Conv", v, g.weights(8, 6, 1, 1), dilations=[1, 1], group=1, kernel_shape=[1, 1],
             strides=[1, 1], auto_pad="VALID")
    v = g.op("Add", v, g.constant(g.random.uniform(-0.3, 0.3, (1, 8, 1, 1)).astype(np.float32)))
    v = g.op("Relu", v)
    v = g.op("Transpose", v, perm=[0, 2, 3, 1])
    v = g.op("ReduceMean", v, axes=[1, 2], keepdims=0)
    v = g.op("MatMul", v, g.weights(8, 5))
    logits = g.op("Add", v, g.bias(5))
    end = g.op("Softmax", logits, axis=-1)
    return Case("keras_ds_cnn", g.model(logits, end), (9, 8, 2), (0, 1, 2, 3), logits,
                ["conv", "relu", "depthwise_conv", "relu", "conv", "relu",
                 "global_average_pool", "dense"])


def keras_cnn_flat():
    """Conv2D(4, 3), ReLU, AveragePooling2D(2), Flatten, Dense(3): Keras flattens [H, W, C]."""
    g = Graph(13, (8, 9, 1), opset=13)
    v = g.op("Reshape", "input", g.constant(np.array([-1, 1, 8, 9], np.int64)))
    v = g.op("Conv", v, g.weights(4, 1, 3, 3), g.bias(4), dilations=[1, 1], group=1,
             kernel_shape=[3, 3], pads=[0, 0, 0, 0], strides=[1, 1])
    v = g.op("Relu", v)
    v = g.op("AveragePool", v, auto_pad="VALID", kernel_shape=[2, 2], strides=[2, 2])
    v = g.op("Transpose", v, perm=[0, 2, 3, 1])
    v = g.op("Reshape", v, g.constant(np.array([-1, 36], np.int64)))
    v = g.op("MatMul", v, g.weights(36, 3))
    v = g.op("Add", v, g.bias(3))
    return Case("keras_cnn_flat", g.model(v), (8, 9, 1), (0, 1, 2, 3), v,
                ["conv", "relu", "average_pool", "flatten", "dense"])


def all_cases():
    return [make() for make in (
        torch_mlp, torch_cnn, torch_conv1d, torch_mean, torch_dense_autoencoder,
        torch_conv_autoencoder, torch_flat_autoencoder, torch_binary, torch_sigmoid_inside,
        torch_as_traced, keras_global_max, keras_mlp, keras_conv1d, keras_ds_cnn, keras_cnn_flat)]
