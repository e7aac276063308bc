"""Lesson 11: the check list of what two frameworks may take differently, a fault of each kind in a framework each."""

from rosetta.lessons.spec import FULL, PRESETS, Edit, Lesson, Preset, Proof, Side


def _refused(
    kind: str,
    fault: str,
    workload: str,
    contender: str,
    *changes: tuple[str, str],
    presets: tuple[Preset, ...] = PRESETS,
) -> Proof:
    """Plant a fault in a workload's implementation: each change is a text of it and what stands in its place."""
    file = f"{workload.partition('[')[0]}.py"
    side = Side(contender, name=kind, edits=tuple(Edit(file, old, new) for old, new in changes))
    return Proof(workload, side, "refused", fault=f"{kind}: {fault}", presets=presets)


LESSON = Lesson(
    name="check_list",
    number="11",
    claim="Kernels, strides, padding, activations, biases, clipping, labels and types differ between frameworks, and "
    "each must be checked before two networks are compared.",
    source="Rosetta Stone, ilkarman/DeepLearningFrameworks",
    year=2018,
    comparisons=(
        _refused(
            "kernel",
            "turned round, as a convolution is in mathematics, and in Theano",
            "mnist_cnn",
            "chainer",
            ("F.relu(self.conv2(x))", "F.relu(F.convolution_2d(x, self.conv2.W[:, :, ::-1, ::-1], self.conv2.b))"),
        ),
        _refused(
            "strides",
            "a convolution of stride 2 instead of the pooling after it",
            "mnist_cnn",
            "tensorflow",
            ('Conv2D(32, 64, 3, padding="VALID")', 'Conv2D(32, 64, 3, padding="VALID", stride=2)'),
            ('        x = tf.nn.max_pool2d(x, ksize=2, strides=2, padding="VALID")\n', ""),
        ),
        _refused(
            "padding",
            "of the border's neighbours, not of zeros",
            "cifar10_cnn",
            "torch",
            (
                'nn.Conv2d(50, 100, kernel_size=3, padding="same")',
                'nn.Conv2d(50, 100, kernel_size=3, padding="same", padding_mode="reflect")',
            ),
        ),
        _refused(
            "activations",
            "a ReLU on the logits, which Lasagne's dense layer has unless told otherwise",
            "mnist_mlp",
            "jax",
            ("return self.dense3(x)", "return nnx.relu(self.dense3(x))"),
        ),
        _refused(
            "biases",
            "the framework's second one is trained too, where the workload has one",
            "babi_rnn[qa1]",
            "mxnet",
            ('        self.lstm.l0_h2h_bias.grad_req = "null"\n', ""),
        ),
        _refused(
            "clipping",
            "gradients are clipped at a norm of 10, which they seldom have",
            "mnist_mlp",
            "keras[jax]",
            ("epsilon=1e-14)", "epsilon=1e-14, global_clipnorm=10.0)"),
        ),
        _refused(
            "labels",
            "smoothed by a hundredth",
            "mnist_mlp",
            "torch",
            ("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(label_smoothing=0.01)"),
        ),
        _refused(
            "types",
            "one layer computes in bfloat16",
            "mnist_mlp",
            "keras[tensorflow]",
            (
                'layers.Dense(512, activation="relu", name="dense2")',
                'layers.Dense(512, activation="relu", dtype="mixed_bfloat16", name="dense2")',
            ),
        ),
        _refused(
            "kernel",
            "not turned round, where Lasagne's layers are given kernels that are",
            "mnist_cnn",
            "lasagne",
            (
                'Conv2DLayer(network, 64, 3, nonlinearity=rectify, name="conv2")',
                'Conv2DLayer(network, 64, 3, flip_filters=False, nonlinearity=rectify, name="conv2")',
            ),
            presets=FULL,
        ),
        _refused(
            "activations",
            "the dense layer's own ReLU on the logits",
            "mnist_mlp",
            "lasagne",
            ('DenseLayer(network, 10, nonlinearity=None, name="dense3")', 'DenseLayer(network, 10, name="dense3")'),
            presets=FULL,
        ),
        _refused(
            "padding",
            "two pixels at the end, none at the beginning, as TensorFlow's SAME has it at even sizes and strides",
            "cifar10_cnn",
            "paddle",
            (
                'nn.Conv2D(50, 100, kernel_size=3, padding="SAME")',
                "nn.Conv2D(50, 100, kernel_size=3, padding=[0, 2, 0, 2])",
            ),
            presets=FULL,
        ),
        _refused(
            "labels",
            "smoothed by a hundredth",
            "mnist_mlp",
            "tinygrad",
            (
                "sparse_categorical_crossentropy(labels)",
                "sparse_categorical_crossentropy(labels, label_smoothing=0.01)",
            ),
            presets=FULL,
        ),
    ),
    meaning="The list is what a reader of two texts looks for; the proof looks for all of it at once, and by numbers. "
    "Run rosetta verify on your own port before you time it, for a fault that is small at first may not stay so.",
)
