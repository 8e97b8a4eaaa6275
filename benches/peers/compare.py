"""Times convnet and what a user would pick instead, in turns on this machine, and writes a Markdown table.

Every measurement is a process of its own. A round runs convnet and all peers of a workload once, in an order that turns
from round to round, so that a slow minute of the machine hits all of them; the table shows medians over the rounds.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PEERS = {"pytorch": "torch", "onnxruntime": "onnxruntime", "openvino": "openvino"}
WORKLOADS = [
    ("lenet5", "train", 64),
    ("lenet5", "infer", 1),
    ("lenet5", "infer", 64),
    ("resnet20", "train", 128),
    ("resnet18", "train", 16),
    ("vgg16", "infer", 1),
    ("resnet18", "infer", 1),
    ("googlenet", "infer", 1),
    ("resnet50", "infer", 1),
    ("alexnet", "infer", 1),
]


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    convnet = HERE.parents[1] / "target/release/convnet"
    parser.add_argument("--convnet", type=pathlib.Path, default=convnet, help="the release binary")
    parser.add_argument("--threads", type=positive, default=os.cpu_count())
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--workload", action="append", metavar="MODEL:MODE:BATCH", help="only this one (repeatable)")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--cache", type=pathlib.Path, default=HERE.parents[1] / "target/peers", help="exported models")
    parser.add_argument("--output", type=pathlib.Path, help="also write the table here")
    parser.add_argument("--json", type=pathlib.Path, help="write all measurements here")
    return parser.parse_args()


def selected(args: argparse.Namespace) -> list[tuple[str, str, int]]:
    def one(text: str) -> tuple[str, str, int]:
        model, mode, batch = text.split(":")
        return model, mode, int(batch)

    try:
        return [one(text) for text in args.workload] if args.workload else WORKLOADS
    except ValueError:
        sys.exit("error: a workload is MODEL:MODE:BATCH, such as resnet18:infer:1")


def processor() -> str:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    isa = next((name for flag, name in [("avx512f", "AVX-512"), ("avx2", "AVX2")] if flag in flags), platform.machine())
    return f"{names[0] if names else platform.processor()}, {isa}"


def measure(command: list[str]) -> dict | str:
    """What the command prints, or the last line of its complaint."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return json.loads(done.stdout)


def rounds_of(args: argparse.Namespace, workload: tuple[str, str, int]) -> dict[str, list[dict] | str]:
    """Measurements by name, or why there are none."""
    model, mode, batch = workload
    options = ["--mode", mode, "--batch", str(batch), "--threads", str(args.threads)]
    commands = {"convnet": [str(args.convnet), "bench", model, "--json", *options]}
    for peer in args.peers:
        if mode == "infer" or peer == "pytorch":
            commands[peer] = [sys.executable, str(HERE / "peer.py"), peer, model, "--cache", str(args.cache), *options]
    results: dict[str, list[dict] | str] = {name: [] for name in commands}
    for turn in range(args.rounds):
        names = list(commands) if turn % 2 == 0 else list(commands)[::-1]
        for name in names:
            so_far = results[name]
            if isinstance(so_far, list):
                found = measure(commands[name])
                if isinstance(found, dict):
                    so_far.append(found)
                else:
                    results[name] = found
    return results


def row(workload: tuple[str, str, int], results: dict[str, list[dict] | str], peers: list[str], notes: list[str]) -> str:
    model, mode, batch = workload

    def median(name: str, key: str) -> float | None:
        values = results.get(name)
        if isinstance(values, str):
            notes.append(f"{name}, {model}: {values}")
            return None
        found = [value[key] for value in values or [] if value.get(key) is not None]
        return statistics.median(found) if found else None

    def cell(value: float | None, digits: int = 3) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    ours = median("convnet", "median_ms")
    theirs = {peer: median(peer, "median_ms") for peer in peers}
    best = min((ms for ms in theirs.values() if ms is not None), default=None)
    ratio = best / ours if best is not None and ours is not None else None
    memory = [median(name, "peak_rss_kb") if name in results and not isinstance(results[name], str) else None
              for name in ["convnet", "pytorch"]]
    megabytes = [cell(kb / 1024 if kb is not None else None, 0) for kb in memory]
    what = f"{model} {'training step' if mode == 'train' else 'inference'}, batch {batch}"
    cells = [what, cell(ours), *(cell(theirs[peer]) for peer in peers), f"**{cell(ratio, 2)}**", *megabytes]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    args = parse()
    if not args.convnet.is_file():
        sys.exit(f"error: there is no {args.convnet}: run `cargo build --release`, or name the binary with --convnet")
    versions = []
    for peer in args.peers:
        try:
            versions.append(f"{peer} {importlib.metadata.version(PEERS[peer])}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{peer} not installed")
    lines = [
        f"{processor()}, {args.threads} threads, {args.rounds} rounds in turns, medians in milliseconds; "
        f"{', '.join(versions)}; {datetime.date.today()}",
        "",
        f"| workload | convnet | {' | '.join(args.peers)} | best peer / convnet | convnet MB | PyTorch MB |",
        f"|---|{'---:|' * (len(args.peers) + 4)}",
    ]
    print("\n".join(lines), flush=True)
    notes, raw = [], []
    for workload in selected(args):
        results = rounds_of(args, workload)
        raw.append({"workload": workload, "results": results})
        lines.append(row(workload, results, args.peers, notes))
        print(lines[-1], flush=True)
    if notes:
        lines += ["", *(f"- {note}" for note in dict.fromkeys(notes))]
        print("\n".join(lines[-len(dict.fromkeys(notes)) - 1:]))
    if args.output:
        args.output.write_text("\n".join(lines) + "\n")
    if args.json:
        args.json.write_text(json.dumps(raw, indent=1) + "\n")


if __name__ == "__main__":
    main()
