"""Times one workload of one peer as `convnet bench` times it, and prints one JSON object with milliseconds per call.

Each peer runs as its users would run it at its best on a CPU in single precision. A run is a process of its own, so
that peak memory is this workload's, and so that no peer's threads or allocator disturb another's.
"""

import argparse
import contextlib
import importlib
import importlib.metadata
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
LAYOUTS = ["contiguous_format", "channels_last"]
# PyTorch's own kernels, oneDNN (in PyTorch and in OpenVINO) and PyTorch's MKL.
AVX2_ONLY = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def cores() -> int:
    return len(os.sched_getaffinity(0))


def kilobytes(path: str, name: str) -> int:
    """A line of one of Linux's files about memory."""
    lines = dict(line.split(":", 1) for line in pathlib.Path(path).read_text().splitlines())
    return int(lines[name].split()[0])


def peak_rss_kb() -> int:
    return kilobytes("/proc/self/status", "VmHWM")


def measure(call: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Milliseconds per call; a round lasts some tens of milliseconds, so that a passing interruption counts little."""
    start, warm = time.perf_counter(), 0
    while warm < 3 or time.perf_counter() - start < 0.3:
        call()
        warm += 1
    calls = max(1, int(0.05 / ((time.perf_counter() - start) / warm)))
    rounds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        rounds.append((time.perf_counter() - start) / calls * 1e3)
    return {
        "median_ms": statistics.median(rounds),
        "min_ms": min(rounds),
        "max_ms": max(rounds),
        "peak_rss_kb": peak_rss_kb(),
    }


def pytorch(args: argparse.Namespace) -> dict[str, Any]:
    layouts = [args.layout] if args.layout else LAYOUTS
    if args.mode == "train" or args.model in ("lenet5", "resnet20"):
        layouts = LAYOUTS[:1]
    if len(layouts) == 1:
        return pytorch_in(layouts[0], args)
    # Each layout in a process of its own, for its own peak of memory.
    results = []
    for layout in layouts:
        command = [sys.executable, __file__, *sys.argv[1:], "--layout", layout]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        results.append(json.loads(done.stdout))
    return min(results, key=lambda result: result["median_ms"])


def pytorch_in(layout: str, args: argparse.Namespace) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F

    import networks

    if args.model not in networks.SMALL:
        importlib.import_module("torchvision")
    torch.set_num_threads(args.threads)
    about = {"layout": layout, "libraries_rss_kb": peak_rss_kb()}
    memory_format = getattr(torch, layout)
    net = networks.build(args.model).to(memory_format=memory_format).train(args.mode == "train")
    shape = networks.input_shape(args.model, args.batch, args.size)
    x = torch.randn(shape).contiguous(memory_format=memory_format)
    if args.mode == "infer":
        with torch.inference_mode():
            return measure(lambda: net(x), args.repeats) | about
    target = torch.arange(args.batch) % 10
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        F.cross_entropy(net(x), target).backward()
        optimizer.step()
        optimizer.zero_grad()

    return measure(step, args.repeats) | about


def onnx_file(args: argparse.Namespace) -> pathlib.Path:
    """The network as an ONNX file, exported once into the cache."""
    version = importlib.metadata.version("torch")
    size = f"-{args.size}" if args.size else ""
    path = args.cache / f"{args.model}-{args.batch}{size}-torch{version}.onnx"
    if not path.exists():
        options = ["--batch", str(args.batch)] + (["--size", str(args.size)] if args.size else [])
        command = [sys.executable, str(HERE / "networks.py"), args.model, str(path), *options]
        done = subprocess.run(command, stdout=subprocess.PIPE)
        if done.returncode:
            sys.exit(done.returncode)
    return path


def input_of(shape: list[int]) -> Any:
    import numpy

    return numpy.random.default_rng(0).standard_normal(shape, dtype=numpy.float32)


def onnxruntime(args: argparse.Namespace) -> dict[str, Any]:
    if args.mode == "train":
        sys.exit("inference only")
    if args.isa and "avx512f" in pathlib.Path("/proc/cpuinfo").read_text():
        sys.exit(f"cannot be limited to {args.isa}")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_file(args), options, providers=["CPUExecutionProvider"])
    feed = {node.name: input_of(node.shape) for node in session.get_inputs()}
    return measure(lambda: session.run(None, feed), args.repeats)


def openvino(args: argparse.Namespace) -> dict[str, Any]:
    if args.mode == "train":
        sys.exit("inference only")
    import openvino

    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": args.threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    model = openvino.Core().compile_model(onnx_file(args), "CPU", options)
    request = model.create_infer_request()
    x = input_of(list(model.input().shape))
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    # Neither input nor output is copied: at LeNet's size the copies take longer than the network.
    return measure(lambda: request.infer(share_outputs=True), args.repeats)


PEERS = {"pytorch": pytorch, "onnxruntime": onnxruntime, "openvino": openvino}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("model", help="lenet5, resnet20 (CIFAR) or a network of torchvision")
    parser.add_argument("--mode", choices=["train", "infer"], default="infer")
    parser.add_argument("--batch", type=positive, default=1)
    parser.add_argument("--size", type=positive, help="height and width of the images, if not the network's own")
    parser.add_argument("--threads", type=positive, default=cores())
    parser.add_argument("--repeats", type=positive, default=9, help="rounds that are timed; the median is reported")
    parser.add_argument("--isa", choices=["avx2"], help="use no wider instructions than these")
    parser.add_argument("--layout", choices=LAYOUTS, help="of PyTorch in inference, in place of the faster one")
    parser.add_argument("--cache", type=pathlib.Path, default=HERE.parents[1] / "target/peers", help="for ONNX files")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if args.isa == "avx2":
        os.environ.update(AVX2_ONLY)
    try:
        # What a library prints must not mix with the result.
        with contextlib.redirect_stdout(sys.stderr):
            result = PEERS[args.peer](args)
    except ModuleNotFoundError as error:
        sys.exit(f"not installed: {error}")
    workload = f"{args.model} {args.mode} {args.batch}"
    print(json.dumps({"peer": args.peer, "workload": workload} | result))


if __name__ == "__main__":
    main()
