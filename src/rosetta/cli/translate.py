"""``rosetta translate``: a network of one's own in another framework, proven to be the same."""

from pathlib import Path
from typing import Annotated

import typer

from rosetta.cli.console import err, export, out
from rosetta.cli.options import DeviceOption, FrameworksOption, check_outputs


def translate(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="As of `rosetta check`: `torch:model.py:Net`.")],
    to: Annotated[str, typer.Option("--to", metavar="FRAMEWORK", help="Into which framework: `jax`.")],
    given: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="SHAPE", help="As of `rosetta check`. Repeat it for further inputs."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=2, help="Samples in the batch by which it is proven; 4.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of inputs and network.")] = 1,
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where it is written.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the text too.")] = False,
    package: Annotated[
        list[str] | None, typer.Option(metavar="REQUIREMENT", help="A package that the network needs. Repeat it.")
    ] = None,
    device: DeviceOption = "auto",
    frameworks_folder: FrameworksOption = None,
) -> None:
    """Write a network of yours in another framework, and prove that it is the same; exit code 0 only where it is.

    Example: `rosetta translate torch:model.py:Net --to jax --input 3x32x32`
    """
    import rosetta
    from rosetta.report.check import check_report

    check_outputs(file)
    found = rosetta.translate(
        network,
        to,
        inputs=given or (),
        batch=batch,
        seed=seed,
        out=file,
        packages=package or (),
        device=device,
        frameworks=frameworks_folder or (),
        say=err.say,
    )
    if show:
        export(found.text)
    if found.proof is not None:
        out.print(check_report(found.proof))
    else:
        out.say(f"not proven: {found.failure}")
    out.say(f"written to {found.file}")
    if not found.proven:
        raise typer.Exit(1)
