"""Times one workload of one peer, as `convnet bench` times its own: prints one JSON object.

A training step is forward, cross-entropy, backward and an update by SGD with momentum; inference is forward only.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import time
import warnings
from collections.abc import Callable

WARM_SECONDS, WARM_CALLS, ROUND_SECONDS = 0.3, 3, 0.05


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["pytorch", "onnxruntime", "openvino"])
    parser.add_argument("model", help="lenet5, resnet20, or the name of a torchvision model")
    parser.add_argument("--mode", choices=["train", "infer"], default="infer")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("."), help="folder for exported models")
    return parser.parse_args()


def build(name: str):
    """The network with random weights, and the shape of a picture."""
    import torch.nn as nn
    import torchvision

    def lenet5() -> nn.Module:
        def pool() -> nn.Module:
            return nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))

        conv = [nn.Conv2d(1, 6, 5, padding=2), pool(), nn.Conv2d(6, 16, 5), pool(), nn.Flatten()]
        dense = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
        return nn.Sequential(*conv, *dense)

    class Shortcut(nn.Module):
        """Option A of the ResNet paper: every other pixel, and zeros for the new channels."""

        def forward(self, x):
            return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, x.shape[1] // 2, x.shape[1] // 2))

    def resnet20() -> nn.Module:
        block = torchvision.models.resnet.BasicBlock
        layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        for before, width in [(16, 16), (16, 32), (32, 64)]:
            first = block(before, width) if before == width else block(before, width, 2, Shortcut())
            layers += [first, block(width, width), block(width, width)]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    small = {"lenet5": (lenet5, (1, 28, 28)), "resnet20": (resnet20, (3, 32, 32))}
    if name in small:
        make, shape = small[name]
        return make(), shape
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return getattr(torchvision.models, name)(**options), (3, 224, 224)


def timed(call: Callable[[], object], repeats: int) -> list[float]:
    """Milliseconds of a call, by round."""
    start, warm = time.perf_counter(), 0
    while warm < WARM_CALLS or time.perf_counter() - start < WARM_SECONDS:
        call()
        warm += 1
    calls = max(1, int(ROUND_SECONDS / ((time.perf_counter() - start) / warm)))
    rounds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        rounds.append((time.perf_counter() - start) / calls * 1e3)
    return rounds


def pytorch(args: argparse.Namespace) -> list[float]:
    import torch

    torch.set_num_threads(args.threads)
    net, shape = build(args.model)
    x = torch.randn(args.batch, *shape)
    net.train(args.mode == "train")
    if args.mode == "train":
        y = torch.arange(args.batch) % 10
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

        def step() -> None:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()

        return timed(step, args.repeats)

    def infer() -> None:
        with torch.inference_mode():
            net(x)

    rounds = timed(infer, args.repeats)
    if shape[0] == 1:
        return rounds
    # Users would take the faster of the two layouts.
    net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return min(rounds, timed(infer, args.repeats), key=statistics.median)


def exported(args: argparse.Namespace) -> tuple[pathlib.Path, tuple[int, ...]]:
    """The network as an ONNX file, written once."""
    net, shape = build(args.model)
    path = args.cache / f"{args.model}-{args.batch}.onnx"
    if not path.exists():
        import torch

        args.cache.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(net.eval(), torch.randn(args.batch, *shape), path, dynamo=False)
    return path, shape


def onnxruntime(args: argparse.Namespace) -> list[float]:
    import numpy
    import onnxruntime

    path, shape = exported(args)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = numpy.random.default_rng(0).standard_normal((args.batch, *shape), dtype=numpy.float32)
    feed = {session.get_inputs()[0].name: x}
    return timed(lambda: session.run(None, feed), args.repeats)


def openvino(args: argparse.Namespace) -> list[float]:
    import numpy
    import openvino

    path, shape = exported(args)
    options = {"INFERENCE_NUM_THREADS": args.threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(path, "CPU", options).create_infer_request()
    x = numpy.random.default_rng(0).standard_normal((args.batch, *shape), dtype=numpy.float32)
    return timed(lambda: request.infer({0: x}), args.repeats)


def peak_rss_kb() -> int | None:
    status = pathlib.Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)


def main() -> None:
    args = parse()
    if args.mode == "train" and args.peer != "pytorch":
        sys.exit(f"error: {args.peer} does not train")
    rounds = {"pytorch": pytorch, "onnxruntime": onnxruntime, "openvino": openvino}[args.peer](args)
    print(json.dumps({
        "peer": args.peer,
        "model": args.model,
        "mode": args.mode,
        "batch": args.batch,
        "median_ms": statistics.median(rounds),
        "min_ms": min(rounds),
        "max_ms": max(rounds),
        "peak_rss_kb": peak_rss_kb(),
    }))


if __name__ == "__main__":
    main()
