"""The same answer by ONNX Runtime: `ort.py MODEL.onnx IMAGE`."""

import sys

import numpy
import onnxruntime
from PIL import Image

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 2
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
pixels = numpy.asarray(Image.open(sys.argv[2]), numpy.float32)[None, None] / 255
logits = session.run(None, {"image": (pixels - 0.13066047) / 0.3081078})[0][0]
shares = numpy.exp(logits - logits.max())
shares /= shares.sum()
print(f"{sys.argv[2]}: {shares.argmax()} ({shares.max() * 100:.1f} %)")
