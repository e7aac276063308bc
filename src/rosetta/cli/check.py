"""``rosetta check``: is a port of a network of one's own the same network?"""

from pathlib import Path
from typing import Annotated

import typer

import rosetta
from rosetta.cli.console import err, export, out
from rosetta.cli.options import DeviceOption, FrameworksOption, check_outputs
from rosetta.escapes import json_text


def check(
    network: Annotated[
        list[str],
        typer.Argument(
            metavar="STANDARD [PORT]...",
            help="Networks, as `CONTENDER:FILE.py:NAME` or `CONTENDER:package.module:NAME`, with arguments "
            "`'torch:model.py:Net(width=32)'`; the ports are held against the first. Or a folder "
            "with a `network.toml`.",
        ),
    ],
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="SHAPE",
            help="The shape of one sample, channels first: `3x32x32`; whole numbers: `int:LOW:HIGH:SHAPE`, real ones "
            "between two: `float:LOW:HIGH:SHAPE`. Repeat it "
            "for further inputs.",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHAPE",
            help="What the `loss` beside the networks gets besides the outputs: `int:0:10`, a class of each sample; or "
            "as --input. Repeat it for further targets.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Samples in the batch; 4, or a folder's own.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of inputs and networks.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print all that was found as JSON instead.")] = False,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Which parameters belong together, as --save-pairs wrote it.", show_default=False
        ),
    ] = None,
    save_pairs: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write there which were paired.", show_default=False)
    ] = None,
    package: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REQUIREMENT",
            help="A package that the networks need, in every contender's environment; or in one framework's: "
            "`torch:torchvision`. Repeat it.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    frameworks_folder: FrameworksOption = None,
) -> None:
    """Say whether ports of a network of yours are the same network; exit code 0 only where all are.

    Example: `rosetta check torch:model.py:Net torch:port.py:Net --input 3x32x32`
    """
    from rosetta.report.check import check_report

    check_outputs(save_pairs)
    result = rosetta.check(
        network[0],
        network[1:],
        inputs=given or (),
        targets=target or (),
        batch=batch,
        seed=seed,
        pairs=pairs,
        save_pairs=save_pairs,
        packages=package or (),
        device=device,
        frameworks=frameworks_folder or (),
        say=err.say,
    )
    if json:
        export(json_text(result.model_dump_json(indent=1)) + "\n")
    else:
        out.print(check_report(result))
        if save_pairs is not None:
            out.say(f"pairs   {save_pairs}")
    if not result.same:
        raise typer.Exit(1)
