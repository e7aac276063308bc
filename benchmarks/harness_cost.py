"""Measures what the harness costs: samples/s of an ordinary ``rosetta run`` over those of a bare loop.

    python benchmarks/harness_cost.py [--contender torch] [--workload mnist_mlp] [--launches 6] [--rounds 3] [--json F]

It conducts a real run. Beside each worker it starts ``plain/bare_loop.py`` in the same environment, with the same
variables, processors, arrays and batch order (or, where frameworks read the images with loaders of their own, the same
loader): the same trainer and implementation, but no host, no messages and no scheduler. It trains it for as many steps
as the worker was warmed up. In each round, just before or just after a worker's chunk (a coin decides), the bare loop
trains a chunk of as many steps, with the same lead-in outside the clock; whoever waits is stopped. The ratio is
estimated as ``rosetta run`` does it, paired by round, its interval over launches.

``--independent`` holds torch against ``plain/torch_plain.py`` instead, which was written apart from the
implementations and has the two default workloads.

Bound: 0.98 of the bare loop's samples/s, for every contender on every workload, on the CPU. Options given several
times select several; the current contenders on the two default workloads take about 15 minutes on two quiet cores.
With few launches most intervals span the bound: ``undecided``. Exit status 1 if an interval lies below the bound or a
contender wasn't measured.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.table import Table

from rosetta import datasets
from rosetta.benchmark.observer import Observer
from rosetta.benchmark.run import conduct
from rosetta.contenders.contender import DEFAULT_SET, Contender, parse_contender, read_set
from rosetta.contenders.manifest import frameworks
from rosetta.environments.build import build
from rosetta.environments.variables import clean_environment
from rosetta.files import file_name
from rosetta.paths import cache_folder, data_folder
from rosetta.record.directory import create
from rosetta.record.events import Event
from rosetta.record.plan import DEFAULT_WORKLOADS, Plan
from rosetta.record.result import Result
from rosetta.record.speeds import log_rates
from rosetta.record.statistics import rate, ratio
from rosetta.workloads import find_workload, workloads
from rosetta.workloads.prepared import prepare_workload

BOUND = 0.98
PLAIN = Path(__file__).parent / "plain"
BARE_LOOP, INDEPENDENT = PLAIN / "bare_loop.py", PLAIN / "torch_plain.py"


def covered(script: Path, contender: str, workload: str) -> bool:
    """Whether the script has the contender's framework and the workload."""
    return script == BARE_LOOP or (contender == "torch" and workload in DEFAULT_WORKLOADS)


class Script:
    """The process of one script; while it isn't asked anything it is stopped."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str], plan: Plan, log: Path):
        """Start it, its errors going to the file ``log``, and wait until it has built its network."""
        self._log = log
        with log.open("wb") as errors:
            # A group of its own in this session: if the benchmark is killed, the kernel hangs up on the stopped group.
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0,
            )
        os.sched_setaffinity(self._process.pid, plan.affinity)
        self._answer("ready")
        self._signal(signal.SIGSTOP)

    def train(self, first: int, lead_in: int, steps: int) -> float:
        """Let it run, train ``lead_in`` steps and then ``steps``, stop it again; return the latter's seconds."""
        self._signal(signal.SIGCONT)
        stdin: IO[str] = self._pipe(self._process.stdin)
        with suppress(BrokenPipeError):
            stdin.write(f"run {first} {lead_in} {steps}\n")
            stdin.flush()
        seconds = float(self._answer("seconds"))
        self._signal(signal.SIGSTOP)
        return seconds

    def close(self) -> None:
        """End the process."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._pipe(self._process.stdout).close()
        with suppress(BrokenPipeError):
            self._pipe(self._process.stdin).close()

    def _answer(self, word: str) -> str:
        for line in self._pipe(self._process.stdout):
            if line.startswith(word):
                return line.removeprefix(word).strip()
        self._process.wait()
        raise SystemExit(f"A script ended: {self._log.read_text(errors='replace')[-2000:]}")

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


class SideBySide(Observer):
    """Watches a run and trains the scripts beside its workers, never while a chunk runs."""

    def __init__(self, script: Path, plan: Plan, folder: Path, console: Console):
        self._script = script
        self._plan = plan
        self._folder = folder
        self._console = console
        self._scripts: dict[str, Script] = {}
        self._warm: dict[str, Event] = {}
        self._positions: dict[str, int] = {}
        self._before: dict[str, float] = {}
        self._epoch_samples: dict[str, int] = {}
        self._coin = random.Random(plan.seed)
        self.chunks: list[dict[str, Any]] = []

    def say(self, sentence: str) -> None:
        """Print it."""
        self._console.print(sentence, highlight=False, markup=False)

    def state(self, workload: str, label: str, state: str) -> None:
        """Perhaps train the script before the worker's chunk that is about to begin."""
        if state.startswith("launch ") and label in self._scripts and self._coin.random() < 0.5:
            self._before[label] = self._train(label)

    def event(self, event: Event) -> None:
        """Start a script when a worker is warm; train it after a worker's chunk unless it was before."""
        match event["event"]:
            case "data":
                self._epoch_samples[event["workload"]] = event["epoch_samples"]
            case "warm":
                self._start(event)
            case "chunk" if event["label"] in self._scripts:
                label = event["label"]
                script_first = label in self._before
                seconds = self._before.pop(label) if script_first else self._train(label)
                fields = {key: event[key] for key in ("workload", "label", "launch", "round", "steps", "seconds")}
                self.chunks.append({**fields, "script_seconds": seconds, "script_first": script_first})
            case "failure":
                self.say(f"{event['workload']}: {event['label']}: {event['stage']}: {event['reason']}")
            case "launch":
                self.close()
                self.say(f"launch {event['launch'] + 1} of {self._plan.launches} done")

    def close(self) -> None:
        """End the scripts."""
        for script in self._scripts.values():
            script.close()
        self._scripts.clear()

    def _start(self, warm: Event) -> None:
        label = warm["worker"]
        if label in self._scripts:
            self._scripts.pop(label).close()
        if not covered(self._script, label, warm["workload"]):
            return
        contender = parse_contender(label, frameworks())
        environment = build(contender)
        log = self._folder / "workers" / f"script {label}, {warm['workload']}, launch {warm['launch']}.log"
        process = Script(
            [environment.python, "-s", self._script, self._arguments(contender, warm)],
            clean_environment(environment.home) | self._plan.environment | environment.variables(contender),
            self._plan,
            log,
        )
        self._scripts[label] = process
        self._warm[label] = warm
        batch_size = find_workload(warm["workload"]).batch_size
        done = warm["trained_samples"] // batch_size
        first = warm["launch"] * self._epoch_samples[warm["workload"]] // batch_size
        self._positions[label] = first + done
        process.train(first, 0, 1)
        process.train(first + 1, 0, done - 1)

    def _arguments(self, contender: Contender, warm: Event) -> Path:
        workload, seed = find_workload(warm["workload"]), self._plan.seed
        described = self._folder / f"{file_name(workload.name)}, {file_name(contender.name)}.json"
        if not described.exists():
            given = Path(self._plan.data) if self._plan.data else None
            dataset = datasets.prepare(workload.dataset, given, cache_folder() / "data")
            prepared = prepare_workload(workload, dataset, self._folder, seed)
            arguments = {
                **prepared.data,
                "workload": workload.to_worker(),
                "folder": str(contender.framework.folder),
                "variants": list(contender.variants),
                "device": contender.device,
                "seed": seed,
                "parameters": str(prepared.parameters_file(seed)),
            }
            described.write_text(json.dumps(arguments))
        return described

    def _train(self, label: str) -> float:
        warm, first = self._warm[label], self._positions[label]
        self._positions[label] += warm["lead_in"] + warm["chunk_steps"]
        return self._scripts[label].train(first, warm["lead_in"], warm["chunk_steps"])


def report(script: Path, plan: Plan, chunks: Sequence[dict[str, Any]], result: Result | None, console: Console) -> bool:
    """Print the table; return whether every pair was measured and no interval lies below the bound."""
    table = Table("contender", "workload", "rosetta", "script", "ratio", "interval", f"≥ {BOUND}")
    for column in table.columns:
        column.no_wrap = True
    table.title, table.title_justify = f"samples/s, {plan.launches} launches × {plan.rounds} rounds", "left"
    fine = True
    reasons = {(w.workload, c.name): c.reason for w in result.results for c in w.contenders} if result else {}
    for contender in plan.contenders:
        for name in plan.workloads:
            mine = [c for c in chunks if (c["label"], c["workload"]) == (contender, name)]
            shown = contender.replace("[", r"\[")
            if not mine:
                reason = reasons.get((name, contender), "") if covered(script, contender, name) else "not covered"
                table.add_row(shown, name, "", "", "", "", reason or "not measured")
                fine = False
                continue
            batch_size = find_workload(name).batch_size
            ours = log_rates(mine, batch_size)
            other = log_rates(({**c, "seconds": c["script_seconds"]} for c in mine), batch_size)
            estimate = ratio(ours, other, plan.confidence)
            interval, verdict = "–", "undecided"
            if estimate.low is not None and estimate.high is not None:
                interval = f"{estimate.low:.3f} – {estimate.high:.3f}"
                verdict = "yes" if estimate.low >= BOUND else "no" if estimate.high < BOUND else "undecided"
            fine &= verdict != "no"
            speeds = [f"{rate(rates, plan.confidence).value:,.0f}" for rates in (ours, other)]
            table.add_row(shown, name, *speeds, f"{estimate.value:.3f}", interval, verdict)
    console.print(table)
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contender", action="append", help="default: the current ones")
    parser.add_argument("--workload", action="append", choices=list(workloads()), help="default: the default run's two")
    parser.add_argument("--launches", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the raw values there")
    parser.add_argument("--independent", action="store_true", help="torch against torch_plain.py")
    options = parser.parse_args()
    script = INDEPENDENT if options.independent else BARE_LOOP
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the workers and the scripts both inherit it
    data, console = data_folder(None), Console(width=None if sys.stdout.isatty() else 140)
    plan = Plan(
        workloads=options.workload or list(DEFAULT_WORKLOADS),
        contenders=options.contender or (["torch"] if options.independent else read_set(DEFAULT_SET, frameworks())),
        preset="quick",
        launches=options.launches,
        rounds=options.rounds,
        test_samples=0,
        data=str(data) if data else None,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        create(plan, folder)
        side_by_side, result = SideBySide(script, plan, folder, console), None
        try:
            result = conduct(folder, side_by_side)
        except KeyboardInterrupt:
            console.print("interrupted; this is what there is:")
        finally:
            side_by_side.close()
    if options.json:
        raw = {"plan": plan.model_dump(by_alias=True), "chunks": side_by_side.chunks}
        options.json.write_text(json.dumps(raw, indent=1) + "\n")
    fine = report(script, plan, side_by_side.chunks, result, console)
    sys.exit(0 if fine and result else 1)


if __name__ == "__main__":
    main()
