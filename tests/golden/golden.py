"""Writes MODEL.json: what PyTorch computes in double precision for a network under weights that both programs compute from the names of parameters.

    python3 -m venv venv && venv/bin/pip install torch torchvision numpy
    venv/bin/python golden.py densenet121 mobilenet_v2 --seed 2

`convnet parity MODEL.json` compares a network of the zoo with it. Models are torchvision's by their names, and `lenet5`,
`nin`, `resnet20` ... `resnet110` (option A), `resnet20_cifar` (option B), `unet`, `unet_padded` and `digit_autoencoder`, which are defined here.
"""
import argparse
import json
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def unit(name, seed, n):
    """n numbers in [-1, 1): splitmix64's finaliser over a hash of the name."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) % 2**64
    i = np.arange(1, n + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(h ^ seed) + i * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def ours(key):
    """A factor for each channel that is a parameter of a block in torchvision is one of a layer here."""
    return f"{key}.weight" if key.endswith("layer_scale") else key


def shape_of(key, tensor):
    """Its shape here."""
    return list(tensor.shape[:1] if key.endswith("layer_scale") else tensor.shape)


def fill(model, seed):
    norms = {name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    state = model.state_dict()
    for key, tensor in state.items():
        if key.endswith("num_batches_tracked"):
            continue
        layer, _, field = ours(key).rpartition(".")
        u = unit(ours(key), seed, tensor.numel())
        if layer in norms:
            value = {"weight": 1 + 0.1 * u, "bias": 0.1 * u, "running_mean": 0.1 * u, "running_var": 1 + 0.5 * u}[field]
        elif field == "weight":
            value = u * math.sqrt(4.5 / (tensor.numel() / tensor.shape[0]))
        else:
            value = 0.1 * u
        state[key] = torch.from_numpy(value.astype(np.float32).astype(np.float64)).reshape(tensor.shape)
    model.load_state_dict(state)


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv2(F.max_pool2d(F.relu(self.conv1(x)), 2))), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Block(nn.Module):
    def __init__(self, ins, outs, stride, projects):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(ins, outs, 3, stride, 1, bias=False), nn.BatchNorm2d(outs)
        self.conv2, self.bn2 = nn.Conv2d(outs, outs, 3, 1, 1, bias=False), nn.BatchNorm2d(outs)
        self.stride, self.more = stride, (outs - ins) // 2
        if projects and (stride != 1 or ins != outs):
            self.downsample = nn.Sequential(nn.Conv2d(ins, outs, 1, stride, bias=False), nn.BatchNorm2d(outs))
        else:
            self.downsample = lambda x: F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, self.more, self.more))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + self.downsample(x))


class Cifar(nn.Module):
    def __init__(self, n, projects):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        stage = lambda ins, outs, stride: nn.Sequential(
            *[Block(ins if i == 0 else outs, outs, stride if i == 0 else 1, projects) for i in range(n)]
        )
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.fc(x.mean((2, 3)))


class Nin(nn.Module):
    def __init__(self):
        super().__init__()
        layer = lambda ins, out, kernel, pad, second, third: nn.Sequential(
            nn.Conv2d(ins, out, kernel, padding=pad), nn.ReLU(), nn.Conv2d(out, second, 1), nn.ReLU(),
            nn.Conv2d(second, third, 1), nn.ReLU(),
        )
        self.mlpconv1, self.mlpconv2 = layer(3, 192, 5, 2, 160, 96), layer(96, 192, 5, 2, 192, 192)
        self.mlpconv3 = layer(192, 192, 3, 1, 192, 10)

    def forward(self, x):
        x = F.max_pool2d(self.mlpconv1(x), 3, 2, ceil_mode=True)
        x = F.avg_pool2d(self.mlpconv2(x), 3, 2, ceil_mode=True)
        return self.mlpconv3(x).mean((2, 3))


class Double(nn.Sequential):
    def __init__(self, ins, outs, padded):
        norm = (lambda: [nn.BatchNorm2d(outs)]) if padded else (lambda: [])
        conv = lambda ins: nn.Conv2d(ins, outs, 3, padding=int(padded), bias=not padded)
        super().__init__(conv(ins), *norm(), nn.ReLU(), conv(outs), *norm(), nn.ReLU())


class UNet(nn.Module):
    def __init__(self, ins, classes, padded):
        super().__init__()
        widths = [64, 128, 256, 512, 1024]
        for level, (before, wide) in enumerate(zip([ins, *widths], widths), 1):
            self.add_module(f"down{level}" if level < 5 else "bottom", Double(before, wide, padded))
        for level, wide in enumerate(widths[:4], 1):
            self.add_module(f"up{level}", nn.ConvTranspose2d(2 * wide, wide, 2, stride=2))
            self.add_module(f"merge{level}", Double(2 * wide, wide, padded))
        self.classify = nn.Conv2d(64, classes, 1)

    def forward(self, x):
        kept = []
        for level in range(1, 5):
            kept.append(getattr(self, f"down{level}")(x))
            x = F.max_pool2d(kept[-1], 2)
        x = self.bottom(x)
        for level in range(4, 0, -1):
            x, beside = getattr(self, f"up{level}")(x), kept.pop()
            top, left = ((a - b) // 2 for a, b in zip(beside.shape[2:], x.shape[2:]))
            beside = beside[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            x = getattr(self, f"merge{level}")(torch.cat([beside, x], 1))
        return self.classify(x)


class DigitAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 1)
        self.code, self.back = nn.Conv2d(32, 32, 7), nn.ConvTranspose2d(32, 32, 7)
        self.up1, self.up2 = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 1, 2, 2)

    def forward(self, x):
        x = self.code(F.relu(self.conv2(F.relu(self.conv1(x)))))
        return self.up2(F.relu(self.up1(F.relu(self.back(x)))))


# What torchvision calls a network of the zoo, where that is something else.
TORCHVISION = {"resnext50": "resnext50_32x4d", "wide_resnet50": "wide_resnet50_2"}
# How high and wide the input is, where that is not 224.
SIDES = {"inception_v3": 299, "efficientnet_b1": 240, "efficientnet_b2": 288, "efficientnet_b3": 300, "efficientnet_v2_s": 384}


def build(name):
    depths = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9, "resnet110": 18}
    if name == "lenet5":
        return LeNet5(), (1, 28, 28)
    if name == "nin":
        return Nin(), (3, 32, 32)
    if name in depths:
        return Cifar(depths[name], False), (3, 32, 32)
    if name == "resnet20_cifar":
        return Cifar(3, True), (3, 32, 32)
    if name == "unet":
        return UNet(1, 2, False), (1, 572, 572)
    if name == "unet_padded":
        return UNet(3, 2, True), (3, 256, 256)
    if name == "digit_autoencoder":
        return DigitAutoencoder(), (1, 28, 28)
    import torchvision

    side = SIDES.get(name, 224)
    if name in ("fcn_resnet50", "deeplabv3_mobilenet_v3_large"):
        extra = {"weights_backbone": None, "aux_loss": True}
        return getattr(torchvision.models.segmentation, name)(weights=None, **extra), (3, side, side)
    extra = {"transform_input": False, "aux_logits": True, "init_weights": False}
    extra = extra if name in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, TORCHVISION.get(name, name))(weights=None, **extra), (3, side, side)


def outputs(out):
    """The main output and those of the heads, each as one vector for an image."""
    if isinstance(out, dict):
        out = [out["out"], *([out["aux"]] if "aux" in out else [])]
    elif not isinstance(out, tuple):
        out = [out]
    return [one.flatten(1) for one in out]


def measure(model, x, targets, training):
    model.train(training)
    for module in model.modules():
        if type(module).__name__ in ("Dropout", "StochasticDepth"):
            module.p = 0.0
    model.zero_grad()
    x = x.clone().requires_grad_()
    # In evaluation the heads are not computed; torchvision's segmentation computes them all the same.
    logits, *heads = outputs(model(x))
    loss = F.cross_entropy(logits, targets)
    for head in heads if training else []:
        loss = loss + 0.3 * F.cross_entropy(head, targets)
    loss.backward()
    logits = logits.detach()
    grads = {}
    for key, param in model.named_parameters():
        if param.grad is not None:
            flat = param.grad.flatten()
            at = sorted({0, flat.numel() // 3, flat.numel() // 2, flat.numel() - 1})
            grads[ours(key)] = {"l2": flat.norm().item(), "sum": flat.sum().item(), "at": {str(i): flat[i].item() for i in at}}
    buffers = {k: v.norm().item() for k, v in model.state_dict().items() if "running_" in k} if training else {}
    return {
        "logits_first8": logits[:, :8].tolist(), "logits_last2": logits[:, -2:].tolist(),
        "logits_l2": logits.norm().item(), "logits_absmax": logits.abs().max().item(),
        "argmax": logits.argmax(1).tolist(), "loss": loss.item(), "input_grad_l2": x.grad.norm().item(),
        "input_grad_sum": x.grad.sum().item(), "grads": grads, "buffers_l2_after": buffers,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=".")
    options = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    for name in options.models:
        model, shape = build(name)
        model = model.double()
        fill(model, options.seed)
        x = torch.from_numpy(unit("input", options.seed, 2 * math.prod(shape))).reshape(2, *shape)
        targets = torch.tensor([3, 7])
        keys = {ours(k): shape_of(k, v) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
        golden = {
            "model": name, "seed": options.seed, "input_shape": [2, *shape], "targets": [3, 7],
            "params": sum(p.numel() for p in model.parameters()), "keys": keys,
            "eval": measure(model, x, targets, False), "train": measure(model, x, targets, True),
        }
        with open(f"{options.out}/{name}.json", "w") as file:
            json.dump(golden, file)
        print(name)


if __name__ == "__main__":
    main()
