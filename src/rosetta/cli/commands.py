"""The command line: its commands, each of which imports what it needs when it is called."""

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rosetta.cli import check, history, lessons, machine, models, new, regress, report, run, site
from rosetta.cli.options import CommandWithSets
from rosetta.cli.show import show
from rosetta.escapes import printable
from rosetta.version import __version__

_UsageError: Any = typer.BadParameter.__base__


@contextlib.contextmanager
def _printable_messages() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        error.message = printable(error.message)
        raise


class _Commands(TyperGroup):
    """All commands; what is wrong with a command line may quote a file's name, which then is shown as it can be."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _printable_messages():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        with _printable_messages():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    name="rosetta",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Runs the **same** neural network in every deep-learning framework, **proves** that it is the same, and
measures them **side by side**.

Start with `rosetta run`: two networks, six contenders, about six minutes on two cores. A *contender* is written like a
requirement: `torch`, `torch[compile]`, `keras[jax]`, `torch==2.13.0`.""",
)
app.command(cls=CommandWithSets)(run.run)
app.command(cls=CommandWithSets)(run.verify)
app.command()(run.calibrate)
app.command()(check.check)
app.command()(models.train)
app.command()(models.predict)
app.command()(models.convert)
app.command("lessons")(lessons.list_lessons)
app.command()(lessons.lesson)
app.command("list")(report.list_)
app.command()(show)
app.command()(report.report)
app.command()(report.compare)
app.command()(regress.regress)
app.command()(regress.bisect)
app.command()(site.site)
app.command()(machine.doctor)
environments = typer.Typer(no_args_is_help=True, help="The contenders' virtual environments.")
environments.command("list")(machine.list_environments)
environments.command("remove")(machine.remove_environment)
app.add_typer(environments, name="env")
memory = typer.Typer(no_args_is_help=True, help="Many runs in one file: added, listed, asked by SQL, drawn over time.")
memory.command("add")(history.add)
memory.command("list")(history.list_)
memory.command("show")(history.show)
memory.command("query")(history.query)
memory.command("plot")(history.plot)
app.add_typer(memory, name="history")
new_things = typer.Typer(cls=new.NewThings, no_args_is_help=True, help="A start for something of your own.")
new_things.command("framework")(new.framework)
new_things.command("network")(new.network)
app.add_typer(new_things, name="new")


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
