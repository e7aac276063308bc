"""The command line: every command is a thin layer over a documented Python call."""

import sys
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from rosetta import __version__
from rosetta.benchmark.run import conduct
from rosetta.cli import doctor
from rosetta.cli.listings import contender_table, proof_table, run_table, workload_table
from rosetta.cli.models import app as weights_app
from rosetta.cli.options import (
    AllOption,
    DataOption,
    DeviceOption,
    FrameworksOption,
    OutOption,
    ReplicasOption,
    SeedOption,
    SetOption,
    WithOption,
    WorkloadsArgument,
    complete_contender,
    complete_workload,
    err,
    out,
)
from rosetta.cli.progress import Watch
from rosetta.cli.show import show
from rosetta.contenders.contender import DEFAULT_SET, read_set
from rosetta.contenders.manifest import frameworks
from rosetta.contenders.placement import Wanted, check_replicas, placed
from rosetta.environments import build as environments
from rosetta.errors import RosettaError, unknown
from rosetta.paths import data_folder
from rosetta.record.calibration import comparisons
from rosetta.record.directory import create, new_folder, read_result
from rosetta.record.events import read_events
from rosetta.record.plan import PRESETS, Plan, find_preset, read_plan
from rosetta.record.result import Result
from rosetta.report.calibration import calibration_table
from rosetta.report.exports import to_csv, to_markdown
from rosetta.report.terminal import compare_table, result_table
from rosetta.report.write import write_report
from rosetta.workloads import find_workload, workloads

RUNS = Path("runs")
DEFAULT_WORKLOADS = ("mnist_mlp", "cifar10_cnn")

app = typer.Typer(
    name="rosetta",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Runs the **same** neural network in every deep-learning framework, **proves** that it is the same, and
measures them **side by side**.

Start with `rosetta run`: two networks, six contenders, about six minutes on two cores. A *contender* is written like a
requirement: `torch`, `torch[compile]`, `keras[jax]`, `torch==2.13.0`.""",
)
environment_app = typer.Typer(no_args_is_help=True, help="The contenders' virtual environments.")
app.add_typer(weights_app)
app.add_typer(environment_app, name="env")


@app.command()
def run(
    workload: WorkloadsArgument = None,
    contender: WithOption = None,
    set_: SetOption = None,
    all_: AllOption = False,
    preset: Annotated[str, typer.Option(help=" ".join(f"`{n}`: {p.meaning}." for n, p in PRESETS.items()))] = "quick",
    launches: Annotated[
        int | None, typer.Option(min=1, help="Sets of fresh processes; more narrow the intervals.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Chunks of every contender in each launch.")] = None,
    data: DataOption = None,
    out_folder: OutOption = None,
    json: Annotated[str | None, typer.Option(help="Write result.json there too; - for standard output.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with an interrupted run, of whatever kind.", show_default=False)
    ] = None,
    one_at_a_time: Annotated[
        bool, typer.Option("--one-at-a-time", help="For memory that can't hold all workers.")
    ] = False,
    device: DeviceOption = "auto",
    replicas: ReplicasOption = 1,
    weak: Annotated[
        bool, typer.Option("--weak", help="Weak scaling: each replica has a whole batch, instead of a part of one.")
    ] = False,
    frameworks_folder: FrameworksOption = None,
    seed: SeedOption = 1,
) -> None:
    """Prove and race contenders on workloads; show who is fastest, by how much, and how sure that is.

    Examples: `rosetta run` · `rosetta run mnist_mlp --with torch --with jax` ·
    `rosetta run --with torch==2.13.0 --with torch==2.12.0` · `rosetta run --resume runs/NAME`
    """
    if resume is not None:
        folder = resume
        plan = read_plan(folder / "plan.json")
    else:
        names = _chosen(workload, all_)
        chosen = find_preset(preset, len(names))
        plan = _plan(
            names,
            contender,
            set_,
            data,
            frameworks_folder,
            kind="run",
            preset=preset,
            launches=launches or chosen.launches,
            rounds=rounds or chosen.rounds,
            epochs=chosen.epochs,
            test_samples=chosen.test_samples,
            one_at_a_time=one_at_a_time,
            device=device,
            replicas=replicas,
            weak=weak,
            seed=seed,
        )
        folder = out_folder or new_folder(RUNS, plan)
        create(plan, folder)
    result = _conduct(plan, folder)
    if json is not None:
        text = result.model_dump_json(by_alias=True, indent=1) + "\n"
        if json == "-":
            sys.stdout.write(text)
        else:
            _write(Path(json), text)
    if json != "-":
        _show(plan, result, folder)
    _exit_unless_all_ok(result)


@app.command()
def verify(
    workload: WorkloadsArgument = None,
    contender: WithOption = None,
    set_: SetOption = None,
    all_: AllOption = False,
    data: DataOption = None,
    out_folder: OutOption = None,
    device: DeviceOption = "auto",
    replicas: ReplicasOption = 1,
    frameworks_folder: FrameworksOption = None,
    seed: SeedOption = 1,
) -> None:
    """Prove that contenders compute the same network, without timing them."""
    plan = _plan(
        _chosen(workload, all_), contender, set_, data, frameworks_folder, kind="verify", preset="smoke", launches=1,
        rounds=1, test_samples=0, device=device, replicas=replicas, seed=seed,
    )  # fmt: skip
    folder = out_folder or new_folder(RUNS, plan)
    create(plan, folder)
    result = _conduct(plan, folder)
    _show(plan, result, folder)
    _exit_unless_all_ok(result)


@app.command()
def calibrate(
    workload: Annotated[str, typer.Argument(help="A workload.", autocompletion=complete_workload)],
    contender: Annotated[
        str, typer.Argument(help="A contender, raced against itself.", autocompletion=complete_contender)
    ],
    comparisons_wanted: Annotated[int, typer.Option("--comparisons", min=1, help="How many A/A comparisons.")] = 1,
    launches: Annotated[int, typer.Option(min=2, help="Launches in each comparison.")] = 6,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in each launch.")] = 12,
    plant: Annotated[
        list[float] | None, typer.Option(help="Also race a copy slowed by this fraction, e.g. 0.1; repeat it.")
    ] = None,
    data: DataOption = None,
    out_folder: OutOption = None,
    device: DeviceOption = "auto",
    frameworks_folder: FrameworksOption = None,
    seed: SeedOption = 1,
) -> None:
    """Race a contender against itself: how often would a difference be seen that isn't there?"""
    plan = _plan(
        [workload], [contender], None, data, frameworks_folder, kind="calibrate", preset="smoke",
        launches=launches * comparisons_wanted, comparison_launches=launches, rounds=rounds, test_samples=0,
        device=device, seed=seed, planted_slowdowns=sorted(plant or []),
    )  # fmt: skip
    folder = out_folder or new_folder(RUNS, plan)
    create(plan, folder)
    result = _conduct(plan, folder)
    _show(plan, result, folder)
    _exit_unless_all_ok(result)


@app.command("list")
def list_(
    what: Annotated[str, typer.Argument(help="workloads, contenders or runs", metavar="workloads|contenders|runs")],
) -> None:
    """List workloads, contenders or runs."""
    tables: dict[str, Callable[[], Table]] = {
        "workloads": workload_table,
        "contenders": contender_table,
        "runs": lambda: run_table(RUNS),
    }
    if what not in tables:
        raise unknown("list", what, tables)
    out.print(tables[what]())


app.command()(show)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")],
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    csv_file: Annotated[
        str | None, typer.Option("--csv", help="Write a CSV table there; - for standard output.")
    ] = None,
    markdown: Annotated[str | None, typer.Option(help="Write Markdown tables there; - for standard output.")] = None,
) -> None:
    """Make a run's result and page anew from its events, show the tables, export them."""
    result = write_report(folder)
    for target, text in ((csv_file, to_csv), (markdown, to_markdown)):
        if target == "-":
            sys.stdout.write(text(result))
        elif target is not None:
            _write(Path(target), text(result))
    if "-" not in (csv_file, markdown):
        _show(read_plan(folder / "plan.json"), result, folder)
    if open_:
        webbrowser.open((folder / "report.html").resolve().as_uri())


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="A run's directory.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another.")],
) -> None:
    """Compare the ratios of two runs; times of two runs mean nothing to each other."""
    out.print(compare_table(read_result(first), read_result(second)))


@app.command("doctor")
def doctor_(data: DataOption = None) -> None:
    """Look at the machine: cores, memory, governor, noise measured for a few seconds, environments, data."""
    out.print(doctor.examine(data_folder(data)))


@environment_app.command("list")
def environment_list() -> None:
    """List the environments that are built."""
    table = Table("environment", "packages", "built in")
    for environment in environments.existing():
        table.add_row(environment.folder.name, ", ".join(environment.packages), f"{environment.build_seconds:.1f} s")
    out.print(table)
    out.print(f"in {environments.environments_folder()}", highlight=False)


@environment_app.command("remove")
def environment_remove(name: Annotated[str, typer.Argument(help="Its name in `rosetta env list`, or `all`.")]) -> None:
    """Remove an environment; it is built again when it is needed."""
    for found in [e.folder.name for e in environments.existing()] if name == "all" else [name]:
        environments.remove(found)
        out.print(f"removed {found}", highlight=False)


def _chosen(names: Sequence[str] | None, all_: bool) -> list[str]:
    if all_ and names:
        raise RosettaError("Workloads are named and --all is given too.", "Leave out one of the two.")
    return list(workloads()) if all_ else list(names or DEFAULT_WORKLOADS)


def _plan(
    names: Sequence[str],
    contenders: Sequence[str] | None,
    set_: str | None,
    data: Path | None,
    frameworks_folders: Sequence[Path] | None,
    device: Wanted = "auto",
    replicas: int = 1,
    **fields: object,
) -> Plan:
    known = frameworks(frameworks_folders or [])
    folder = data_folder(data)
    members = read_set(set_ or DEFAULT_SET, known) if set_ or not contenders else []
    workloads = list(dict.fromkeys(find_workload(name).name for name in names))
    named = [placed(text, known, device, replicas) for text in contenders or []]
    of_set = [placed(text, known, device, replicas) for text in members]
    for contender in (*of_set, *named):
        for workload in workloads:
            check_replicas(contender, find_workload(workload))
    own = [contender.name for contender in named]
    return Plan(
        workloads=workloads,
        contenders=[*(contender.name for contender in of_set if contender.name not in own), *own],
        data=str(folder.absolute()) if folder else None,
        frameworks=[str(path.absolute()) for path in frameworks_folders or []],
        **fields,  # type: ignore[arg-type]
    )


def _conduct(plan: Plan, folder: Path) -> Result:
    try:
        with Watch(plan, err) as watch:
            return conduct(folder, watch)
    except KeyboardInterrupt:
        sentence = f"\nInterrupted. What was measured is in {folder}; go on with: rosetta run --resume {folder}"
        err.print(sentence, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(130) from None


def _show(plan: Plan, result: Result, folder: Path) -> None:
    """Print what a run of its kind found out."""
    match plan.kind:
        case "run":
            for workload in result.results:
                out.print(result_table(workload, result.protocol))
            out.print(f"page    {folder / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
        case "verify":
            for workload in result.results:
                out.print(proof_table(workload))
        case "calibrate":
            out.print(calibration_table(plan, comparisons(plan, read_events(folder / "events.jsonl"))))
    out.print(f"record  {folder}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"again   {plan.command}", highlight=False, markup=False, soft_wrap=True)


def _exit_unless_all_ok(result: Result) -> None:
    if any(contender.status != "ok" for workload in result.results for contender in workload.contenders):
        err.print("Not all contenders finished; the reasons stand beside them.")
        raise typer.Exit(1)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RosettaError(f"{path} can't be written: {error.strerror}.") from error


def _version(wanted: bool) -> None:
    if wanted:
        print(f"rosetta {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; a ``RosettaError`` is a message and exit code 2, Ctrl-C is 130."""
    try:
        app()
    except RosettaError as error:
        err.print(f"[red]error:[/red] {escape(error.cause)}", highlight=False, soft_wrap=True)
        if error.remedy:
            err.print(error.remedy, markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
