"""Writes keras_*.onnx beside this file: small networks as Keras' own exporter and tf2onnx write them.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 tf2onnx==1.17.0 onnx==1.23.2 && python make_keras.py [FOLDER]

Not run in CI, where TensorFlow is too large. README.md lists what made each file.
"""

import os
import pathlib
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from keras import layers


def mlp():
    return (64,), [layers.Dense(32, activation="relu"), layers.Dropout(0.2),
                   layers.Dense(10, activation="softmax")]


def cnn1d():
    return (36, 3), [
        layers.Conv1D(8, 5, strides=2, padding="same"), layers.BatchNormalization(), layers.ReLU(),
        layers.MaxPooling1D(2), layers.Conv1D(8, 4, padding="same", activation="relu"),
        layers.AveragePooling1D(2), layers.Flatten(), layers.Dense(6, activation="softmax")]


def separable1d():
    return (24, 3), [
        layers.Conv1D(6, 3, activation="tanh"), layers.SeparableConv1D(8, 3, padding="same"),
        layers.LeakyReLU(negative_slope=0.1), layers.GlobalAveragePooling1D(), layers.Dense(4)]


def ds_cnn():
    return (16, 10, 1), [
        layers.Conv2D(8, (5, 3), strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(), layers.ReLU(),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False), layers.BatchNormalization(),
        layers.ReLU(), layers.Conv2D(12, 1), layers.BatchNormalization(), layers.ReLU(),
        layers.SeparableConv2D(12, 3, strides=2, padding="same", activation="relu"),
        layers.GlobalAveragePooling2D(), layers.Dense(6, activation="softmax")]


def flat2d():
    return (9, 8, 2), [
        layers.ZeroPadding2D(((1, 0), (2, 1))), layers.Conv2D(5, 3, strides=2),
        layers.LeakyReLU(negative_slope=0.2), layers.MaxPooling2D((2, 1)), layers.Flatten(),
        layers.Dense(4)]


def normalized():
    """Of the features, behind an activation, between Dense and its activation."""
    return (12,), [
        layers.BatchNormalization(), layers.Dense(10, activation="relu"),
        layers.BatchNormalization(), layers.Dense(8, use_bias=False), layers.BatchNormalization(),
        layers.Activation("sigmoid"), layers.Dense(3, activation="softmax")]


def normalized_image():
    return (10, 8, 1), [
        layers.Rescaling(1 / 2.0), layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(), layers.AveragePooling2D(2), layers.Conv2D(6, 2),
        layers.ReLU(), layers.BatchNormalization(), layers.Flatten(), layers.Dense(4)]


def reshaped():
    return (48,), [
        layers.Reshape((16, 3)), layers.Conv1D(6, 3, activation="relu"),
        layers.GlobalAveragePooling1D(), layers.Dense(4, activation="softmax")]


def autoencoder():
    return (16,), [layers.Dense(8, activation="tanh"), layers.Dense(4, activation="tanh"),
                   layers.Dense(8, activation="tanh"), layers.Dense(16, activation="sigmoid")]


def conv_autoencoder():
    return (12, 2), [layers.Conv1D(4, 3, padding="same", activation="sigmoid"),
                     layers.Conv1D(2, 3, padding="same")]


def causal():
    """Padded on the left only; a padded convolution behind a normalised activation."""
    return (20, 2), [
        layers.Conv1D(4, 4, padding="causal", activation="relu"), layers.BatchNormalization(),
        layers.Conv1D(4, 3, strides=2, padding="same"), layers.ReLU(),
        layers.GlobalAveragePooling1D(keepdims=True), layers.Flatten(), layers.Dense(3)]


def binary():
    return (9,), [layers.Dense(5), layers.LeakyReLU(negative_slope=0.01),
                  layers.Dense(2, activation="sigmoid")]


# (network, opset of tf2onnx, or None for Keras' model.export(format="onnx"); open batch?)
EXPORTS = [
    (mlp, None, True), (cnn1d, 17, False), (cnn1d, None, True), (separable1d, 13, True),
    (ds_cnn, 18, False), (flat2d, 17, True), (normalized, 17, True),
    (normalized_image, None, True), (reshaped, 15, True), (autoencoder, None, True),
    (conv_autoencoder, 18, True), (causal, None, True), (binary, 15, False),
]


def randomize(model):
    """Biases and statistics as after training, not 0 and 1."""
    random = np.random.default_rng(1)
    for layer in model.layers:
        values = layer.get_weights()
        if isinstance(layer, layers.BatchNormalization):
            low = (0.5, -0.5, -0.5, 0.3)  # gamma, beta, mean, variance
            high = (1.5, 0.5, 0.5, 2)
            values = [random.uniform(a, b, v.shape) for a, b, v in zip(low, high, values)]
        else:
            values = [random.uniform(-0.3, 0.3, v.shape) if v.ndim == 1 else v for v in values]
        layer.set_weights(values)


def export(folder, network, opset, open_batch):
    keras.utils.set_random_seed(1)
    keras.backend.clear_session()
    shape, stack = network()
    model = keras.Sequential(
        [keras.Input(shape, batch_size=None if open_batch else 1, name="x"), *stack],
        name=network.__name__)
    randomize(model)
    kind = f"tf2onnx_{opset}" if opset else "export"
    path = folder / f"keras_{network.__name__}_{kind}{'' if open_batch else '_batch1'}.onnx"
    if opset is None:
        model(np.zeros((1, *shape), np.float32))  # Only what was called can be exported.
        model.export(str(path), format="onnx", verbose=False)
        return
    # tf2onnx.convert.from_keras() reads attributes that Keras 3 has no more.
    signature = tf.TensorSpec((None if open_batch else 1, *shape), tf.float32, name="x")
    tf2onnx.convert.from_function(tf.function(model, input_signature=[signature]),
                                  input_signature=[signature], opset=opset,
                                  output_path=str(path))


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for arguments in EXPORTS:
        export(folder, *arguments)


if __name__ == "__main__":
    main()
