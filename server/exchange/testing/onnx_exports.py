"""The files in exports/, which PyTorch's and Keras' own exporters wrote, as cases of the import."""

import pathlib

import onnx
from onnx_models import Case

FOLDER = pathlib.Path(__file__).parent / "exports"
SERIES = (0, 2, 1)  # [N, C, W] → [N, W, C]
IMAGE = (0, 2, 3, 1)  # [N, C, H, W] → [N, H, W, C]
SERIES_LAST = (0, 1, 2)
IMAGE_LAST = (0, 1, 2, 3)
MSE, BCE = "mean_squared_error", "binary_cross_entropy"

# Network → how its samples become ours, the layers it must become, its loss.
NETWORKS = {
    "torch_mlp": (None, "dense relu dense"),
    "torch_cnn1d": (SERIES, "conv relu max_pool conv relu flatten dense"),
    "torch_same_even": (SERIES, "conv tanh conv leaky_relu global_average_pool dense"),
    "torch_ds_cnn": (IMAGE, "conv relu depthwise_conv relu conv relu global_average_pool dense"),
    "torch_view": (IMAGE, "conv leaky_relu average_pool flatten dense"),
    "torch_series_last": (SERIES_LAST,
                          "conv relu depthwise_conv relu global_average_pool dense"),
    "torch_normalized": (None, "dense relu dense tanh dense"),
    "torch_normalized_image": (IMAGE, "conv relu max_pool conv relu flatten dense"),
    # What a padded convolution or an activation cannot take becomes a layer of its own.
    "torch_padded": (SERIES, "depthwise_conv conv relu depthwise_conv depthwise_conv relu "
                             "depthwise_conv sigmoid flatten dense"),
    "torch_autoencoder": (None, "dense tanh dense tanh dense tanh dense sigmoid", MSE),
    "torch_conv_autoencoder": (SERIES, "conv sigmoid conv", MSE),
    "torch_binary": (SERIES_LAST, "conv relu flatten dense", BCE),
    "keras_mlp": (None, "dense relu dense"),
    "keras_cnn1d": (SERIES_LAST, "conv relu max_pool conv relu average_pool flatten dense"),
    "keras_separable1d": (SERIES_LAST, "conv tanh depthwise_conv conv leaky_relu "
                                       "global_average_pool dense"),
    "keras_ds_cnn": (IMAGE_LAST, "conv relu depthwise_conv relu conv relu depthwise_conv conv "
                                 "relu global_average_pool dense"),
    "keras_flat2d": (IMAGE_LAST, "conv leaky_relu max_pool flatten dense"),
    "keras_normalized": (None, "dense relu dense sigmoid dense"),
    "keras_normalized_image": (IMAGE_LAST, "conv relu average_pool conv relu flatten dense"),
    "keras_reshaped": (SERIES_LAST, "conv relu global_average_pool dense"),
    "keras_causal": (SERIES_LAST, "conv relu depthwise_conv conv relu global_average_pool dense"),
    "keras_autoencoder": (None, "dense tanh dense tanh dense tanh dense sigmoid", MSE),
    "keras_conv_autoencoder": (SERIES_LAST, "conv sigmoid conv", MSE),
    "keras_binary": (None, "dense leaky_relu dense", BCE),
}
# Samples that the networks themselves cut into channels: [N, values] → [N, 1, W, C].
RESHAPED = {"torch_binary": (16, 1), "keras_reshaped": (16, 3)}
EXPORTERS = ("_torchscript", "_dynamo", "_tf2onnx", "_export")


def network_of(path):
    return min((path.stem.split(exporter)[0] for exporter in EXPORTERS), key=len)


def logits_of(graph, loss):
    """What comes before the part of the loss at the end, which is no layer of ours."""
    last = graph.node[-1]
    is_loss = last.op_type in ("Softmax", "LogSoftmax") or (
        last.op_type == "Sigmoid" and loss == BCE)
    return last.input[0] if is_loss else graph.output[0].name


def case_of(path):
    network = network_of(path)
    to_ours, kinds, *rest = NETWORKS[network]
    loss = rest[0] if rest else "softmax_cross_entropy"
    content = path.read_bytes()
    model = onnx.load_from_string(content)
    batch, *shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    output = logits_of(model.graph, loss)
    if output != model.graph.output[0].name:
        value = onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
        model.graph.output.append(value)
    return Case(path.stem, model, tuple(shape), to_ours, output, kinds.split(), loss,
                content=content, ours=RESHAPED.get(network))


def all_cases():
    cases = [case_of(path) for path in sorted(FOLDER.glob("*.onnx"))]
    assert {network_of(FOLDER / case.name) for case in cases} == set(NETWORKS)
    return cases
