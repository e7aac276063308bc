"""Checks of CNTK 2.7 on today's Python: run by the environment's own Python, ``ENVIRONMENT/bin/python cntk_checks.py``.

The wheel was made for CPython 3.6 and OpenMPI 1.10; what it finds instead is Rosetta's. These checks hold the stand-in
for MPI against what MPI is for one process, and CNTK's numbers against NumPy's where no workload's proof looks.
They print what they measured, and end with status 1 if anything is off.
"""

import ctypes
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

FRAMEWORK = Path(__file__).resolve().parents[1] / "src" / "rosetta_worker" / "frameworks" / "cntk"
ALONE = """
import ctypes, sys
ctypes.CDLL(sys.argv[1])[sys.argv[2]]()
"""


def load_shims():
    spec = importlib.util.spec_from_file_location("shims", FRAMEWORK / "shims.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


load_shims()

import cntk as C  # noqa: E402
from cntk import layers as L  # noqa: E402

MPI = Path(C.__file__).parent / "libs" / "libmpi.so.12"


def close(what, found, expected, tolerance):
    """Print the relative L2 error and hold it against the tolerance."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape, (what, found.shape, expected.shape)
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    print(f"{what}: {error:.1e}")
    assert error <= tolerance, what


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def check_mpi_for_one_process():
    mpi = ctypes.CDLL(str(MPI))
    world = ctypes.byref(ctypes.c_char.in_dll(mpi, "ompi_mpi_comm_world"))
    add = ctypes.byref(ctypes.c_char.in_dll(mpi, "ompi_mpi_op_sum"))
    number = ctypes.c_int(7)
    for function, expected in ((mpi.MPI_Comm_size, 1), (mpi.MPI_Comm_rank, 0)):
        assert function(world, ctypes.byref(number)) == 0
        assert number.value == expected

    sizes = {"char": 1, "int": 4, "long_long_int": 8, "float": 4, "double": 8}
    for name, size in sizes.items():
        kind = ctypes.byref(ctypes.c_char.in_dll(mpi, f"ompi_mpi_{name}"))
        assert mpi.MPI_Type_size(kind, ctypes.byref(number)) == 0
        assert number.value == size
        sent = np.arange(1, 5 * size + 1, dtype=np.uint8)
        request = ctypes.c_void_p(1)
        for call, *rest in (
            (mpi.MPI_Allreduce, kind, add, world),
            (mpi.MPI_Reduce, kind, add, 0, world),
            (mpi.MPI_Iallreduce, kind, add, world, ctypes.byref(request)),
        ):
            received = np.zeros_like(sent)
            assert call(ctypes.c_void_p(sent.ctypes.data), ctypes.c_void_p(received.ctypes.data), 5, *rest) == 0
            assert (received == sent).all()
            in_place = sent.copy()
            assert call(ctypes.c_void_p(1), ctypes.c_void_p(in_place.ctypes.data), 5, *rest) == 0
            assert (in_place == sent).all()
        assert mpi.MPI_Wait(ctypes.byref(request), None) == 0
        assert request.value is None
        for call, *rest in ((mpi.MPI_Gather, 0, world), (mpi.MPI_Allgather, world)):
            received = np.zeros_like(sent)
            to = ctypes.c_void_p(received.ctypes.data)
            assert call(ctypes.c_void_p(sent.ctypes.data), 5, kind, to, 5, kind, *rest) == 0
            assert (received == sent).all()
        assert mpi.MPI_Bcast(ctypes.c_void_p(sent.ctypes.data), 5, kind, 0, world) == 0
        assert (sent == np.arange(1, 5 * size + 1)).all()

    part = ctypes.c_void_p()
    assert mpi.MPI_Comm_split(world, -32766, 0, ctypes.byref(part)) == 0
    assert part.value == ctypes.addressof(ctypes.c_char.in_dll(mpi, "ompi_mpi_comm_null"))


def check_what_mpi_lacks_says_so():
    done = subprocess.run([sys.executable, "-c", ALONE, str(MPI), "MPI_Sendrecv"], capture_output=True, text=True)
    assert done.returncode == -6, done
    assert done.stderr == "This MPI is for one process alone and has no MPI_Sendrecv.\n"


def check_distributed_training_alone():
    rng = np.random.RandomState(0)
    x, y = C.input_variable(4), C.input_variable(3)
    model = L.Dense(3)(x)
    learner = C.sgd(model.parameters, 0.1, minibatch_size=C.learners.IGNORE)
    distributed = C.train.distributed.data_parallel_distributed_learner(learner)
    trainer = C.Trainer(model, (C.cross_entropy_with_softmax(model, y), None), [distributed])
    values, labels = rng.randn(8, 4).astype("f"), np.eye(3, dtype="f")[rng.randint(0, 3, 8)]
    losses = []
    for _ in range(20):
        trainer.train_minibatch({x: values, y: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    assert C.Communicator.num_workers() == 1
    assert C.Communicator.rank() == 0
    assert losses[-1] < losses[0]


def check_forward():
    rng = np.random.RandomState(1)
    x = C.input_variable(6)
    first, second = L.Dense(4, activation=C.sigmoid), L.Dense(3)
    model = second(first(x))
    values = rng.randn(5, 6).astype("f")
    hidden = sigmoid(values @ first.W.value + first.b.value)
    close("dense, forward", model.eval({x: values}), hidden @ second.W.value + second.b.value, 1e-6)

    x = C.input_variable((2, 9, 9))
    model = L.Convolution2D((3, 3), 4, init_bias=0.5)(x)
    values = rng.randn(3, 2, 9, 9).astype("f")
    windows = np.lib.stride_tricks.sliding_window_view(values, (3, 3), axis=(2, 3))
    expected = np.einsum("ncyxij,kcij->nkyx", windows, model.W.value) + 0.5
    close("convolution, forward", model.eval({x: values}), expected, 1e-6)

    x = C.sequence.input_variable(3)
    cell = L.LSTM(4)
    model = L.Recurrence(cell)(x)
    parameters = {p.name: p for p in model.parameters}
    for p in parameters.values():
        p.value = rng.randn(*p.shape).astype("f")
    values = rng.randn(2, 5, 3).astype("f")
    W, H, b = (parameters[name].value for name in "WHb")
    h, c, outputs = np.zeros((2, 4)), np.zeros((2, 4)), []
    for t in range(5):
        i, g, f, o = np.split(values[:, t] @ W + h @ H + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    close("LSTM, forward", np.stack(model.eval({x: values})), np.stack(outputs, axis=1), 1e-6)


def check_gradients():
    rng = np.random.RandomState(2)
    x = C.input_variable(4, needs_gradient=True)
    w = C.parameter((4, 2), init=rng.randn(4, 2).astype("f"))
    function = C.reduce_sum(C.square(C.times(x, w)))
    values = rng.randn(3, 4).astype("f")
    gradients = function.grad({x: values}, [x, w])
    close("gradient of the input", gradients[x], 2 * values @ w.value @ w.value.T, 1e-6)
    close("gradient of the parameter", gradients[w], 2 * values.T @ (values @ w.value), 1e-6)


def check_momentum_in_float64():
    """Fifty steps of SGD with momentum on a small network, against NumPy in the same precision."""
    rng = np.random.RandomState(3)
    values, classes = rng.randn(32, 10), rng.randint(0, 4, 32)
    labels = np.eye(4)[classes]
    with C.default_options(dtype=np.float64):
        x, y = C.input_variable(10), C.input_variable(4)
        first, second = L.Dense(16, activation=C.tanh), L.Dense(4)
        model = second(first(x))
        learner = C.momentum_sgd(model.parameters, 0.1, 0.9, unit_gain=False, minibatch_size=C.learners.IGNORE)
        trainer = C.Trainer(model, (C.cross_entropy_with_softmax(model, y), None), [learner])
    tensors = [first.W, first.b, second.W, second.b]
    weights = [p.value for p in tensors]
    velocities = [np.zeros_like(w) for w in weights]
    found, expected = [], []
    for _ in range(50):
        trainer.train_minibatch({x: values, y: labels})
        found.append(trainer.previous_minibatch_loss_average)

        hidden = np.tanh(values @ weights[0] + weights[1])
        logits = hidden @ weights[2] + weights[3]
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        expected.append(-np.log(p[range(32), classes]).mean())
        d_logits = (p - labels) / 32
        d_hidden = d_logits @ weights[2].T * (1 - hidden**2)
        gradients = [values.T @ d_hidden, d_hidden.sum(axis=0), hidden.T @ d_logits, d_logits.sum(axis=0)]
        velocities = [0.9 * v + g for v, g in zip(velocities, gradients, strict=True)]
        weights = [w - 0.1 * v for w, v in zip(weights, velocities, strict=True)]
    close("50 steps with momentum, losses", found, expected, 1e-12)
    for tensor, weight in zip(tensors, weights, strict=True):
        close("50 steps with momentum, a parameter", tensor.value, weight, 1e-12)


def check_state_of_an_update_function():
    """What an update function assigns is there in the next step: a counter counts, though nothing else feeds it."""
    x = C.input_variable(2)
    w = C.parameter(2, init=np.zeros(2, "f"))
    count = C.constant(0, ())

    def update(parameters, gradients):
        step = C.assign(count, count + 1)
        return C.combine([C.assign(p, p + step + 0 * g) for p, g in zip(parameters, gradients, strict=True)])

    trainer = C.Trainer(None, (C.reduce_sum(x * w), None), [C.universal(update, [w])])
    for _ in range(10):
        trainer.train_minibatch({x: np.ones((3, 2), "f")})
    assert count.value == 10, count.value
    assert (w.value == 55).all(), w.value


def check_errors_become_exceptions():
    try:
        C.times(C.input_variable(3), C.parameter((4, 2)))
    except ValueError as error:
        assert "do not match" in str(error), error
    else:
        raise AssertionError("a product of sizes that don't fit was accepted")


def main():
    C.device.try_set_default_device(C.device.cpu())
    checks = {name: value for name, value in globals().items() if name.startswith("check_")}
    for name, check in checks.items():
        check()
        print(f"{name} passed", flush=True)


if __name__ == "__main__":
    main()
