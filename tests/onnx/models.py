"""Exports torchvision's models by both exporters of PyTorch, for the import of others' networks to be held against.

    python3 -m venv VENV && VENV/bin/pip install -r tests/onnx/requirements-torch.txt
    VENV/bin/python tests/onnx/models.py CASES/models
    cargo run --release -p convnet-tests --example onnx_imports -- CASES/models

Weights are random, those of batch normalisations not trivial; what the network gives is computed in double precision.
"""

import argparse
import pathlib

import torch
import torchvision

NAMES = """
alexnet vgg11_bn googlenet resnet18 resnet50 squeezenet1_0 squeezenet1_1 densenet121 mobilenet_v2
inception_v3 mobilenet_v3_large efficientnet_b0 efficientnet_v2_s regnet_x_400mf regnet_y_400mf mnasnet1_0 resnext50_32x4d
convnext_tiny shufflenet_v2_x1_0
""".split()


def built(name):
    torch.manual_seed(0)
    more = {"init_weights": False} if name in ["googlenet", "inception_v3"] else {}
    model = getattr(torchvision.models, name)(weights=None, **more)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=NAMES)
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    names = {"input_names": ["input"], "output_names": ["output"]}
    for name in arguments.names:
        side = 299 if name == "inception_v3" else 224
        model, images = built(name), torch.randn(2, 3, side, side)
        with torch.no_grad():
            output = model.double()(images.double()).float()
        model.float()
        images.numpy().tofile(folder / f"{name}.input")
        output.numpy().tofile(folder / f"{name}.output")
        axes = {"input": {0: "batch"}, "output": {0: "batch"}}
        torch.onnx.export(model, (images,), str(folder / f"{name}.torchscript.onnx"), dynamo=False, dynamic_axes=axes, **names)
        shapes = ({0: torch.export.Dim("batch")},)
        file = str(folder / f"{name}.dynamo.onnx")
        torch.onnx.export(model, (images,), file, dynamo=True, dynamic_shapes=shapes, external_data=False, **names)


if __name__ == "__main__":
    main()
