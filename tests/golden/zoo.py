"""Writes zoo.json: the keys of many networks as one number each, and some of what they give for one image, computed by PyTorch in double precision.

    venv/bin/python zoo.py

Weights and the image are those of `golden.py`. `models/tests/torchvision.rs` compares; `convnet parity` compares all gradients too, for which
`golden.py` makes files that are too large to be kept here.
"""
import json
import math

import torch

from golden import build, fill, ours, outputs, shape_of, unit

SEED = 1
NETWORKS = """
resnext50 wide_resnet50 squeezenet1_0 densenet169 mnasnet1_0 inception_v3 regnet_x_400mf regnet_y_400mf mobilenet_v3_small mobilenet_v3_large
efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_v2_s convnext_tiny shufflenet_v2_x1_0 unet unet_padded fcn_resnet50 deeplabv3_mobilenet_v3_large digit_autoencoder
""".split()

# What weights are multiplied by, but for those of batch normalisation. Single precision would tell nothing of EfficientNetV2-S otherwise:
# through its forty residuals, PyTorch's own float32 is off by 2 %.
GAINS = {"efficientnet_v2_s": 0.5}


def scale(model, gain):
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear)):
            module.weight.data *= gain


def digest(state):
    """The 64-bit hash (FNV-1a) of one line for each key, `key [shape]`, sorted."""
    shapes = {ours(key): shape_of(key, value) for key, value in state.items() if not key.endswith("num_batches_tracked")}
    h = 0xCBF29CE484222325
    for byte in "".join(f"{key} {shapes[key]}\n" for key in sorted(shapes)).encode():
        h = ((h ^ byte) * 0x100000001B3) % 2**64
    return len(shapes), f"{h:016x}"


def main():
    torch.set_default_dtype(torch.float64)
    lines = []
    for name in NETWORKS:
        model, shape = build(name)
        model = model.double().eval()
        fill(model, SEED)
        gain = GAINS.get(name, 1.0)
        scale(model, gain)
        image = torch.from_numpy(unit("input", SEED, math.prod(shape))).reshape(1, *shape)
        with torch.no_grad():
            found = outputs(model(image))[0].flatten()
        keys, hashed = digest(model.state_dict())
        lines.append(json.dumps({
            "model": name, "seed": SEED, "gain": gain, "params": sum(p.numel() for p in model.parameters()), "keys": keys, "digest": hashed,
            "input": list(shape), "l2": found.norm().item(), "absmax": found.abs().max().item(),
            "at": [found[i * found.numel() // 12].item() for i in range(12)],
        }))
        print(name)
    with open("zoo.json", "w") as file:
        file.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
