"""ONNX's own tests of operators as networks for the import of others' networks to be held against.

    apt-get download libonnx-testdata && dpkg -x libonnx-testdata*.deb DATA
    VENV/bin/python tests/onnx/node_tests.py DATA/usr/share/libonnx-testdata/data CASES/node
    cargo run --release -p convnet-tests --example onnx_imports -- CASES/node 1e-3
    VENV/bin/python tests/onnx/node_tests.py --table CASES/node

Each test has a model, what goes in and what comes out. The first value that goes in is the batch of images, and all others are what a
network has as weights or constants: they are made so. Where an operator works on each element, or on all that is behind the batch, the
value is looked at in a shape that networks have. Tests that have no such form are counted with the reason. 1e-3 is ONNX's own tolerance.
"""

import argparse
import collections
import json
import pathlib
import re

import numpy as np
import onnx
from onnx import numpy_helper

# These look at each element by itself, whatever its place is.
ELEMENTWISE = {
    "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Sigmoid", "Tanh", "Softplus", "HardSwish", "HardSigmoid", "Mish", "Gelu", "Clip", "Identity",
    "Erf", "Neg", "Dropout", "Swish", "ThresholdedRelu", "Softsign", "Shrink",
}


# These have one dimension as they have two: it is a map of one row.
WINDOWS = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "BatchNormalization", "InstanceNormalization", "PRelu", "GlobalAveragePool"}
ONE_DIMENSION = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0, "output_shape": 1}


def read(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def sized(array):
    """Whether a value is of a shape that a network can have: a batch of vectors or maps."""
    return array.ndim in (2, 4)


def widen(node):
    """Gives the windows of an operator a first dimension of one."""
    for attribute in node.attribute:
        values = list(attribute.ints)
        if attribute.name in ONE_DIMENSION:
            values = [ONE_DIMENSION[attribute.name]] + values
        elif attribute.name == "pads":
            values = [0, values[0], 0, values[1]]
        else:
            continue
        del attribute.ints[:]
        attribute.ints.extend(values)


def prepared(folder, out):
    """Writes a case; or says why there is none."""
    model = onnx.load(folder / "model.onnx")
    graph, data = model.graph, folder / "test_data_set_0"
    operators = [node.op_type for node in graph.node]
    # Older files list weights among what goes in.
    known = {tensor.name for tensor in graph.initializer}
    for value in [value for value in graph.input if value.name in known]:
        graph.input.remove(value)
    kinds = {value.type.WhichOneof("value") for value in list(graph.input) + list(graph.output)}
    if kinds != {"tensor_type"}:
        return operators, "values that are no tensors"
    inputs = [read(data / f"input_{i}.pb") for i in range(len(graph.input))]
    outputs = [read(data / f"output_{i}.pb") for i in range(len(graph.output))]
    if not inputs:
        return operators, "nothing goes in"
    if inputs[0].dtype != np.float32 or outputs[0].dtype != np.float32:
        return operators, f"{inputs[0].dtype} to {outputs[0].dtype}"
    first, output = inputs[0], outputs[0]
    if set(operators) <= ELEMENTWISE and first.shape == output.shape and not sized(first) and first.size:
        # As one vector.
        first = first.reshape(1, -1)
        output = output.reshape(1, -1)
        graph.input[0].type.tensor_type.shape.ClearField("dim")
        for size in first.shape:
            graph.input[0].type.tensor_type.shape.dim.add().dim_value = size
    if set(operators) <= WINDOWS and first.ndim == 3 and output.ndim == 3:
        first, output = first[:, :, None], output[:, :, None]
        graph.input[0].type.tensor_type.shape.dim.insert(2, onnx.TensorShapeProto.Dimension(dim_value=1))
        inputs = [first] + [array[:, :, None] if array.ndim == 3 else array for array in inputs[1:]]
        for tensor in graph.initializer:
            if len(tensor.dims) == 3:
                tensor.dims.insert(2, 1)
        for node in graph.node:
            widen(node)
    if not sized(first):
        return operators, f"a value of {first.ndim} dimensions"
    # Some networks have two inputs of the same kind, which are sums of a value with a constant here.
    for value, array in list(zip(graph.input, inputs))[1:]:
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), value.name))
    while len(graph.input) > 1:
        graph.input.pop()
    while len(graph.output) > 1:
        graph.output.pop()
    np.ascontiguousarray(first).tofile(out / f"{folder.name}.input")
    np.ascontiguousarray(output).tofile(out / f"{folder.name}.output")
    onnx.save(model, out / f"{folder.name}.onnx")
    return operators, None


def prepare(data, out):
    out.mkdir(parents=True, exist_ok=True)
    about = {}
    for kind in ["node", "pytorch-converted", "pytorch-operator", "simple"]:
        for folder in sorted((data / kind).iterdir()):
            try:
                operators, reason = prepared(folder, out)
            except Exception as problem:  # noqa: BLE001: whatever it says is the reason
                operators, reason = [], f"unreadable: {problem}"
            about[folder.name] = {"kind": kind, "operators": operators, "reason": reason}
    (out / "about.json").write_text(json.dumps(about, indent=1))
    ready = sum(case["reason"] is None for case in about.values())
    print(f"{len(about)} tests, {ready} of them networks")


# Why a test is no network of the language: the first of these that is found in its name or in what the import says.
WHY = [
    ("losses", r"nllloss|sce_|NLLL"),
    ("other rules of resizing", r"^test_(resize|upsample)"),
    ("functions written out in small steps", r"_expanded"),
    ("training", r"it is that of training"),
    ("elements by their place, other shapes", r"Gather|Scatter|TopK|OneHot|Compress|Unique|Expand|Tile|Split|Reverse|GridSample|RoiAlign|MaxUnpool|Concat|"
     r"Squeeze|Unsqueeze|SpaceToDepth"),
    ("other dimensions", r"normalises from|flattens from|over dimension|over the dimensions"),
    ("padding or gaps that pools do not have", r"dilations|padding \["),
    ("other functions", r"clips to|alpha|Celu|Shrink|Threshold|Softsign|Hardmax|Erf|slopes|ReduceSum|Sqrt|Exp|Pow|Max|Min|DFT|Det|MeanVariance|Scan"),
    ("matrices that are no layer's", r"Gemm|MatMul|Mul|Add"),
]


def why(name, reason):
    return next((kind for kind, pattern in WHY if re.search(pattern, name) or re.search(pattern, reason)), "others")


def table(out):
    about = json.loads((out / "about.json").read_text())
    found = {case["name"]: case for case in json.loads((out / "imports.json").read_text())}
    rows = collections.defaultdict(collections.Counter)
    reasons = collections.Counter()
    for name, case in about.items():
        operators = [operator for operator in case["operators"] if operator != "Constant"]
        operator = operators[0] if len(set(operators)) == 1 else "several operators"
        result = found.get(name)
        if result is None:
            rows[operator]["no network"] += 1
            reasons[case["reason"]] += 1
        elif "reason" in result:
            rows[operator]["not said"] += 1
            reasons[why(name, result["reason"])] += 1
        else:
            rows[operator]["agree" if result["agrees"] else "WRONG"] += 1
    print("| operator | agree | wrong | not in the language | no network |\n|---|---:|---:|---:|---:|")
    for operator, row in sorted(rows.items(), key=lambda row: (-row[1]["agree"], row[0])):
        if row["agree"] or row["WRONG"] or row["not said"]:
            print(f"| {operator} | {row['agree']} | {row['WRONG']} | {row['not said']} | {row['no network']} |")
    total = sum(rows.values(), collections.Counter())
    print(f"| all | {total['agree']} | {total['WRONG']} | {total['not said']} | {total['no network']} |\n")
    for reason, count in reasons.most_common():
        print(f"{count:4d}  {reason}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="the results as a table, when the cases were run")
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path, nargs="?")
    arguments = parser.parse_args()
    table(arguments.data) if arguments.table else prepare(arguments.data, arguments.out)


if __name__ == "__main__":
    main()
