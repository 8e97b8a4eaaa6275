"""Writes explain.json: what PyTorch computes in double precision for the methods of `convnet explain` that have one right answer.

    venv/bin/python explain.py     # in the environment of golden.py

LeNet-5, VGG-11 and ResNet-18 under the fill of golden.py (seed 1), on the first image. The unit is the most probable class, or
the strongest neuron of one channel. Of each map its norm, its sum, and 400 elements at equal distances.
"""
import json

import numpy as np
import torch
import torch.nn.functional as F
import torchvision

from golden import LeNet5, fill, unit

SEED = 1
# The rectifier (counted from 0) whose output Grad-CAM takes, the one whose channel 3 is reconstructed, and of integrated
# gradients the steps and the baseline, as a share of the image. A gradient jumps where a rectifier's input changes its sign, so
# single precision, PyTorch's too, is off by up to 1e-2 at points of the path where one of VGG-11's is nearly zero; between this
# baseline and the image none is.
NETWORKS = {
    "lenet5": (LeNet5, [1, 28, 28], 1, 1, 16, 0),
    "vgg11": (lambda: torchvision.models.vgg11(weights=None), [3, 224, 224], 7, 5, 1, 0.625),
    "resnet18": (lambda: torchvision.models.resnet18(weights=None), [3, 224, 224], 16, 12, 4, 0),
}
relu = F.relu


class Deconvnet(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        return x.clamp(min=0)

    @staticmethod
    def backward(context, signal):
        return signal.clamp(min=0)


class Guided(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(context, signal):
        return signal.clamp(min=0) * (context.saved_tensors[0] > 0)


def sketch(values):
    values = values.detach().numpy().reshape(-1)
    at = (np.arange(400) * len(values) // 400) if len(values) > 400 else np.arange(len(values))
    return {"l2": float(np.linalg.norm(values)), "sum": float(values.sum()), "at": [float(f"{x:.9g}") for x in values[at]]}


def run(model, x, rectify=None):
    """The logits, and the outputs of all rectifiers."""
    outputs = []

    def recorded(x, inplace=False):
        outputs.append(rectify.apply(x) if rectify else relu(x))
        return outputs[-1]

    F.relu = recorded
    try:
        return model(x), outputs
    finally:
        F.relu = relu


def main():
    result = {}
    for name, (build, shape, cam, channel_of, steps, base) in NETWORKS.items():
        model = build().double().eval()
        fill(model, SEED)
        pixels = unit("input", SEED, 2 * int(np.prod(shape)))[: int(np.prod(shape))]
        x = torch.from_numpy(pixels.astype(np.float32).astype(np.float64)).reshape(1, *shape).requires_grad_()
        logits, outputs = run(model, x)
        label = int(logits.argmax())
        gradient, at_cam = torch.autograd.grad(logits[0, label], [x, outputs[cam]])
        maps = {"gradient": gradient}
        weights = at_cam.mean((2, 3), keepdim=True)
        maps["grad_cam"] = (weights * outputs[cam]).sum(1).clamp(min=0)
        for method, rule in (("deconvnet", Deconvnet), ("guided", Guided)):
            logits, outputs = run(model, x, rule)
            (maps[method],) = torch.autograd.grad(logits[0, label], x, retain_graph=True)
            (maps[f"{method}_channel"],) = torch.autograd.grad(outputs[channel_of][0, 3].max(), x)
        total = 0
        for i in range(steps):
            point = (x * (base + (1 - base) * (i + 0.5) / steps)).detach().requires_grad_()
            total = total + torch.autograd.grad(run(model, point)[0][0, label], point)[0]
        maps["integrated"] = total / steps * (1 - base) * x
        result[name] = {"seed": SEED, "class": label, "steps": steps, "base": base, "cam": cam, "channel_of": channel_of}
        result[name]["maps"] = {method: sketch(values) for method, values in maps.items()}
        print(name, label, {method: values["l2"] for method, values in result[name]["maps"].items()})
    with open("explain.json", "w") as file:
        json.dump(result, file, separators=(",", ":"))
        file.write("\n")


main()
