"""ONNX's light models, networks of 2012 to 2017 as Caffe and others exported them, for the import of others' networks to be held against.

    VENV/bin/python tests/onnx/light.py CASES/light
    cargo run --release -p convnet-tests --example onnx_imports -- CASES/light

The package `onnx` has them without weights: each is a node that makes a constant. They get random ones here, in the file as weights are, and
ONNX Runtime says what comes out.
"""

import argparse
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def weights(name, shape, rng):
    """Weights with which a network neither dies nor explodes."""
    if len(shape) > 1:
        return rng.standard_normal(shape, np.float32) * np.sqrt(2 / np.prod(shape[1:])).astype(np.float32)
    return rng.uniform(0.5, 1.5, shape).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    light = pathlib.Path(onnx.__file__).parent / "backend/test/data/light"
    for path in sorted(light.glob("*.onnx")):
        rng = np.random.default_rng(0)
        model = onnx.load(path)
        graph = model.graph
        shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        for node in [node for node in graph.node if node.op_type == "ConstantOfShape"]:
            shape = shapes[node.input[0]].tolist()
            graph.initializer.append(numpy_helper.from_array(weights(node.output[0], shape, rng), node.output[0]))
            graph.node.remove(node)
        # The end of a classifier hides all differences but those of the largest.
        last = graph.node[-1]
        if last.op_type == "Softmax":
            graph.output[0].name = last.input[0]
            graph.node.remove(last)
            graph.output[0].type.tensor_type.ClearField("shape")
        name = path.stem.removeprefix("light_")
        onnx.save(model, folder / f"{name}.onnx")
        names = {tensor.name for tensor in graph.initializer}
        given = next(value for value in graph.input if value.name not in names)
        images = rng.standard_normal([dim.dim_value for dim in given.type.tensor_type.shape.dim], np.float32)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"])
        output = session.run(None, {given.name: images})[0]
        images.tofile(folder / f"{name}.input")
        output.tofile(folder / f"{name}.output")
        print(name, output.shape, float(np.abs(output).max()))


if __name__ == "__main__":
    main()
