"""Times convnet and its peers in turns on this machine and writes a Markdown table with ratios of medians.

Only figures of one run can be compared: machines move by tens of percent within a quarter of an hour, which turns in
alternating order spread over all contestants.
"""

import argparse
import sys

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
    megabytes,
    milliseconds,
    raw,
    table,
)

WORKLOADS = [
    Workload("lenet5", "train", 64),
    Workload("lenet5", "infer", 1),
    Workload("lenet5", "infer", 64),
    Workload("resnet20", "train", 128),
    Workload("resnet18", "train", 16),
    Workload("vgg16", "infer", 1),
    Workload("resnet18", "infer", 1),
    Workload("googlenet", "infer", 1),
    Workload("resnet50", "infer", 1),
    Workload("alexnet", "infer", 1),
    Workload("mobilenet_v3_large", "infer", 1),
    Workload("efficientnet_b0", "infer", 1),
    Workload("convnext_tiny", "infer", 1),
    Workload("shufflenet_v2_x1_0", "infer", 1),
    Workload("efficientnet_b0", "train", 16),
]


def chosen(wanted: list[str]) -> list[Workload]:
    """The workloads that have all words of one of the wanted, or all of them; other ones by model, mode and batch."""
    if not wanted:
        return WORKLOADS
    found = []
    for text in wanted:
        words = text.split()
        matches = [workload for workload in WORKLOADS if set(words) <= set(str(workload).split())]
        if not matches and len(words) == 3 and words[1] in ("train", "infer") and words[2].isdecimal():
            matches = [Workload(words[0], words[1], int(words[2]))]
        if not matches:
            sys.exit(f"error: no workload is `{text}`; there are: {', '.join(map(str, WORKLOADS))}")
        found += [workload for workload in matches if workload not in found]
    return found


def row(workload: Workload, outcomes: dict[str, Outcome]) -> list[str]:
    times = {contestant: outcome.median("median_ms") for contestant, outcome in outcomes.items()}
    ours = times["convnet"]
    best = min((time for peer, time in times.items() if peer != "convnet" and time), default=None)
    cells = [str(workload), *map(milliseconds, times.values()), cell(best / ours if best and ours else None, 2)]
    memory = [megabytes(outcomes["convnet"].median("peak_rss_kb"))]
    if "pytorch" in outcomes:
        pytorch = outcomes["pytorch"]
        memory.append(megabytes(pytorch.median("peak_rss_kb")))
        memory.append(megabytes(pytorch.median("libraries_rss_kb")))
    return cells + memory


def render(contestants: list[str], outcomes: Outcomes, args: argparse.Namespace) -> str:
    head = ["workload", *(f"{PEERS.get(contestant, contestant)} ms" for contestant in contestants)]
    head += ["best peer / convnet", "convnet MB"]
    if "pytorch" in contestants:
        head += ["PyTorch MB", "of which libraries"]
    rows = [row(workload, of_all) for workload, of_all in outcomes.items()]
    reasons = failures(outcomes)
    return header(outcomes, args) + "\n" + table(head, rows) + ("\n" + reasons if reasons else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", action="append", default=[], help="`lenet5`, `resnet18 infer 1`; repeatable")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), help="default: all")
    add_options(parser, rounds=5, repeats=9)
    args = parser.parse_args()
    workloads = chosen(args.workload)
    check(args)
    contestants = ["convnet", *args.peers]
    args.report.parent.mkdir(parents=True, exist_ok=True)
    outcomes: Outcomes = {}
    for workload in workloads:
        outcomes[workload] = in_turns(contestants, workload, args)
        # After each one, so that a run that is cut short leaves what it has.
        args.report.write_text(render(contestants, outcomes, args))
        if args.json:
            args.json.write_text(raw(outcomes))
    print(args.report.read_text(), end="")


if __name__ == "__main__":
    main()
