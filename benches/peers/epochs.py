"""Whole epochs in turns: convnet's trainer against PyTorch with its DataLoader, and how many JPEGs a second both read.

An epoch is what a user waits for: reading, augmenting, training, evaluating on the test set and saving. Both train the same network by the same
rule on the same images, and the table says which accuracy each reached. PyTorch has two workers (`--workers`) that persist between epochs.
Of the 5,000 JPEGs, convnet reads 4,000: it splits a dataset in one piece, and a fifth is the test set.

    python benches/peers/epochs.py                       # LeNet-5 on MNIST, ResNet-20 on drawn images, a folder of JPEGs
    python benches/peers/epochs.py --workload jpeg
"""

import argparse
import gzip
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from typing import Any

from harness import ROOT, Failure, Outcome, cell, header, run, table
from peer import cores, positive

# Rate, batch and augmentation of both, whose words differ.
WORKLOADS = {
    "lenet5": {"batch": 64, "lr": 0.02, "augment": "crop(pad = 2), rotate(10)"},
    "resnet20": {"batch": 128, "lr": 0.1, "augment": "crop(pad = 4), flip"},
    "jpeg": {"batch": 64},
}
WHAT = {
    "lenet5": "LeNet-5, an epoch of MNIST, shifted and rotated, batch 64",
    "resnet20": "ResNet-20, an epoch of 10,000 drawn images of 32x32, shifted and flipped, batch 128",
    "jpeg": "JPEGs of 500x375 to batches of 3x224x224",
}


def images(name: str, cache: pathlib.Path, shapes: pathlib.Path) -> pathlib.Path:
    """The folder of a workload's images, made once."""
    folder = cache / f"images-{name}"
    if folder.is_dir():
        return folder
    making = pathlib.Path(tempfile.mkdtemp(dir=cache))
    if name == "lenet5":
        raw_folder = making / "MNIST" / "raw"
        raw_folder.mkdir(parents=True)
        for part in ("train", "test"):
            for file in (ROOT / "runtime/mnist" / part / "src").glob("*.gz"):
                (raw_folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    elif name == "resnet20":
        for part, count, seed in (("train", 10_000, 1), ("test", 2_000, 2)):
            options = ["--count", str(count), "--size", "32", "--seed", str(seed)]
            subprocess.run([shapes, making / part, *options], check=True, stdout=subprocess.DEVNULL)
    else:
        photographs(making)
    making.rename(folder)
    return folder


def photographs(folder: pathlib.Path) -> None:
    """Noise of many scales, which compresses as photographs do: some 40 kB each at quality 90."""
    import numpy
    from PIL import Image

    rng = numpy.random.default_rng(1)
    for number in range(5_000):
        picture = numpy.zeros((375, 500, 3))
        for scale in (2, 4, 8, 16, 32, 64, 128):
            size = (max(2, 500 // scale), max(2, 375 // scale))
            noise = rng.integers(0, 256, (size[1], size[0], 3), dtype=numpy.uint8)
            picture += numpy.asarray(Image.fromarray(noise).resize((500, 375), Image.BICUBIC)) * (scale**0.5 / 30)
        picture = (picture - picture.min()) / (picture.max() - picture.min()) * 255
        path = folder / f"class{number % 10}" / f"{number:04}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(picture.astype(numpy.uint8)).save(path, quality=90)


def convnet(name: str, folder: pathlib.Path, args: argparse.Namespace, seed: int) -> dict[str, Any]:
    workload = WORKLOADS[name]
    threads = ["--threads", str(args.threads)]
    if name == "jpeg":
        return run([str(args.convnet.with_name("loader")), str(folder), "--workers", str(args.workers)], None)
    with tempfile.TemporaryDirectory() as place:
        words = ["train", name, "--batch", str(workload["batch"]), "--lr", str(workload["lr"]), "--epochs", str(args.epochs)]
        words += ["--augment", workload["augment"], "--schedule", "constant", "--weight-decay", "0", "--seed", str(seed)]
        if name == "lenet5":
            words += ["--data", str(folder / "MNIST/raw")]
        else:
            words += ["--data", str(folder), "--input", "3x32x32"]
        words += ["--run", f"{place}/run", "--out", f"{place}/net.safetensors", "--quiet", "--json", *threads]
        program = [str(args.convnet.resolve()), *words]
        done = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        _, told = done.communicate()
        if done.returncode:
            raise Failure((told.strip().splitlines() or ["no reason"])[-1])
        lines = [json.loads(line) for line in pathlib.Path(place, "run/log.jsonl").read_text().splitlines()]
    epochs = [line for line in lines if "test_accuracy" in line]
    return result([epoch["seconds"] for epoch in epochs], epochs[-1]["test_accuracy"])


def result(ends: list[float], accuracy: float) -> dict[str, Any]:
    """Seconds of an epoch, from when each ended; the first one, in which memory is asked for and workers start, does not count."""
    return {"seconds": statistics.median(b - a for a, b in zip(ends, ends[1:])), "accuracy": accuracy}


def pytorch(name: str, folder: pathlib.Path, args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """In a process of its own, since networks and workers stay in memory."""
    options = ["--pytorch", name, "--folder", str(folder), "--seed", str(seed), "--epochs", str(args.epochs)]
    options += ["--workers", str(args.workers), "--threads", str(args.threads)]
    return run([sys.executable, __file__, *options], None)


def pytorch_alone(args: argparse.Namespace) -> dict[str, Any]:
    import torch
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    name, workload = args.pytorch, WORKLOADS[args.pytorch]

    def loader(data: Any, shuffle: bool) -> DataLoader:
        options = {"num_workers": args.workers, "persistent_workers": args.workers > 0}
        return DataLoader(data, workload["batch"], shuffle=shuffle, **options)

    if name == "jpeg":
        usual = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
        normal = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        data = datasets.ImageFolder(args.folder, transforms.Compose([*usual, normal]))
        return {"images_per_second": rate(loader(data, True), len(data))}
    to_tensor = transforms.ToTensor()
    if name == "lenet5":
        normal = transforms.Normalize([0.1307], [0.3081])
        random = [transforms.RandomCrop(28, padding=2), transforms.RandomRotation(10)]
        train = datasets.MNIST(args.folder, True, transforms.Compose([*random, to_tensor, normal]))
        test = datasets.MNIST(args.folder, False, transforms.Compose([to_tensor, normal]))
    else:
        normal = transforms.Normalize([0.5] * 3, [0.3] * 3)
        random = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        train = datasets.ImageFolder(args.folder / "train", transforms.Compose([*random, to_tensor, normal]))
        test = datasets.ImageFolder(args.folder / "test", transforms.Compose([to_tensor, normal]))
    return trained(name, loader(train, True), loader(test, False), args)


def rate(batches: Iterable[Any], count: int) -> float:
    """Images a second over all of them, after one epoch in which workers start."""
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in batches:
            pass
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates[1:])


def trained(name: str, train: Any, test: Any, args: argparse.Namespace) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F

    import networks

    net = networks.build(name)
    optimizer = torch.optim.SGD(net.parameters(), lr=WORKLOADS[name]["lr"], momentum=0.9)
    start, ends, accuracy = time.perf_counter(), [], 0.0
    with tempfile.TemporaryDirectory() as place:
        for _ in range(args.epochs):
            net.train()
            for x, y in train:
                optimizer.zero_grad()
                F.cross_entropy(net(x), y).backward()
                optimizer.step()
            net.eval()
            right = count = 0
            with torch.inference_mode():
                for x, y in test:
                    right, count = right + (net(x).argmax(1) == y).sum().item(), count + len(y)
            accuracy = right / count
            torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, pathlib.Path(place, "run.pt"))
            ends.append(time.perf_counter() - start)
    return result(ends, accuracy)


def render(found: dict[str, dict[str, Outcome]], args: argparse.Namespace) -> str:
    rows = []
    for name, outcomes in found.items():
        key = "images_per_second" if name == "jpeg" else "seconds"
        ours, theirs = (outcomes[contestant].median(key) for contestant in ("convnet", "pytorch"))
        times = [ours, theirs] if name == "jpeg" else [theirs, ours]
        ratio = cell(times[0] / times[1] if ours and theirs else None, 2)
        accuracies = [cell(outcomes[contestant].median("accuracy"), 4) for contestant in ("convnet", "pytorch")]
        unit = "images/s" if name == "jpeg" else "s"
        digits = 0 if name == "jpeg" else 2
        rows.append([WHAT[name], unit, cell(ours, digits), cell(theirs, digits), ratio, *accuracies])
    head = ["", "unit", "convnet", "PyTorch", "times as fast", "test accuracy", "PyTorch's"]
    reasons = {f"* {name}: {who}: {of.failure}\n" for name, all in found.items() for who, of in all.items() if of.failure}
    return header(found, args) + "\n" + table(head, rows) + "".join(sorted(reasons))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", action="append", choices=WORKLOADS, help="repeatable; default: all")
    parser.add_argument("--convnet", type=pathlib.Path, default=ROOT / "target/release/convnet", help="the release binary")
    parser.add_argument("--rounds", type=positive, default=3, help="of turns; default 3")
    parser.add_argument("--epochs", type=positive, default=3, help="of a run, of which the first is not timed; default 3")
    parser.add_argument("--workers", type=int, default=2, help="processes or threads that read images; default 2")
    parser.add_argument("--threads", type=positive, default=cores(), help="that compute; default: one a core")
    parser.add_argument("--cache", type=pathlib.Path, default=ROOT / "target/peers", help="a folder for images")
    parser.add_argument("--isa", help=argparse.SUPPRESS)
    parser.add_argument("--pytorch", choices=WORKLOADS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.pytorch:
        print("\n" + json.dumps(pytorch_alone(args)))
        return
    if args.epochs < 2:
        sys.exit("error: the first epoch is not timed: --epochs has to be 2 or more")
    args.cache.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Outcome]] = {}
    for name in args.workload or WORKLOADS:
        folder = images(name, args.cache, args.convnet.parent / "examples/shapes")
        found[name] = {"convnet": Outcome(), "pytorch": Outcome()}
        for number in range(args.rounds):
            print(f"{name}: round {number + 1} of {args.rounds}", file=sys.stderr)
            contestants = [("convnet", convnet), ("pytorch", pytorch)]
            for contestant, call in contestants[:: -1 if number % 2 else 1]:
                outcome = found[name][contestant]
                if outcome.failure:
                    continue
                try:
                    outcome.results.append(call(name, folder, args, number + 1))
                except Failure as failure:
                    outcome.failure = str(failure)
    print(render(found, args), end="")


if __name__ == "__main__":
    main()
