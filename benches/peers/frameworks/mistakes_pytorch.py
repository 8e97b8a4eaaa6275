"""Five mistakes about shapes in PyTorch: what it says, and when.

    python benches/peers/frameworks/mistakes_pytorch.py
"""

import platform

import torch
from torch import nn
from torch.nn.functional import cross_entropy


class Residual(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        return x + torch.relu(self.conv(x))


class Branches(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def lenet(kernel=5, inputs=400, classes=10):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, kernel), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(inputs, 120), nn.ReLU(), nn.Linear(120, classes),
    )


MISTAKES = {
    "a kernel larger than its map": lambda: lenet(kernel=17),
    "a residual without padding": lambda: nn.Sequential(
        Residual(nn.Conv2d(1, 1, 3)), nn.Flatten(), nn.Linear(784, 10)),
    "wrong inputs of a linear layer": lambda: lenet(inputs=512),
    "branches of different size": lambda: nn.Sequential(
        Branches(nn.Conv2d(1, 8, 1), nn.Conv2d(1, 8, 3)), nn.Flatten(), nn.Linear(12544, 10)),
    "too few classes": lambda: lenet(classes=5),
    "too many classes": lambda: lenet(classes=12),
}


def attempt(make):
    """The step that fails, with the last line of what it says."""
    step = "construction"
    try:
        network = make()
        step = "first forward pass"
        logits = network(torch.rand(16, 1, 28, 28))
        step = "first loss"
        cross_entropy(logits, torch.arange(16) % 10).backward()
    except Exception as error:
        return step, f"{type(error).__name__}: {error}"
    return "never", "(nothing)"


if __name__ == "__main__":
    print(f"PyTorch {torch.__version__}, Python {platform.python_version()}")
    for name, make in MISTAKES.items():
        print(f"\n{name}: %s\n%s" % attempt(make))
