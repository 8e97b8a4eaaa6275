"""Times ResNet-18 over batch and input size and appends tables to the report of `compare.py`.

Time should grow as the work does: each table has the time per image beside the work, and how far the two grew apart.
"""

import argparse

from harness import (
    PEERS,
    Outcome,
    Outcomes,
    Workload,
    add_options,
    cell,
    check,
    failures,
    header,
    in_turns,
    milliseconds,
    raw,
    sizes_program,
    table,
)
from peer import kilobytes, positive

MODEL = "resnet18"
SIZE = 224
SIZES = [64, 96, 128, 160, 192, SIZE, 256, 320, 384, 448]
BATCHES = {"infer": [2**n for n in range(9)], "train": [2**n for n in range(7)]}


def macs(mode: str, size: int) -> int:
    """Multiplications and additions of ResNet-18 for one image; its training has two more products a convolution.

    The first convolution is an exception: nothing asks for the gradient of the image.
    """

    def after(side: int, kernel: int, stride: int) -> int:
        return (side + kernel // 2 * 2 - kernel) // stride + 1

    side = after(size, 7, 2)
    first = side**2 * 64 * 3 * 49
    side = after(side, 3, 2)
    rest, channels = 512 * 1000, 64
    for out, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        side = after(side, 3, stride)
        rest += side**2 * out * 9 * (channels + 3 * out)
        rest += side**2 * out * channels if stride == 2 else 0
        channels = out
    return first + rest if mode == "infer" else 2 * first + 3 * rest


def work(workload: Workload) -> int:
    return workload.batch * macs(workload.mode, workload.size or SIZE)


def series(workloads: list[Workload], contestants: list[str], args: argparse.Namespace) -> Outcomes:
    """One after the other; who would not fit into memory, going by the last workload that did, is left out."""
    outcomes: Outcomes = {}
    peaks: dict[str, float] = {}
    for workload in workloads:
        available = kilobytes("/proc/meminfo", "MemAvailable")
        fitting = [who for who in contestants if peaks.get(who, 0) * work(workload) < available]
        of_all = in_turns(fitting, workload, args)
        for who, outcome in of_all.items():
            if peak := outcome.median("peak_rss_kb"):
                peaks[who] = peak / work(workload)
        outcomes[workload] = {who: of_all.get(who, Outcome(failure="too little memory")) for who in contestants}
    return outcomes


def row(workload: Workload, outcomes: Outcomes, base: Workload, contestants: list[str]) -> list[str]:
    grown = work(workload) / work(base)
    cells = [f"{workload.batch}" if workload.size is None else f"{workload.size}", f"{grown:.2f}"]
    for contestant in contestants:
        time = outcomes[workload][contestant].median("median_ms")
        first = outcomes[base][contestant].median("median_ms")
        cells += [
            milliseconds(time and time / workload.batch),
            cell(time / first / grown if time and first else None, 2),
            cell(2e-6 * work(workload) / time if time else None, 0),
        ]
    return cells


def render(title: str, what: str, base: Workload, outcomes: Outcomes, args: argparse.Namespace) -> str:
    contestants = list(outcomes[base])
    head = [what, "work"]
    for contestant in contestants:
        name = PEERS.get(contestant, contestant)
        head += [f"{name} ms/image", "time / work", "GFLOP/s"]
    rows = [row(workload, outcomes, base, contestants) for workload in outcomes]
    reasons = failures(outcomes)
    return f"\n## {title}\n\n{header(outcomes, args)}\n{table(head, rows)}" + ("\n" + reasons if reasons else "")


def plan(args: argparse.Namespace) -> list[tuple[str, str, Workload, list[Workload]]]:
    """Title, first column, the workload that others are compared with, and all workloads of each table."""
    tables = []
    for mode, batches in BATCHES.items():
        workloads = [Workload(MODEL, mode, batch) for batch in batches if batch <= args.max_batch]
        name = "training step" if mode == "train" else "inference"
        tables.append((f"ResNet-18, {name}, by batch", "batch", workloads[0], workloads))
    if sizes_program(args).is_file():
        workloads = [Workload(MODEL, "infer", 1, size) for size in SIZES]
        base = workloads[SIZES.index(SIZE)]
        tables.append(("ResNet-18, inference at batch 1, by input size", "pixels a side", base, workloads))
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=[], metavar="PEER", help="beside convnet")
    parser.add_argument("--max-batch", type=positive, default=256)
    add_options(parser, rounds=3, repeats=3)
    args = parser.parse_args()
    check(args)
    args.report.parent.mkdir(parents=True, exist_ok=True)
    measured: Outcomes = {}
    for title, what, base, workloads in plan(args):
        outcomes = series(workloads, ["convnet", *args.peers], args)
        text = render(title, what, base, outcomes, args)
        with args.report.open("a") as report:
            report.write(text)
        print(text, end="", flush=True)
        measured |= outcomes
        if args.json:
            args.json.write_text(raw(measured))


if __name__ == "__main__":
    main()
