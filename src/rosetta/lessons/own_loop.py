"""Lesson 1: a loop of one's own, or the framework's training function."""

from rosetta.lessons.spec import FULL, Edit, Lesson, Ratio, Side

_FIT = """\
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
"""
_TRAIN_ON_BATCH = """\
    losses = []
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        losses.append(model.train_on_batch(images[batch], labels[batch]))
    return losses
"""
_BY_HAND = tuple(Edit(file, _FIT, _TRAIN_ON_BATCH) for file in ("mnist_mlp.py", "cifar10_cnn.py"))

_MODULE_LOOP = '''\
def train(module, batches):
    """Train on batches of images and labels and return the mean loss."""
    loss = mx.metric.CrossEntropy()
    for batch in batches:
        module.forward_backward(batch)
        module.update()
        module.update_metric(loss, batch.label)
    return loss.get()[1]
'''
_MODULE_FIT = '''\
class Batches:
    """What ``fit`` asks of a ``DataIter``, for batches that lie in memory."""

    def __init__(self, module, batches):
        self.provide_data, self.provide_label = module.data_shapes, module.label_shapes
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def reset(self):
        """Begin anew with the next epoch, of which there is none."""


def train(module, batches):
    """Train on batches of images and labels and return the mean loss."""
    loss = mx.metric.CrossEntropy()
    module.fit(Batches(module, batches), eval_metric=loss, num_epoch=1)
    return loss.get()[1]
'''

_MINIBATCH_LOOP = '''\
    """Train on batches of (images, one-hot labels) and return the losses."""
    losses = []
    for images, labels in batches:
        trainer.train_minibatch({network["image"]: images, network["label"]: labels})
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
'''
_TRAINER = '    return C.Trainer(network["output"], (network["loss"], None), [learner])\n'
_TRAINER_THAT_TELLS = """\
    network["losses"] = Losses()
    return C.Trainer(network["output"], (network["loss"], None), [learner], [network["losses"]])


class Losses(C.cntk_py.ProgressWriter):
    \"\"\"Keeps the mean loss of a training session, of which its trainer has the last minibatch's alone.\"\"\"

    def __init__(self):
        super().__init__(sys.maxsize, 0, sys.maxsize, 0, sys.maxsize, 0)
        self.__disown__()

    def on_write_training_update(self, samples, updates, loss, metric):
        pass

    def on_write_training_summary(self, samples, updates, summaries, loss, metric, milliseconds):
        self.mean = loss / samples

    def write(self, *args, **kwargs):
        pass
"""
_SESSION = '''\
    """Train on batches of (images, one-hot labels), as a training session, and return the mean loss."""
    images, labels = map(np.concatenate, zip(*batches))
    source = C.io.MinibatchSourceFromData({"image": images, "label": labels})
    streams = {network[name]: source.streams[name] for name in ("image", "label")}
    until = trainer.total_number_of_samples_seen + len(images)
    C.training_session(trainer, source, len(batches[0][0]), streams, max_samples=until).train()
    return [network["losses"].mean]
'''


def _keras(back_end: str, workload: str = "mnist_mlp", *, full: bool = False) -> Ratio:
    by_hand = Side(f"keras[{back_end}]", name="train_on_batch", edits=_BY_HAND)
    return _hardly_faster(workload, by_hand, Side(f"keras[{back_end}]"), full=full)


def _hardly_faster(workload: str, loop: Side, fit: Side, *, full: bool = False) -> Ratio:
    return Ratio(
        workload,
        loop,
        fit,
        "same",
        margin=0.05,
        published="negligible, without a figure; MXNet, TensorFlow and CNTK, 2018",
        presets=FULL if full else ("quick", "full"),
    )


LESSON = Lesson(
    name="own_loop",
    number="1",
    claim="The framework's own training function is hardly faster than a loop by hand, if all data is in memory.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        _keras("tensorflow"),
        _keras("jax", full=True),
        _keras("torch", full=True),
        _hardly_faster(
            "mnist_mlp",
            Side("mxnet[module]"),
            Side(
                "mxnet[module]",
                name="fit",
                edits=(Edit("mnist_mlp_module.py", _MODULE_LOOP, _MODULE_FIT),),
            ),
        ),
        _hardly_faster(
            "mnist_mlp",
            Side("cntk"),
            Side(
                "cntk",
                name="session",
                edits=(
                    Edit("mnist_mlp.py", "import cntk as C\n", "import sys\n\nimport cntk as C\nimport numpy as np\n"),
                    Edit("mnist_mlp.py", _TRAINER, _TRAINER_THAT_TELLS),
                    Edit("mnist_mlp.py", _MINIBATCH_LOOP, _SESSION),
                ),
            ),
        ),
        *(_keras(back_end, "cifar10_cnn", full=True) for back_end in ("tensorflow", "jax", "torch")),
    ),
    meaning=(
        "A loop by hand costs what the framework does anew for every call, which counts beside a step of milliseconds "
        "and vanishes beside a long one. Look at the ratio of the framework that you write in, on the workload whose "
        "step is about as long as yours."
    ),
)
