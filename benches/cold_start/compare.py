"""How long programs take from their start to their end, with an answer in between: `compare.py DIGITS... [--ort ORT-DIGITS]`, builds of the
example `digits` and of the crate `ort` beside this file (`ORT_DYLIB_PATH` names its library), beside Python with ONNX Runtime. Wall time of
whole processes, in turns, median and minimum, and the median of their CPU time. Needs `pip install onnxruntime onnx numpy pillow`."""

import argparse
import json
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "runtime/examples/digits"
ROUNDS = 40


def weights():
    data = (EXAMPLE / "lenet5.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__")
    for name, info in header.items():
        start, end = (8 + length + offset for offset in info["data_offsets"])
        yield numpy_helper.from_array(numpy.frombuffer(data[start:end], numpy.float32).reshape(info["shape"]), name)


def export(path):
    nodes, value = [], "image"

    def add(op, *more, **attributes):
        nonlocal value
        nodes.append(helper.make_node(op, [value, *more], [f"v{len(nodes)}"], **attributes))
        value = f"v{len(nodes) - 1}"

    for conv, pad in [("conv1", 2), ("conv2", 0)]:
        add("Conv", f"{conv}.weight", f"{conv}.bias", pads=[pad] * 4)
        add("Relu")
        add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    add("Flatten")
    for linear in ["fc1", "fc2", "fc3"]:
        add("Gemm", f"{linear}.weight", f"{linear}.bias", transB=1)
        if linear != "fc3":
            add("Relu")
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 28, 28])
    logits = helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph(nodes, "lenet5", [image], [logits], list(weights()))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("digits", nargs="+")
    parser.add_argument("--ort", nargs="*", default=[])
    options = parser.parse_args()
    image = str(EXAMPLE / "three.png")
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/lenet5.onnx"
        export(model)
        commands = {program: [program, image] for program in options.digits}
        commands |= {program: [program, model, image] for program in options.ort}
        commands["Python, ONNX Runtime"] = [sys.executable, str(HERE / "ort.py"), model, image]
        commands["Python, nothing"] = [sys.executable, "-c", "pass"]
        times = {name: [] for name in commands}
        cpu = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
                answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                times[name].append((time.perf_counter() - start) * 1000)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu[name].append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
                assert name == "Python, nothing" or " 3 (" in answer, answer
        for name, found in times.items():
            size = Path(name).stat().st_size if Path(name).is_file() else 0
            print(f"{name}: median {statistics.median(found):.2f} ms, least {min(found):.2f} ms, CPU {statistics.median(cpu[name]):.2f} ms, {size:,} bytes")


if __name__ == "__main__":
    main()
