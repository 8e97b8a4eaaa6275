"""Five mistakes about shapes in Keras, on its PyTorch backend: what it says, and when.

    python benches/peers/frameworks/mistakes_keras.py
"""

import os
import platform

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy
from keras import layers


def lenet(kernel=5, classes=10):
    return keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(6, 5, padding="same", activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, kernel, activation="relu"), layers.MaxPooling2D(2),
        layers.Flatten(), layers.Dense(120, activation="relu"), layers.Dense(classes),
    ])


def functional(merge):
    x = keras.Input((28, 28, 1))
    return keras.Model(x, layers.Dense(10)(layers.Flatten()(merge(x))))


# Dense layers are not told their inputs, so one mistake less can be made.
MISTAKES = {
    "a kernel larger than its map": lambda: lenet(kernel=17),
    "a residual without padding": lambda: functional(lambda x: layers.Add()([x, layers.Conv2D(1, 3)(x)])),
    "branches of different size": lambda: functional(
        lambda x: layers.Concatenate()([layers.Conv2D(8, 1)(x), layers.Conv2D(8, 3)(x)])),
    "too few classes": lambda: lenet(classes=5),
    "too many classes": lambda: lenet(classes=12),
}


def attempt(make):
    """The step that fails, with what it says."""
    step = "construction"
    try:
        network = make()
        step = "first training step"
        network.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        network.fit(numpy.random.rand(16, 28, 28, 1), numpy.arange(16) % 10, verbose=0)
    except Exception as error:
        return step, f"{type(error).__name__}: {error}"
    return "never", "(nothing)"


if __name__ == "__main__":
    print(f"Keras {keras.__version__} on {keras.backend.backend()}, Python {platform.python_version()}")
    for name, make in MISTAKES.items():
        print(f"\n{name}: %s\n%s" % attempt(make))
