"""What `compare.py` and `scaling.py` share: runs in turns as separate processes, and the description of the machine."""

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import shlex
import statistics
import subprocess
import sys
from typing import Any

from peer import cores, positive

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEERS = {"pytorch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
PACKAGES = {"pytorch": "torch"}
TIMEOUT_S = 3600


@dataclasses.dataclass(frozen=True)
class Workload:
    model: str
    mode: str
    batch: int
    size: int | None = None

    def __str__(self) -> str:
        return f"{self.model} {self.mode} {self.batch}" + (f" {self.size}x{self.size}" if self.size else "")

    def options(self) -> list[str]:
        size = ["--size", str(self.size)] if self.size else []
        return [self.model, "--mode", self.mode, "--batch", str(self.batch), *size]


class Failure(Exception):
    """Why a contestant has no result."""


@dataclasses.dataclass
class Outcome:
    """What one contestant did in all rounds of one workload."""

    results: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    failure: str | None = None

    def median(self, key: str) -> float | None:
        values = [result[key] for result in self.results if key in result]
        return None if self.failure or not values else statistics.median(values)


Outcomes = dict[Workload, dict[str, Outcome]]


def cell(number: float | None, digits: int) -> str:
    return "-" if number is None else f"{number:.{digits}f}"


def milliseconds(number: float | None) -> str:
    return cell(number, 1 if number and number >= 100 else 2 if number and number >= 10 else 3)


def megabytes(kibibytes: float | None) -> str:
    return cell(kibibytes and kibibytes * 1.024e-3, 0)


def add_options(parser: argparse.ArgumentParser, rounds: int, repeats: int) -> None:
    convnet = ROOT / "target/release/convnet"
    results = ROOT / "target/peers"
    parser.add_argument("--convnet", type=pathlib.Path, default=convnet, help="the release binary")
    parser.add_argument("--threads", type=positive, default=cores(), help="default: one a core")
    parser.add_argument("--rounds", type=positive, default=rounds, help=f"of turns; default {rounds}")
    parser.add_argument("--repeats", type=positive, default=repeats, help=f"timed in each turn; default {repeats}")
    parser.add_argument("--isa", choices=["avx2"], help="let all use no wider instructions than these")
    parser.add_argument("--precision", choices=["fast", "exact"], help="of convnet, if not its default")
    parser.add_argument("--report", type=pathlib.Path, default=results / "report.md", help="the Markdown file")
    parser.add_argument("--json", type=pathlib.Path, help="a file for all results of all runs")
    parser.add_argument("--cache", type=pathlib.Path, default=results, help="a folder for exported networks")


def check(args: argparse.Namespace) -> None:
    """Ends the program where convnet cannot run as asked; the peers may fail."""
    if not args.convnet.is_file():
        sys.exit(f"error: there is no {args.convnet}: run `cargo build --release`, or name the binary with --convnet")
    if args.precision and "--precision" not in bench_flags(args.convnet):
        sys.exit("error: this convnet has no --precision")


def bench_flags(convnet: pathlib.Path) -> set[str]:
    help_text = subprocess.run([convnet.resolve(), "bench", "--help"], capture_output=True, text=True).stdout
    return set(re.findall(r"--[a-z]+", help_text))


def sizes_program(args: argparse.Namespace) -> pathlib.Path:
    """What times other sizes of images, beside the binary."""
    return args.convnet.resolve().with_name("sizes")


def command(contestant: str, workload: Workload, args: argparse.Namespace) -> list[str]:
    options = [*workload.options(), "--threads", str(args.threads), "--repeats", str(args.repeats)]
    if contestant == "convnet":
        precision = ["--precision", args.precision] if args.precision else []
        program = [str(args.convnet.resolve()), "bench"] if workload.size is None else [str(sizes_program(args))]
        return [*program, *options, *precision, "--json"]
    isa = ["--isa", args.isa] if args.isa else []
    return [sys.executable, str(HERE / "peer.py"), contestant, *options, *isa, "--cache", str(args.cache)]


def raw(outcomes: Outcomes) -> str:
    """All results as JSON."""
    plain = {
        str(workload): {contestant: dataclasses.asdict(outcome) for contestant, outcome in of_all.items()}
        for workload, of_all in outcomes.items()
    }
    return json.dumps(plain, indent=1) + "\n"


def run(words: list[str], isa: str | None) -> dict[str, Any]:
    """The JSON object that a program prints last."""
    environment = os.environ | ({"CONVNET_ISA": isa} if isa else {})
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as expired:
        raise Failure(f"took more than {TIMEOUT_S} s") from expired
    except OSError as error:
        raise Failure(str(error)) from error
    if done.returncode < 0:
        raise Failure(f"ended by signal {-done.returncode}")
    if done.returncode:
        raise Failure((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    try:
        return json.loads(done.stdout[done.stdout.rfind("\n{") + 1 :])
    except ValueError as error:
        raise Failure(f"no result: {error}") from error


def in_turns(contestants: list[str], workload: Workload, args: argparse.Namespace) -> dict[str, Outcome]:
    """Every contestant once a round, every other round in reverse; one that failed is not asked again."""
    outcomes = {contestant: Outcome() for contestant in contestants}
    for number in range(args.rounds):
        print(f"{workload}: round {number + 1} of {args.rounds}", file=sys.stderr)
        for contestant in contestants[:: -1 if number % 2 else 1]:
            outcome = outcomes[contestant]
            if outcome.failure:
                continue
            try:
                outcome.results.append(run(command(contestant, workload, args), args.isa))
            except Failure as failure:
                outcome.failure = str(failure)
    return outcomes


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def failures(outcomes: Outcomes) -> str:
    """A line for each reason that a contestant gave, with the workloads that it stands for."""
    reasons: dict[str, list[str]] = {}
    for workload, contestants in outcomes.items():
        for contestant, outcome in contestants.items():
            if outcome.failure:
                reason = f"{PEERS.get(contestant, contestant)}: {outcome.failure}"
                reasons.setdefault(reason, []).append(str(workload))
    return "".join(f"* {reason} ({', '.join(workloads)})\n" for reason, workloads in reasons.items())


def header(outcomes: Outcomes, args: argparse.Namespace) -> str:
    """The machine, the programs, the command and the day, in a line."""
    contestants = dict.fromkeys(contestant for of_all in outcomes.values() for contestant in of_all)
    versions = ", ".join(version(contestant, outcomes, args) for contestant in contestants)
    turns = f"medians, rounds in turns: {args.rounds}"
    words = shlex.join(["python", f"benches/peers/{pathlib.Path(sys.argv[0]).name}", *sys.argv[1:]])
    shown = re.sub(r"(?<=[ =])/\S*/", "", words)  # An absolute path says nothing to readers elsewhere.
    machine = f"{processor()}, {cores()} cores, {instructions(args.isa)}, {args.threads} threads"
    return f"{machine}; {versions}; {turns}; `{shown}`; {datetime.date.today()}\n"


def version(contestant: str, outcomes: Outcomes, args: argparse.Namespace) -> str:
    if contestant == "convnet":
        done = subprocess.run([args.convnet.resolve(), "--version"], capture_output=True, text=True)
        results = [result for of_all in outcomes.values() for result in of_all["convnet"].results]
        used = dict.fromkeys(result[key] for key in ("precision", "isa") for result in results if key in result)
        return done.stdout.strip() + (f" ({', '.join(used)})" if used else "")
    try:
        return f"{PEERS[contestant]} {importlib.metadata.version(PACKAGES.get(contestant, contestant))}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {PEERS[contestant]}"


def cpuinfo() -> str:
    path = pathlib.Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", cpuinfo())
    return found[1] if found else platform.processor() or platform.machine()


def instructions(limit: str | None) -> str:
    if limit:
        return f"limited to {limit}"
    names = {"avx512f": "AVX-512", "avx2": "AVX2", "asimd": "NEON"}
    return next((name for flag, name in names.items() if flag in cpuinfo()), platform.machine())
