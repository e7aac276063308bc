"""Faults in Keras' implementations, run on JAX."""

from planted.fault import Fault

FIRST_DROPOUT = """name="dense1"),
            layers.Dropout(0.2),"""
BOTH_DROPOUTS = """layers.Dropout(0.2),
            layers.Dense(512, activation="relu", name="dense2"),
            layers.Dropout(0.2),"""


def mlp(name: str, old: str, new: str, means: str, file: str = "mnist_mlp.py") -> Fault:
    return Fault("keras[jax]", "mnist_mlp", name, file, old, new, means)


FAULTS = [
    mlp("epsilon", "epsilon=1e-14)", "epsilon=1e-7)", "writes the workload's ε where the framework has the root's"),
    mlp("rho", "rho=0.9,", "rho=0.95,", "a ρ that is nearly right"),
    mlp("no-softmax", "from_logits=True", "from_logits=False", "takes logits for probabilities"),
    mlp("shuffled", "shuffle=False", "shuffle=True", "leaves the framework's shuffling"),
    mlp(
        "gelu",
        'layers.Dense(512, activation="relu", name="dense2")',
        'layers.Dense(512, activation="gelu", name="dense2")',
        "another activation",
    ),
    mlp(
        "bias-missing",
        'layers.Dense(10, name="dense3")',
        'layers.Dense(10, bias_constraint=lambda b: 0 * b, name="dense3")',
        "a bias that stays zero",
    ),
    mlp(
        "bfloat16",
        '"mixed_bfloat16" if "bf16" in variants else workload["dtype"]',
        '"mixed_bfloat16"',
        "computes in bfloat16 and calls it float32",
        "trainer.py",
    ),
    mlp("dropout-0.21", FIRST_DROPOUT, FIRST_DROPOUT.replace("0.2", "0.21"), "a rate that is nearly right"),
    mlp(
        "dropout-one-seed-for-two-layers",
        BOTH_DROPOUTS,
        BOTH_DROPOUTS.replace("0.2", "0.2, seed=1"),
        "seeds both layers alike",
    ),
    mlp(
        "clipped-never-reached",
        "rho=0.9, epsilon=1e-14)",
        "rho=0.9, epsilon=1e-14, global_clipnorm=10.0)",
        "clips gradients at a norm of 10, which they seldom have",
    ),
    Fault(
        "keras[jax]",
        "mnist_mlp",
        "stops-after-20-steps",
        "mnist_mlp.py",
        "model.fit(images, labels,",
        "model.fit(images[: 20 * batch_size], labels[: 20 * batch_size],",
        "trains on the first 20 batches of a call",
        seen_by="run",
    ),
    Fault(
        "keras[jax]",
        "mnist_cnn",
        "dropout-of-whole-channels",
        "mnist_cnn.py",
        "layers.Dropout(0.25)",
        "layers.SpatialDropout2D(0.25)",
        "drops whole channels",
    ),
    Fault(
        "keras[jax]",
        "mnist_cnn",
        "pool-of-means",
        "mnist_cnn.py",
        "layers.MaxPooling2D(2)",
        "layers.AveragePooling2D(2)",
        "another pooling",
    ),
    Fault(
        "keras[jax]",
        "babi_rnn",
        "dropout-one-mask-over-time",
        "babi_rnn.py",
        "layers.Dropout(0.3)(encoded_story)",
        "layers.Dropout(0.3, noise_shape=(None, 1, 50))(encoded_story)",
        "draws one mask for all words of a story",
    ),
    Fault("keras[jax]", "imdb_gru", "beta-2", "imdb_gru.py", "beta_2=0.999", "beta_2=0.9999", "matters later"),
    Fault(
        "keras[jax]",
        "imdb_gru",
        "padding-masked",
        "imdb_gru.py",
        "layers.Embedding(30_000, 125,",
        "layers.Embedding(30_000, 125, mask_zero=True,",
        "skips padding, as one often does",
    ),
    Fault(
        "keras[jax]",
        "imdb_gru",
        "reset-before-the-product",
        "imdb_gru.py",
        "reset_after=True",
        "reset_after=False",
        "the other of two conventions of a GRU",
        may_end=True,
    ),
    Fault(
        "keras[jax]",
        "cifar10_keras_cnn",
        "no-decay",
        "cifar10_keras_cnn.py",
        "RMSprop(learning_rate,",
        "RMSprop(1e-4,",
        "forgets the schedule",
    ),
    Fault(
        "keras[jax]",
        "cifar10_keras_cnn_loader",
        "never-shuffled",
        "cifar10_keras_cnn_loader.py",
        "np.random.shuffle(self.order)",
        "pass",
        "shuffles once and for all",
    ),
    Fault(
        "keras[jax]",
        "cifar10_keras_cnn_loader",
        "all-mirrored",
        "cifar10_keras_cnn_loader.py",
        "np.random.rand(self.batch_size) < 0.5",
        "np.random.rand(self.batch_size) < 0.9",
        "mirrors nine of ten images",
    ),
    Fault(
        "keras[jax]",
        "cifar10_tpu_cnn",
        "batches-shuffled",
        "cifar10_tpu_cnn.py",
        "shuffle=False",
        "shuffle=True",
        "leaves the framework's shuffling, which batches one by one don't show",
        seen_by="run",
    ),
]
