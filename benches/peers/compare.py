"""Times convnet and PyTorch in turns on this machine and prints a Markdown table with the ratio of medians."""
import argparse
import importlib.metadata
import json
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROWS = [("train", 64), ("infer", 1), ("infer", 64)]


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def median_ms(command):
    # The child's standard error is ours, so that a failure tells its reason.
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"error: exit code {done.returncode} of: {' '.join(command)}")
    return json.loads(done.stdout)["median_ms"]


def processor():
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else []:
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--convnet", default=str(HERE.parents[1] / "target/release/convnet"), help="the release binary")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--rounds", type=positive, default=5)
    args = parser.parse_args()
    if not pathlib.Path(args.convnet).is_file():
        sys.exit(f"error: there is no {args.convnet}: run `cargo build --release`, or name the binary with --convnet")
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        sys.exit(f"error: {sys.executable} has no PyTorch: see {HERE / 'README.md'}")
    threads = ["--threads", str(args.threads)]
    print(f"{processor()}, PyTorch {torch}, {args.threads} threads, {args.rounds} rounds in turns, medians\n")
    print("| LeNet-5 | PyTorch ms | convnet ms | ratio |\n|---|---:|---:|---:|")
    for mode, batch in ROWS:
        ours, theirs = [], []
        options = ["--mode", mode, "--batch", str(batch)] + threads
        for _ in range(args.rounds):
            ours.append(median_ms([args.convnet, "bench", "lenet5", "--json"] + options))
            theirs.append(median_ms([sys.executable, str(HERE / "lenet.py")] + options))
        a, b = statistics.median(theirs), statistics.median(ours)
        row = f"{'training step' if mode == 'train' else 'inference'}, batch {batch}"
        print(f"| {row} | {a:.3f} | {b:.3f} | {a / b:.2f} |", flush=True)


if __name__ == "__main__":
    main()
