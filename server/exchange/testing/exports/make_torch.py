"""Writes torch_*.onnx beside this file: small networks as PyTorch's own exporters write them.

    pip install torch==2.9.1 onnx onnxscript && python make_torch.py [FOLDER]

Not run in CI, where PyTorch is too large. README.md lists what made each file.
"""

import pathlib
import sys

import torch
from torch import nn
from torch.nn import functional


class Lambda(nn.Module):
    """What people write between modules."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def mlp():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), (64,)


def cnn1d():
    return nn.Sequential(
        nn.Conv1d(3, 8, 5, stride=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(8, 8, 3, padding="same", bias=False), nn.BatchNorm1d(8), nn.ReLU(),
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(64, 6), nn.LogSoftmax(dim=1)), (3, 36)


def same_even():
    """A kernel of even extent, padded more on one side."""
    return nn.Sequential(
        nn.Conv1d(2, 6, 4, padding="same"), nn.Tanh(), nn.ZeroPad1d((2, 1)), nn.Conv1d(6, 4, 4),
        nn.LeakyReLU(0.1), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3)), (2, 19)


def ds_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 8, (5, 3), stride=(2, 2), padding=(2, 1)), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 6), nn.Softmax(dim=-1)), (1, 16, 10)


def view():
    """The batch's extent computed from the value: x.view(x.size(0), -1)."""
    return nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.LeakyReLU(0.05), nn.AvgPool2d(2),
        Lambda(lambda x: x.view(x.size(0), -1)), nn.Linear(72, 4)), (2, 10, 8)


def series_last():
    """Channels last, as recorded: x.transpose(1, 2) before the first layer, a mean at the end."""
    return nn.Sequential(
        Lambda(lambda x: x.transpose(1, 2)), nn.Conv1d(3, 6, 3, stride=2), nn.ReLU(),
        nn.Conv1d(6, 6, 3, groups=6), nn.ReLU(), Lambda(lambda x: x.mean(dim=2)),
        nn.Linear(6, 5)), (20, 3)


def normalized():
    """Batch normalisation of the features, and behind the activations."""
    return nn.Sequential(
        nn.BatchNorm1d(12), nn.Linear(12, 10), nn.ReLU(), nn.BatchNorm1d(10),
        nn.Linear(10, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 3)), (12,)


def normalized_image():
    """ReLU, BatchNorm2d, pool, convolution; ReLU, BatchNorm2d, Flatten, Linear."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(4), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3), nn.ReLU(), nn.BatchNorm2d(6), Lambda(lambda x: torch.flatten(x, 1)),
        nn.Linear(36, 4)), (1, 10, 8)


def padded():
    """A padded convolution, an activation and a pool that a normalised value comes to; the
    values of a sample counted by the network."""
    return nn.Sequential(
        nn.BatchNorm1d(2), nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), nn.BatchNorm1d(4),
        nn.Conv1d(4, 4, 3, padding=1, groups=4), nn.ReLU(), nn.BatchNorm1d(4), nn.Sigmoid(),
        Lambda(lambda x: x.view(x.size(0), x.size(1) * x.size(2))), nn.Linear(40, 3)), (2, 10)


def autoencoder():
    return nn.Sequential(
        nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 8), nn.Tanh(),
        nn.Linear(8, 16), nn.Sigmoid()), (16,)


def conv_autoencoder():
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, padding=1), nn.Sigmoid(), nn.Conv1d(4, 2, 3, padding=1)), (2, 12)


def binary():
    return nn.Sequential(
        Lambda(lambda x: x.unsqueeze(1)), nn.Conv1d(1, 4, 5, stride=3), nn.ReLU(),
        Lambda(lambda x: x.reshape(x.shape[0], -1)), Lambda(lambda x: functional.dropout(x, 0.5, training=False)),
        nn.Linear(16, 3), nn.Sigmoid()), (16,)


# (network, TorchScript-based exporter?, opset or None for its default, open batch?)
EXPORTS = [
    (mlp, True, 13, True), (mlp, False, None, False),
    (cnn1d, True, 17, False), (cnn1d, False, 18, True),
    (same_even, True, 17, True), (same_even, False, None, True),
    (ds_cnn, True, 11, False), (ds_cnn, True, 18, True), (ds_cnn, False, 20, True),
    (view, True, 13, True), (view, False, None, True),
    (series_last, True, 17, True), (series_last, False, None, True),
    (normalized, True, 17, True), (normalized, False, None, True),
    (normalized_image, True, 17, True),
    (padded, True, 15, True),
    (autoencoder, True, 17, True),
    (conv_autoencoder, True, 17, True), (conv_autoencoder, False, None, True),
    (binary, True, 17, True), (binary, False, None, True),
]


def randomize(model):
    """Statistics as after training, not 0 and 1."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.3, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)


def export(folder, network, torchscript, opset, open_batch):
    torch.manual_seed(1)
    model, shape = network()
    with torch.no_grad():
        randomize(model)
    model.eval()
    kind = "torchscript" if torchscript else "dynamo"
    name = (f"torch_{network.__name__}_{kind}" + (f"_{opset}" if opset else "")
            + ("" if open_batch else "_batch1"))
    sample = torch.zeros(2 if open_batch and not torchscript else 1, *shape)
    options = {"opset_version": opset, "input_names": ["x"], "output_names": ["y"]}
    if torchscript:
        options |= {"dynamo": False}
        if open_batch:
            options |= {"dynamic_axes": {"x": {0: "batch"}, "y": {0: "batch"}}}
    else:
        options |= {"dynamo": True, "external_data": False}
        if open_batch:
            options |= {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
    torch.onnx.export(model, (sample,), str(folder / f"{name}.onnx"), **options)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for arguments in EXPORTS:
        export(folder, *arguments)


if __name__ == "__main__":
    main()
