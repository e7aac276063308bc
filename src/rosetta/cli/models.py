"""The commands about weights: train, predict, convert."""

import contextlib
import sys
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from rosetta.cli.options import (
    DataOption,
    DeviceOption,
    FrameworksOption,
    ReplicasOption,
    complete_contender,
    complete_workload,
    err,
    out,
)
from rosetta.cli.training_progress import TrainingWatch
from rosetta.contenders.contender import Contender, parse_contender
from rosetta.contenders.manifest import Framework, frameworks
from rosetta.contenders.placement import check_replicas, placed
from rosetta.errors import RosettaError
from rosetta.models.convert import export, export_onnx, read
from rosetta.models.predict import predict
from rosetta.models.tensorboard import TensorBoardLog
from rosetta.models.train import TrainingObserver, train
from rosetta.models.weights import load_weights, save_weights
from rosetta.paths import data_folder
from rosetta.workloads import find_workload

app = typer.Typer()


@app.command("train")
def train_(
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
    frameworks_folder: FrameworksOption = None,
    seed: Annotated[int, typer.Option(help="Seed of parameters, batches and dropout.")] = 1,
) -> None:
    """Train a network in one framework; show loss and test accuracy of each epoch; keep the weights.

    Examples: `rosetta train cifar10_tpu_cnn --with jax --epochs 3 --save cifar10.safetensors` ·
    `rosetta train cifar10_tpu_cnn --with jax --replicas 8 --batch-size 1024`
    """
    wanted = find_workload(workload)
    chosen = placed(contender, frameworks(frameworks_folder or []), device, replicas)
    check_replicas(chosen, wanted, batch_size)
    checkpoint = save.with_name(f"{save.name}.checkpoint") if save else None
    with TrainingWatch(err, out, chosen.name) as watch, contextlib.ExitStack() as stack:
        observers: list[TrainingObserver] = [watch]
        if tensorboard is not None:
            observers.append(stack.enter_context(TensorBoardLog(tensorboard)))
        weights = train(
            wanted,
            chosen,
            epochs=epochs,
            batch_size=batch_size,
            data=data_folder(data),
            seed=seed,
            checkpoint=checkpoint,
            observers=observers,
        )
    if save is not None and checkpoint is not None:
        save_weights(save, weights)
        checkpoint.unlink(missing_ok=True)
        out.print(f"weights {save}", highlight=False, markup=False, soft_wrap=True)


@app.command("predict")
def predict_(
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
    loaded = load_weights(weights)
    # One network predicts, wherever several trained.
    name = contender or loaded.about.get("contender", "torch").partition("@")[0]
    chosen = placed(name, frameworks(frameworks_folder or []), device)
    found = predict(loaded, sample, chosen, top=top)
    if not out.is_terminal:
        rows = [{"sample": one.sample, "classes": dict(one.classes)} for one in found]
        sys.stdout.write(dumps(rows, indent=1, ensure_ascii=False) + "\n")
        return
    for one in found:
        words = "  ".join(f"{label} {probability:.1%}" for label, probability in one.classes)
        out.print(f"{one.sample}  {words}", highlight=False, markup=False, soft_wrap=True)


@app.command()
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
    frameworks_folder: FrameworksOption = None,
) -> None:
    """Carry weights into the form that a framework's users load without Rosetta, or back from there.

    Examples: `rosetta convert w.safetensors --to keras` · `rosetta convert w.safetensors --to onnx` ·
    `rosetta convert model.weights.h5 --from keras --workload cifar10_cnn`
    """
    known = frameworks(frameworks_folder or [])
    if (to is None) == (from_ is None):
        raise RosettaError("Give either --to or --from.", "rosetta convert --help has examples.")
    if from_ is not None:
        if workload is None:
            raise RosettaError("With --from say whose weights they are.", "Add, say, --workload cifar10_cnn.")
        target = out_file or file.with_name(f"{file.name.split('.')[0]}-rosetta.safetensors")
        save_weights(target, read(file, find_workload(workload), _any_back_end(from_, known)))
        out.print(f"weights {target}", highlight=False, markup=False, soft_wrap=True)
        return
    weights, stem = load_weights(file), file.name.split(".")[0]
    if to == "onnx":
        target = out_file or file.with_name(f"{stem}.onnx")
        trainer = parse_contender(weights.about.get("contender", "torch").partition("@")[0], known)
        lines = export_onnx(weights, trainer, target)
    else:
        contender = _any_back_end(str(to), known)
        suffix = next(iter(contender.framework.weights), "")
        target = out_file or file.with_name(f"{stem}-{contender.framework.name}{suffix}")
        lines = export(weights, contender, target)
    err.print(f"wrote {target}; load it with", highlight=False, markup=False, soft_wrap=True)
    out.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _any_back_end(text: str, known: dict[str, Framework]) -> Contender:
    """Read a contender; where only its framework is named, the first of its back ends will do."""
    framework = known.get(text)
    groups = framework.groups.values() if framework else ()
    return parse_contender(f"{text}[{','.join(members[0] for members in groups)}]" if groups else text, known)
