"""The commands about weights: train, predict, convert."""

import contextlib
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import rosetta
from rosetta.cli.console import err, export, out
from rosetta.cli.options import (
    DataAsIsOption,
    DataOption,
    DeviceOption,
    FrameworksOption,
    ReplicasOption,
    complete_contender,
    complete_workload,
)
from rosetta.escapes import json_text

if TYPE_CHECKING:
    from rosetta import Prediction, TrainingObserver


def train(
    workload: Annotated[str, typer.Argument(help="A workload.", autocompletion=complete_workload)],
    contender: Annotated[
        str, typer.Option("--with", metavar="CONTENDER", help="A contender.", autocompletion=complete_contender)
    ],
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Default: those of the published protocol.", show_default=False)
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.safetensors",
            help="Keep the weights there; until they are done, after every epoch a checkpoint beside it, "
            "from which the same command goes on.",
            show_default=False,
        ),
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write losses and accuracies there for TensorBoard.", show_default=False),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Samples of a step, of all replicas together; default: the workload's.", show_default=False
        ),
    ] = None,
    device: DeviceOption = "auto",
    replicas: ReplicasOption = 1,
    data: DataOption = None,
    data_as_is: DataAsIsOption = False,
    frameworks_folder: FrameworksOption = None,
    seed: Annotated[int, typer.Option(help="Seed of parameters, batches and dropout.")] = 1,
) -> None:
    """Train a network in one framework; show loss and test accuracy of each epoch; keep the weights.

    Examples: `rosetta train cifar10_tpu_cnn --with jax --epochs 3 --save cifar10.safetensors` ·
    `rosetta train cifar10_tpu_cnn --with jax --replicas 8 --batch-size 1024`
    """
    from rosetta.cli.training_progress import TrainingWatch

    with TrainingWatch(err, out, contender) as watch, contextlib.ExitStack() as stack:
        observers: list[TrainingObserver] = [watch]
        if tensorboard is not None:
            from rosetta.models.tensorboard import TensorBoardLog

            observers.append(stack.enter_context(TensorBoardLog(tensorboard)))
        rosetta.train(
            workload,
            contender,
            epochs=epochs,
            batch_size=batch_size,
            device=device,
            replicas=replicas,
            data=data,
            data_as_is=data_as_is,
            frameworks=frameworks_folder or (),
            seed=seed,
            save=save,
            observers=observers,
        )
    if save is not None:
        out.say(f"weights {save}")


def predict(
    weights: Annotated[Path, typer.Argument(metavar="FILE.safetensors", help="Weights that `rosetta train` kept.")],
    sample: Annotated[
        list[str], typer.Argument(metavar="SAMPLE...", help="Picture files of any size; for networks of words, texts.")
    ],
    contender: Annotated[
        str | None,
        typer.Option(
            "--with",
            metavar="CONTENDER",
            help="Whose framework predicts; default: the one that trained.",
            autocompletion=complete_contender,
            show_default=False,
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.")] = 3,
    device: DeviceOption = "auto",
    frameworks_folder: FrameworksOption = None,
) -> None:
    """Say what is in pictures, or what texts say, by trained weights, in any framework; JSON where the output is piped.

    Examples: `rosetta predict cifar10.safetensors cat.jpg dog.png --with numpy` ·
    `rosetta predict imdb.safetensors "a film that I will see again"` ·
    `rosetta predict qa1.safetensors "Mary moved to the hall. John went to the garden. Where is Mary?"`
    """
    found = rosetta.predict(weights, sample, contender, top=top, device=device, frameworks=frameworks_folder or ())
    if not out.is_terminal:
        rows = [_row(one) for one in found]
        export(json_text(dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)) + "\n")
        return
    for one in found:
        words = "  ".join(f"{label} {probability:.1%}" for label, probability in one.classes)
        words += f"  ({'; '.join(one.notes)})" if one.notes else ""
        out.say(f"{one.sample}  {words}")


def _row(one: "Prediction") -> dict[str, object]:
    """Return a prediction as it stands in JSON."""
    notes = {"notes": list(one.notes)} if one.notes else {}
    return {"sample": one.sample, "classes": dict(one.classes), **notes}


def convert(
    file: Annotated[Path, typer.Argument(help="Weights that `rosetta train` kept; with --from a framework's own.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="FRAMEWORK", help="`torch`, `keras`, `jax` or `onnx`.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FRAMEWORK", help="Whose own file it is: `torch`, `keras`, `jax`.")
    ] = None,
    workload: Annotated[
        str | None, typer.Option(help="With --from: whose weights they are.", autocompletion=complete_workload)
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Default: beside the file.", show_default=False)
    ] = None,
    check: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="INPUTS.npy OUTPUTS.npy",
            help="With --from: inputs as the network takes them, and outputs of your own for them, which those of what "
            "was read must be; else exit code 1.",
            show_default=False,
        ),
    ] = None,
    frameworks_folder: FrameworksOption = None,
) -> None:
    """Carry weights into the form that a framework's users load without Rosetta, or back from there.

    Examples: `rosetta convert w.safetensors --to keras` · `rosetta convert w.safetensors --to onnx` ·
    `rosetta convert model.weights.h5 --from keras --workload cifar10_cnn` ·
    `rosetta convert model.safetensors --from torch --workload mnist_mlp --check inputs.npy outputs.npy`
    """
    from rosetta.models.convert import OutputsDiffer

    try:
        converted = rosetta.convert(
            file, to, from_=from_, workload=workload, out=out_file, check=check, frameworks=frameworks_folder or ()
        )
    except OutputsDiffer as error:
        err.say(str(error))
        raise typer.Exit(1) from error
    for note in converted.notes:
        err.say(note)
    if converted.difference is not None:
        err.say(f"checked: {converted.difference}")
    if from_ is not None:
        out.say(f"weights {converted.file}")
        return
    err.say(f"wrote {converted.file}; load it with")
    out.say("\n".join(converted.lines))
