"""The small network of "Coming from Keras", trained for some epochs on made-up images, on its PyTorch backend.

    python benches/peers/frameworks/training_keras.py
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy

# ANCHOR: network
import keras
from keras import layers

net = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv"),
    layers.BatchNormalization(name="bn"),
    layers.ReLU(),
    layers.MaxPooling2D(2),
    layers.Flatten(),
    layers.Dense(10, name="fc"),
])
# ANCHOR_END: network


def made_up():
    """Images with their classes: bright rows, by the class."""
    classes = numpy.arange(640) % 10
    rows = numpy.arange(28) // 2
    images = numpy.repeat((rows == classes[:, None]).astype("float32")[:, :, None], 28, axis=2)[..., None]
    return images, classes


images, classes = made_up()
# ANCHOR: loop
net.compile(
    optimizer=keras.optimizers.SGD(learning_rate=0.05, momentum=0.9),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
net.fit(images, classes, batch_size=32, epochs=2, verbose=2)
# ANCHOR_END: loop
