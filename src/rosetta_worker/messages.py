"""What host and worker say to each other: every request with its reply, declared once for both sides.

A request names the method of the worker's session that answers it. Arrays don't travel in messages but in files, whose
paths do: ``.npz`` for several by name, ``.npy`` for one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Dict, Generic, List, Optional, Type, TypeVar


@dataclass
class Done:
    """A reply that says nothing but that it is done."""


@dataclass
class Imported:
    """The framework's import took so long; the environment has these distributions, by name, in these versions."""

    seconds: float
    packages: Dict[str, str]


@dataclass
class Opened:
    """The network's construction took so many seconds."""

    seconds: float


@dataclass
class Stepped:
    """The timed steps took so many seconds, with these losses: one a step, or their mean; None where not finite."""

    seconds: float
    losses: List[Optional[float]]


@dataclass
class Settled:
    """Asking for the parameters took so many seconds, and asking again so many."""

    first_seconds: float
    again_seconds: float


@dataclass
class Loss:
    """The loss of a batch; None where it isn't finite."""

    loss: Optional[float]


@dataclass
class Selected:
    """The smallest margin to a kink among the selected samples."""

    margin: float


@dataclass
class Accuracy:
    """So many of the predictions of ``count`` test samples are right."""

    correct: int
    count: int


@dataclass
class Latencies:
    """The seconds of each single prediction."""

    seconds: List[float]


@dataclass
class Abilities:
    """The names of the trainer's public methods and attributes."""

    methods: List[str]


@dataclass
class Memory:
    """The largest resident size since the workload was opened, a loader's processes included, in bytes."""

    peak_bytes: int


@dataclass
class Multiplied:
    """The seconds of each matrix product, in the framework's ``own`` way or else in NumPy's."""

    seconds: List[float]
    own: bool


@dataclass
class OwnTensor:
    """A parameter, running statistic or constant of a network of the user's own."""

    path: str
    shape: List[int]
    dtype: str
    role: str
    """"parameter"; "statistic", which a step in training mode changes; or "constant"."""
    kind: str
    """As of canonical parameters ("dense_weight", "norm_scale"); empty where the framework doesn't know."""
    layout: str
    """A letter for each axis ("OI", "HWIO"), where the kind says what it is; else empty. "h" and "d" are an attention's
    heads and the features of each: "Ihd", "hdO"."""
    trainable: bool
    cell: str = ""
    """Which recurrent cell or attention it is of, where its class cuts tensors in a way that it says; else empty."""
    parts: str = ""
    """Then what it is there: the family, the parts of its outputs, those of its inputs: "lstm i,f,g,o x", where x are
    inputs and h the state; a bias, "gru r,z,hn", has no third word."""


@dataclass
class ModuleCall:
    """A call of a sub-module: its path, its class, and the shape of the first array that it gave."""

    path: str
    kind: str
    shape: List[int]


@dataclass
class Described:
    """What a network of the user's own is made of, and whether two evaluations of the same inputs differ."""

    tensors: List[OwnTensor]
    calls: List[ModuleCall]
    random: bool
    channels_last: Optional[bool] = None
    """Whether it takes images so, where both were tried; None where there are none, or frameworks have one order."""
    loss: bool = False
    optimizer: bool = False
    """Whether the user has a ``loss``, and a ``make_optimizer``, beside it."""


@dataclass
class Calculation:
    """The scalar, None where it isn't finite, and the rates of the dropouts that were met, in their order."""

    scalar: Optional[float]
    drops: List[float]


@dataclass
class Calls:
    """Calls of sub-modules, in the order in which they returned."""

    calls: List[ModuleCall]


@dataclass
class Losses:
    """The loss before each step, None where it isn't finite."""

    losses: List[Optional[float]]


Reply = TypeVar("Reply")


class Request(Generic[Reply]):
    """A message from the host; its class says which method answers it and with which reply."""

    method: ClassVar[str]
    reply: ClassVar[Type[Any]] = Done


@dataclass
class ImportFramework(Request[Imported]):
    """Import the framework that lies in ``folder``; with ``processes`` by as many processes, one for each replica."""

    method = "import_framework"
    reply = Imported
    folder: str
    device: str
    variants: List[str]
    replicas: int = 1
    processes: int = 0


@dataclass
class Open(Request[Opened]):
    """Build a workload's network in place of any other; without ``data`` it is only asked about given inputs."""

    method = "open"
    reply = Opened
    workload: Dict[str, Any]
    data: Optional[Dict[str, Any]]
    dropout: bool
    seed: int
    rank: Optional[int] = None
    """Of a replica that is a process: which of them it is, from 0 on."""
    rendezvous: Optional[str] = None
    """Where such replicas find each other: a path that doesn't exist yet, the same for all."""


@dataclass
class Leave(Request[Done]):
    """Let go of the open workload."""

    method = "leave"


@dataclass
class LoadParameters(Request[Done]):
    """Load canonical parameters from an ``.npz`` file; the optimiser starts anew."""

    method = "load_parameters"
    file: str


@dataclass
class Parameters(Request[Done]):
    """Write the canonical parameters to an ``.npz`` file."""

    method = "parameters"
    file: str


@dataclass
class Predict(Request[Done]):
    """Write the logits of the training batch of step ``first`` to an ``.npy`` file."""

    method = "predict"
    first: int
    file: str


@dataclass
class LossAndGradients(Request[Loss]):
    """Write the gradients on the training batch of step ``first`` to an ``.npz`` file; the reply has the loss."""

    method = "loss_and_gradients"
    reply = Loss
    first: int
    file: str


@dataclass
class Steps(Request[Stepped]):
    """Do ``lead_in`` steps outside the clock, then ``steps`` inside it, from step ``first`` of the order on.

    ``slowdown`` plants a sleep of that fraction of the time, to try what a comparison can detect.
    """

    reply = Stepped
    first: int
    steps: int
    lead_in: int = 0
    slowdown: float = 0.0


@dataclass
class Train(Steps):
    """Train on the host's batches."""

    method = "train"


@dataclass
class TrainOn(Request[Stepped]):
    """Train on the batches in an ``.npz`` file: inputs by their names, (steps, batch, …), and "labels"."""

    method = "train_on"
    reply = Stepped
    file: str


@dataclass
class TrainFromFiles(Steps):
    """Train on what the framework's own loader reads; it goes on where it was, whatever ``first`` says."""

    method = "train_from_files"


@dataclass
class Loaded(Request[Done]):
    """Write the next batches of the framework's own loader, ``images`` and ``labels``, to an ``.npz`` file."""

    method = "loaded"
    steps: int
    file: str


@dataclass
class UseData(Request[Done]):
    """Take all batches, and what the framework's own loader reads, from other data than ``Open`` named."""

    method = "use_data"
    data: Dict[str, Any]


@dataclass
class Infer(Steps):
    """Predict, as ``Train`` trains: for networks that are never trained.

    The outputs of the timed steps, (steps · batch, …), are written to an ``.npy`` file if one is named.
    """

    method = "infer"
    file: Optional[str] = None


@dataclass
class Settle(Request[Settled]):
    """Ask for the parameters twice: what the device was still busy with makes the first time take longer."""

    method = "settle"
    reply = Settled


@dataclass
class Latency(Request[Latencies]):
    """Predict ``count`` samples one by one, each under its own clock, after one that compiles.

    The outputs of all, (count + 1, …), are written to an ``.npy`` file if one is named.
    """

    method = "latency"
    reply = Latencies
    count: int
    file: Optional[str] = None


@dataclass
class SelectBatches(Request[Selected]):
    """Have the reference select well-conditioned batches for ``steps`` among the first ``candidates`` samples.

    Their rows of the order are written to an ``.npy`` file.
    """

    method = "select_batches"
    reply = Selected
    candidates: int
    steps: int
    file: str


@dataclass
class TakeAccuracy(Request[Accuracy]):
    """Count the right classes among the first ``count`` test samples; None: all of them."""

    method = "accuracy"
    reply = Accuracy
    count: Optional[int]


@dataclass
class Outputs(Request[Done]):
    """Write the logits of the inputs in an ``.npz`` file, by the inputs' names, to an ``.npy`` file."""

    method = "outputs"
    inputs: str
    file: str


@dataclass
class AskAbilities(Request[Abilities]):
    """Name the trainer's methods."""

    method = "abilities"
    reply = Abilities


@dataclass
class Reseed(Request[Done]):
    """Start dropout's random numbers anew."""

    method = "reseed"
    seed: int


@dataclass
class OptimizerState(Request[Done]):
    """Write the optimiser's state to an ``.npz`` file."""

    method = "optimizer_state"
    file: str


@dataclass
class LoadOptimizerState(Request[Done]):
    """Load the optimiser's state from an ``.npz`` file."""

    method = "load_optimizer_state"
    file: str


@dataclass
class SetStepsDone(Request[Done]):
    """Have the optimiser think that it has done so many steps; what it has accumulated stays."""

    method = "set_steps_done"
    steps: int


@dataclass
class OwnWeights(Request[Done]):
    """Write all weights to an ``.npz`` file, by the framework's own names."""

    method = "own_weights"
    file: str


@dataclass
class LoadOwnWeights(Request[Done]):
    """Load weights by the framework's own names from an ``.npz`` file."""

    method = "load_own_weights"
    file: str


@dataclass
class Save(Request[Done]):
    """Have the framework write its network to a file as its users do."""

    method = "save"
    file: str


@dataclass
class Restore(Request[Done]):
    """Have the framework read such a file."""

    method = "restore"
    file: str


@dataclass
class AskMemory(Request[Memory]):
    """Ask for the peak memory."""

    method = "memory"
    reply = Memory


@dataclass
class Multiply(Request[Multiplied]):
    """Multiply two float32 matrices of ``size`` × ``size`` values, again and again for so many seconds."""

    method = "multiply"
    reply = Multiplied
    size: int
    seconds: float


@dataclass
class OpenOwn(Request[Opened]):
    """Build a network of the user's own, in float32, in place of any other.

    It is ``name`` in a ``file`` or else in a ``module``, called with ``arguments`` if it isn't a network itself; the
    worker goes to ``folder``. The inputs that it will be asked about are in an ``.npz`` file, by position.
    """

    method = "open_own"
    reply = Opened
    folder: str
    file: Optional[str]
    module: Optional[str]
    name: str
    arguments: Dict[str, Any]
    inputs: str
    seed: int


@dataclass
class Describe(Request[Described]):
    """Describe the open network of the user's own."""

    method = "describe"
    reply = Described


@dataclass
class OwnOutputs(Request[Done]):
    """Write such a network's outputs in evaluation mode to an ``.npz`` file, by name."""

    method = "own_outputs"
    file: str


@dataclass
class Calculate(Request[Calculation]):
    """Run such a network forward and backward, dropout off.

    The factors of the outputs' values are in an ``.npz`` file, by the outputs' names. Written to another: what was
    found, as "outputs/NAME", "gradients/PATH" and, in training mode, "statistics/PATH". Where ``nudge`` isn't
    0, it seeds by which each input value is moved by a float32 rounding, up, down or not at all.
    """

    method = "calculate"
    reply = Calculation
    factors: str
    training: bool
    file: str
    nudge: int = 0


@dataclass
class ModuleOutputs(Request[Done]):
    """Write what each call of a sub-module was given and gave, in evaluation mode, to an ``.npz`` file.

    The first array of each, as "given/N" and "gave/N", N being the call's number in ``Described``.
    """

    method = "module_outputs"
    file: str


@dataclass
class TrainingModules(Request[Calls]):
    """Write what each call of a sub-module was given and gave in training mode, dropout off, to an ``.npz`` file.

    As "given/N" and "gave/N", and as "gradient/N" the scalar's gradient at what it gave, N being the call's number in
    the reply. The factors are those of ``Calculate``.
    """

    method = "training_modules"
    reply = Calls
    factors: str
    file: str


@dataclass
class OptimizerSteps(Request[Losses]):
    """Train such a network on its inputs with the user's optimiser, and leave its parameters as they were.

    The user's ``loss`` gets the targets of an ``.npz`` file, by position; or else, where ``loss`` is false, the scalar
    of ``Calculate`` is minimised. Written to another: "parameters/N/PATH" after each of the steps in ``kept``, which
    are counted from 1, and "gradients/N/PATH" in each of the first ``gradients`` steps. ``nudge`` as of ``Calculate``.
    """

    method = "optimizer_steps"
    reply = Losses
    factors: str
    targets: str
    loss: bool
    kept: List[int]
    gradients: int
    file: str
    nudge: int = 0


@dataclass
class ToFloat64(Request[Done]):
    """Have such a network compute in float64; its weights are then loaded anew."""

    method = "to_float64"


_REQUESTS: Dict[str, Type[Request[Any]]] = {
    request.method: request
    for request in (
        *(ImportFramework, Open, Leave, LoadParameters, Parameters, Predict, LossAndGradients, Train, TrainFromFiles),
        *(TrainOn, Infer, Settle, Latency, SelectBatches, TakeAccuracy, Outputs, AskAbilities, Reseed),
        *(OptimizerState, LoadOptimizerState, SetStepsDone, OwnWeights, LoadOwnWeights, Save, Restore, AskMemory),
        *(Loaded, UseData, Multiply, OpenOwn, Describe, OwnOutputs, Calculate, ToFloat64, ModuleOutputs),
        *(TrainingModules, OptimizerSteps),
    )
}


def to_message(request: Request[Any]) -> Dict[str, Any]:
    """Return a request as it travels."""
    return {"method": request.method, "arguments": asdict(request)}  # type: ignore[call-overload]


def from_message(message: Dict[str, Any]) -> Request[Any]:
    """Read a request; raise ``ValueError`` or ``TypeError`` where there is none such."""
    if message.get("method") not in _REQUESTS:
        raise ValueError("there is no method {!r}".format(message.get("method")))
    return _REQUESTS[message["method"]](**message["arguments"])
