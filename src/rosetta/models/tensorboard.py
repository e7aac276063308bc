"""Writes a training's losses and accuracies for TensorBoard, by tensorboardX."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rosetta.errors import RosettaError, storage_error
from rosetta.models.checkpoint import EpochEnd
from rosetta.models.train import Progress, TrainingObserver


class TensorBoardLog(TrainingObserver):
    """Scalars by training step: ``train/loss``, ``train/samples_per_second``, and ``test/accuracy`` of each epoch."""

    def __init__(self, folder: Path):
        """Raise ``RosettaError`` where tensorboardX isn't installed or the folder can't be written."""
        try:
            import tensorboardX
        except ImportError as error:
            raise RosettaError(
                "--tensorboard needs the package tensorboardX.", "pip install tensorboardX, or rosetta-dl[tensorboard]"
            ) from error
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, folder, "made") from error
        self._folder = folder
        self._make: Any = tensorboardX.SummaryWriter
        self._writer: Any = None
        self._step = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer:
            self._writer.close()

    def progress(self, progress: Progress) -> None:
        """Write the losses since the last report."""
        step = (progress.epoch - 1) * progress.steps_per_epoch + progress.steps
        if self._writer is None:
            # A resumed training: what one that was killed wrote after its checkpoint is no longer shown.
            self._writer = self._make(str(self._folder), purge_step=step - len(progress.losses))
        for at, loss in enumerate(progress.losses, start=step - len(progress.losses) + 1):
            self._writer.add_scalar("train/loss", loss, at)
        self._writer.add_scalar("train/samples_per_second", progress.samples_per_second, step)
        self._step = step

    def epoch(self, end: EpochEnd) -> None:
        """Write the test accuracy."""
        self._writer.add_scalar("test/accuracy", end.accuracy, self._step)
        self._writer.flush()
