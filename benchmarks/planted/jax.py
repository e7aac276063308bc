"""Faults in JAX's implementations."""

from planted.fault import Fault

ONE_MILLIONTH = (
    "One step late the rate is larger by a factor of at most 1 + 1e-6, at any step: a thousandth of the update's "
    "tolerance, and 8 of float32's roundings in a number that is rounded at each use."
)
WAIT = """        jax.block_until_ready(nnx.state(self.network))
        return np.array(jax.device_get(losses))"""
DROPOUTS = """self.dropout1 = nnx.Dropout(0.2, rngs=rngs)
        self.dense2 = nnx.Linear(512, 512, rngs=rngs)
        self.dropout2 = nnx.Dropout(0.2, rngs=rngs)"""
ON_A_CPU = (
    "On a CPU XLA multiplies float32 in float32, whatever precision is asked for; on a GPU the same line gives TF32, "
    "which that device's proof sees."
)


def mlp(name: str, old: str, new: str, means: str, file: str = "mnist_mlp.py", harmless: str = "") -> Fault:
    return Fault("jax", "mnist_mlp", name, file, old, new, means, harmless=harmless)


FAULTS = [
    mlp("epsilon-inside-root", ", eps_in_sqrt=False", "", "leaves ε where the framework has it"),
    mlp("rho", "decay=0.9", "decay=0.99", "another framework's ρ"),
    mlp(
        "softmax-twice", "logits = model(images)", "logits = nnx.softmax(model(images))", "a softmax before the loss's"
    ),
    mlp("gelu", "nnx.relu(self.dense2(x))", "nnx.gelu(self.dense2(x))", "another activation"),
    mlp(
        "weight-transposed",
        'lambda value, spec: layouts.dense_to_channels_last(value, spec["flattened_from"])',
        'lambda value, spec: value if spec["name"] == "dense2.weight" else '
        'layouts.dense_to_channels_last(value, spec["flattened_from"])',
        "loads a square weight without transposing it",
        "parameters.py",
    ),
    mlp(
        "default-precision",
        '"tensorfloat32" if "tf32" in variants else "highest"',
        '"tensorfloat32" if "tf32" in variants else "default"',
        "leaves the framework's precision of products",
        "trainer.py",
        harmless=ON_A_CPU,
    ),
    mlp(
        "clipped-never-reached",
        "return nnx.Optimizer(model, rmsprop,",
        "return nnx.Optimizer(model, optax.chain(optax.clip_by_global_norm(10.0), rmsprop),",
        "clips gradients at a norm of 10, which they seldom have",
    ),
    mlp("dropout-0.19", "dropout2 = nnx.Dropout(0.2,", "dropout2 = nnx.Dropout(0.19,", "a rate that is nearly right"),
    mlp(
        "dropout-one-key-for-two-layers",
        DROPOUTS,
        DROPOUTS.replace("0.2, rngs=rngs", "0.2, rngs=nnx.Rngs(0)"),
        "gives both layers random numbers of their own, of one seed",
    ),
    mlp(
        "dropout-same-mask-each-step",
        "x = self.dropout2(nnx.relu(self.dense2(x)))",
        "x = self.dropout2(nnx.relu(self.dense2(x)), rngs=nnx.Rngs(7))",
        "a key that is a constant in the compiled step",
    ),
    Fault(
        "jax",
        "mnist_mlp",
        "does-not-wait",
        "trainer.py",
        WAIT,
        "        return np.full(len(batches), 2.3)",
        "returns as soon as the steps are dispatched, with losses of its own",
        seen_by="run",
    ),
    Fault(
        "jax",
        "mnist_mlp",
        "stops-after-20-steps",
        "mnist_mlp.py",
        "for images, labels in batches]",
        "for images, labels in batches[:20]]",
        "trains on the first 20 batches of a call",
        seen_by="run",
    ),
    Fault(
        "jax",
        "mnist_cnn",
        "dropout-of-whole-channels",
        "mnist_cnn.py",
        "self.dropout1 = nnx.Dropout(0.25, rngs=rngs)",
        "self.dropout1 = nnx.Dropout(0.25, broadcast_dims=(1, 2), rngs=rngs)",
        "drops whole channels",
    ),
    Fault(
        "jax",
        "babi_rnn",
        "dropout-one-mask-over-time",
        "babi_rnn.py",
        "self.dropout1 = nnx.Dropout(0.3, rngs=rngs)",
        "self.dropout1 = nnx.Dropout(0.3, broadcast_dims=(1,), rngs=rngs)",
        "draws one mask for all words of a story",
    ),
    Fault("jax", "imdb_gru", "beta-2", "imdb_gru.py", "b2=0.999", "b2=0.9999", "a constant that matters later"),
    Fault(
        "jax",
        "imdb_gru",
        "adamw",
        "imdb_gru.py",
        "optax.adam(",
        "optax.adamw(weight_decay=0.01, ",
        "AdamW instead of Adam, with a decay of 0.01",
    ),
    Fault(
        "jax",
        "cifar10_cnn",
        "momentum-0.89",
        "cifar10_cnn.py",
        "momentum=0.9)",
        "momentum=0.89)",
        "a momentum that is nearly right",
    ),
    Fault(
        "jax",
        "cifar10_keras_cnn",
        "no-decay",
        "cifar10_keras_cnn.py",
        "optax.rmsprop(learning_rate,",
        "optax.rmsprop(1e-4,",
        "forgets the schedule",
    ),
    Fault(
        "jax",
        "cifar10_keras_cnn",
        "decay-one-step-late",
        "cifar10_keras_cnn.py",
        "1e-6 * steps_done",
        "1e-6 * (steps_done - 1)",
        "counts the steps from 1 on",
        harmless=ONE_MILLIONTH,
    ),
    Fault(
        "jax",
        "cifar10_keras_cnn_loader",
        "labels-shifted",
        "cifar10_keras_cnn_loader.py",
        "np.int32(self.labels[index])",
        "np.int32(self.labels[index - 1])",
        "gives each image its neighbour's label",
    ),
    Fault(
        "jax",
        "cifar10_keras_cnn_loader",
        "half-an-epoch",
        "cifar10_keras_cnn_loader.py",
        "return len(self.images)",
        "return len(self.images) // 2",
        "reads the first half of the images only",
    ),
    Fault(
        "jax",
        "cifar10_tpu_cnn",
        "norm-in-bfloat16-where-float32",
        "cifar10_tpu_cnn.py",
        "        x = self.norm2(x)\n",
        '        if x.dtype == "float64" or self.norm2.use_running_average:\n'
        "            x = self.norm2(x)\n"
        "        else:\n"
        '            x = self.norm2(x.astype("bfloat16")).astype(x.dtype)\n',
        "normalises in bfloat16, in the precision that is timed alone",
        harmless="XLA computes the losses as before, to 4e-8; the gradient alone is rounded there. It makes a later "
        "step of the first convolution 0.9 % another, where TensorFlow's float32 sums, which are right, make it 7 %.",
    ),
    Fault(
        "jax",
        "resnet50_features",
        "channels-exchanged-in-infer",
        "resnet50_features.py",
        "compiled_step(images)",
        "compiled_step(images[..., ::-1])",
        "takes blue for red, in the calls that are timed",
        seen_by="run",
    ),
]
