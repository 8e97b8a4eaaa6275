"""Times convnet and PyTorch in turns on this machine and prints a Markdown table with the ratio of medians."""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
ROWS = [("train", 64), ("infer", 1), ("infer", 64)]


def run(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["median_ms"]


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--convnet", default=str(HERE / "../../target/release/convnet"), help="the release binary")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    threads = ["--threads", str(args.threads)]
    print(f"{processor()}, {args.threads} threads, {args.rounds} rounds in turns, medians\n")
    print("| LeNet-5 | PyTorch ms | convnet ms | ratio |\n|---|---:|---:|---:|")
    for mode, batch in ROWS:
        ours, theirs = [], []
        options = ["--mode", mode, "--batch", str(batch)] + threads
        for _ in range(args.rounds):
            ours.append(run([args.convnet, "bench", "lenet5", "--json"] + options))
            theirs.append(run([sys.executable, str(HERE / "lenet.py")] + options))
        a, b = statistics.median(theirs), statistics.median(ours)
        print(f"| {'training step' if mode == 'train' else 'inference'}, batch {batch} | {a:.3f} | {b:.3f} | {a / b:.2f} |", flush=True)


if __name__ == "__main__":
    main()
