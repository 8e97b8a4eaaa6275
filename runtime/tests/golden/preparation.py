"""Writes preparation.json and preparation/*.png: what torchvision's preparation for ImageNet's networks makes of small images (Pillow 13).

    python3 -m venv venv && venv/bin/pip install torch torchvision pillow numpy && venv/bin/python preparation.py

The images are computed by a formula, which Rust has too. A PNG has the bytes that torchvision cuts out; the JSON has some of the
numbers that it makes of them. Of larger ones every fourth row and column is kept.
"""
import json
import pathlib
import numpy as np
import torch
from PIL import Image
from torchvision.transforms._presets import ImageClassification

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SMALL, LARGE = (73, 64, 1), (256, 224, 4)
CASES = [  # width, height, channels, (resize, crop, stride)
    (97, 61, 3, SMALL),  # landscape, odd sizes
    (50, 83, 3, SMALL),  # portrait
    (31, 23, 3, SMALL),  # smaller than what is cut out
    (75, 75, 1, SMALL),  # grey
    (73, 74, 3, SMALL),  # shorter side as wanted, half a pixel to cut off
    (64, 64, 3, SMALL),  # the network's own size
    (1, 1, 3, SMALL),
    (1, 500, 3, SMALL),
    (700, 9, 3, SMALL),
    (1300, 1001, 3, SMALL),  # far larger
    (90, 301, 3, SMALL),  # tall: Pillow 13 shortens columns before rows
    (90, 60, 3, (40, 64, 1)),  # black above and below, cut off at neither side
    (33, 70, 3, (40, 64, 1)),  # black at both sides
    (500, 375, 3, LARGE),
    (160, 180, 3, LARGE),
    (375, 1125, 1, LARGE),
]


def image(width, height, channels):
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    return ((x * 3 + y * 5 + c * 40 + (x * x + 3 * y * y + 7 * x * y * (c + 1)) // 16) % 256).astype(np.uint8)


def main():
    here = pathlib.Path(__file__).parent
    folder = here / "preparation"
    folder.mkdir(exist_ok=True)
    cases = []
    for width, height, channels, (resize, crop, stride) in CASES:
        pixels = image(width, height, channels)
        picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).convert("RGB")
        tensor = ImageClassification(crop_size=crop, resize_size=resize)(picture)
        levels = (tensor * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]) * 255
        assert (levels - levels.round()).abs().max() < 1e-3
        name = f"{width}x{height}x{channels}_{resize}_{crop}"
        kept = levels.round()[:, ::stride, ::stride].permute(1, 2, 0).numpy().astype(np.uint8)
        Image.fromarray(kept).save(folder / f"{name}.png", optimize=True)
        cases.append({
            "file": f"{name}.png", "image": [channels, height, width], "resize": resize, "crop": crop, "stride": stride,
            "sample": tensor.flatten()[:: tensor.numel() // 12].tolist(),
        })
    (here / "preparation.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


main()
