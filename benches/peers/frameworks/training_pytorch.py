"""The small network of "Coming from PyTorch", trained for some steps on made-up images.

    python benches/peers/frameworks/training_pytorch.py
"""

# ANCHOR: network
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8 * 14 * 14, 10)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x)))
        x = nn.functional.max_pool2d(x, 2)
        return self.fc(torch.flatten(x, 1))
# ANCHOR_END: network


def batches():
    """Batches of images with their classes: bright rows, by the class."""
    classes = torch.arange(32) % 10
    rows = torch.arange(28) // 2
    images = (rows == classes[:, None]).float()[:, None, :, None].expand(32, 1, 28, 28)
    return [(images, classes)] * 20


# ANCHOR: loop
net = Small()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
net.train()
for images, classes in batches():
    loss = nn.functional.cross_entropy(net(images), classes)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.4f}")
# ANCHOR_END: loop
