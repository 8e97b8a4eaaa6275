"""A small network as PyTorch's exporters write it, for the test `runtime/tests/onnx_import.rs`.

    VENV/bin/python tests/onnx/small.py runtime/tests/golden/imports

It has what the import looks for: modules of one form with other numbers, shortcuts that some of them have, branches, a gate, activations that
exporters write in several operators, a flatten by `view`. Each file has its input and output beside it, computed in double precision.
"""

import argparse
import pathlib
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn


class BasicBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return torch.relu(out + (x if self.downsample is None else self.downsample(x)))


class Inception(nn.Module):
    def __init__(self, channels, ones, reduced, threes):
        super().__init__()
        self.branch1 = nn.Conv2d(channels, ones, 1)
        self.branch2 = nn.Sequential(nn.Conv2d(channels, reduced, 1), nn.SiLU(), nn.Conv2d(reduced, threes, 3, padding=1))

    def forward(self, x):
        return nn.functional.gelu(torch.cat([self.branch1(x), self.branch2(x)], 1))


class Excite(nn.Module):
    def __init__(self, channels, reduction):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x):
        gate = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(gate))))


class Attend(nn.Module):
    """A factor for each channel by other activations, and one for each element."""

    def __init__(self, channels, narrow):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, narrow, 1)
        self.expand = nn.Conv2d(narrow, channels, 1)
        self.mask = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        gate = self.expand(nn.functional.silu(self.squeeze(x.mean((2, 3), keepdim=True))))
        x = x * nn.functional.hardsigmoid(gate)
        return self.mask(x).sigmoid() * x


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU6())
        self.layer1 = nn.Sequential(BasicBlock(4, 4, 1), BasicBlock(4, 4, 1), BasicBlock(4, 4, 1))
        self.layer2 = nn.Sequential(BasicBlock(4, 8, 2), BasicBlock(8, 8, 1))
        self.mixed_a = Inception(8, 4, 2, 8)
        self.mixed_b = Inception(12, 6, 3, 10)
        self.excite = Excite(16, 4)
        self.attend = Attend(16, 6)
        self.norm = nn.GroupNorm(4, 16)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.stem(x), 3, 2, 1)
        x = self.mixed_b(self.mixed_a(self.layer2(self.layer1(x))))
        x = nn.functional.hardswish(self.norm(self.attend(self.excite(x))))
        x = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.fc(self.dropout(x.view(x.size(0), -1)))


def softsign():
    """An operator that the language has no word for."""
    shape = ["batch", 4, 8, 8]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ["input", "output"]]
    nodes = [
        helper.make_node("Conv", ["input", "conv.weight"], ["numbers"], "conv"),
        helper.make_node("Softsign", ["numbers"], ["output"], "act"),
    ]
    weight = numpy_helper.from_array(np.ones([4, 4, 1, 1], np.float32), "conv.weight")
    return helper.make_model(helper.make_graph(nodes, "softsign", ends[:1], ends[1:], [weight]), opset_imports=[helper.make_opsetid("", 18)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    onnx.save(softsign(), folder / "softsign.onnx")
    torch.manual_seed(0)
    model, images = Small(), torch.randn(2, 3, 16, 16)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    model.eval()
    with torch.no_grad():
        output = model.double()(images.double()).float()
    model.float()
    images.numpy().tofile(folder / "small.input")
    output.numpy().tofile(folder / "small.output")
    names = {"input_names": ["input"], "output_names": ["output"]}
    axes = {"input": {0: "batch"}, "output": {0: "batch"}}
    torch.onnx.export(model, (images,), str(folder / "small.torchscript.onnx"), dynamo=False, dynamic_axes=axes, **names)
    torch.onnx.export(
        model,
        (images,),
        str(folder / "small.whole.onnx"),
        dynamo=False,
        dynamic_axes=axes,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        opset_version=13,
        **names,
    )
    shapes = ({0: torch.export.Dim("batch")},)
    file = str(folder / "small.dynamo.onnx")
    torch.onnx.export(model, (images,), file, dynamo=True, dynamic_shapes=shapes, external_data=False, **names)


if __name__ == "__main__":
    main()
