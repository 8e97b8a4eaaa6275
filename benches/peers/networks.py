"""The networks that are compared, in PyTorch: LeNet-5 and ResNet-20 written here, all others from torchvision.

As a program it exports one of them to an ONNX file, in a process of its own, so that a process that times another peer
never holds PyTorch.
"""

import argparse
import pathlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALL = {"lenet5": (1, 28, 28), "resnet20": (3, 32, 32)}


class LeNet5(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class PlainBlock(nn.Module):
    """Two convolutions and a shortcut without parameters: every other pixel, and zeros for the new channels."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.stride, self.new = stride, (out - channels) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride != 1:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new, self.new))
        return F.relu(x + y)


class ResNet20(nn.Module):
    """He et al., 2015, section 4.2, with shortcuts of option A."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        stages = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        self.blocks = nn.Sequential(
            *(
                PlainBlock(out if i else channels, out, 1 if i else stride)
                for channels, out, stride in stages
                for i in range(3)
            )
        )
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn1(self.conv1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


def build(model: str) -> nn.Module:
    """A network with the weights that PyTorch initialises it with; no auxiliary heads."""
    if model == "lenet5":
        return LeNet5()
    if model == "resnet20":
        return ResNet20()
    import torchvision

    if model == "googlenet":
        return torchvision.models.googlenet(aux_logits=False, init_weights=False)
    return torchvision.models.get_model(model, weights=None)


def input_shape(model: str, batch: int, size: int | None) -> tuple[int, int, int, int]:
    channels, height, width = SMALL.get(model, (3, 224, 224))
    return batch, channels, size or height, size or width


def export(model: str, batch: int, size: int | None, path: pathlib.Path) -> None:
    """Writes a network in evaluation mode as one file; an interrupted export leaves nothing at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    x = torch.randn(input_shape(model, batch, size))
    torch.onnx.export(build(model).eval(), (x,), unfinished, dynamo=True, external_data=False, verbose=False)
    unfinished.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("path", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int)
    args = parser.parse_args()
    export(args.model, args.batch, args.size, args.path)


if __name__ == "__main__":
    main()
