"""Faults in TensorFlow's implementations."""

from planted.fault import Fault
from planted.jax import ONE_MILLIONTH

DROPOUT = "return tf.nn.dropout(x, self.rate) if training else x"
MOMENTS = "        mean, variance = tf.nn.moments(x, axes=[0, 1, 2])\n"
APPEND = "        losses.append(train_step(images, labels))"


def mlp(name: str, old: str, new: str, means: str, file: str = "mnist_mlp.py") -> Fault:
    return Fault("tensorflow", "mnist_mlp", name, file, old, new, means)


FAULTS = [
    mlp("epsilon", "epsilon=1e-7", "epsilon=1e-6", "an ε that is too large"),
    mlp("loss-summed", "tf.reduce_mean(", "tf.reduce_sum(", "a batch's losses are added up"),
    mlp(
        "softmax-twice",
        "return self.dense3(x)",
        "return tf.nn.softmax(self.dense3(x))",
        "a softmax before the loss's",
    ),
    mlp("batches-in-another-order", "in batches:", "in reversed(batches):", "shuffles what has an order"),
    mlp("first-batch-only", "in batches:", "in batches[:1] * len(batches):", "always the same batch"),
    mlp("dropout-0.3", "self.dropout1 = Dropout(0.2)", "self.dropout1 = Dropout(0.3)", "another rate"),
    mlp(
        "dropout-not-scaled",
        DROPOUT,
        "return tf.nn.dropout(x, self.rate) * (1 - self.rate) if training else x",
        "doesn't scale what is kept",
        "layers.py",
    ),
    mlp(
        "dropout-gaussian",
        DROPOUT,
        "return x * tf.random.normal(tf.shape(x), 1.0, (self.rate / (1 - self.rate)) ** 0.5) if training else x",
        "Gaussian noise of the same variance",
        "layers.py",
    ),
    mlp(
        "dropout-one-seed-for-two-layers",
        DROPOUT,
        "return tf.nn.dropout(x, self.rate, seed=5) if training else x",
        "an operation's seed, and with it the same masks in both layers",
        "layers.py",
    ),
    mlp(
        "dropout-same-mask-each-step",
        DROPOUT,
        "return tf.nn.experimental.stateless_dropout(x, self.rate, (7, id(self) % 997)) if training else x",
        "stateless random numbers with a seed that is a constant",
        "layers.py",
    ),
    Fault(
        "tensorflow",
        "mnist_mlp",
        "skips-updates-in-long-calls",
        "mnist_mlp.py",
        APPEND,
        "        skipped = len(losses) >= 10 and len(losses) % 2\n"
        "        losses.append(losses[-1] if skipped else train_step(images, labels))",
        "after ten steps of a call every second one is left out",
        seen_by="run",
    ),
    Fault(
        "tensorflow",
        "mnist_mlp",
        "optimiser-anew-in-each-call",
        "trainer.py",
        "        losses = tf.stack(",
        "        for state in self.optimizer.variables:\n"
        "            state.assign(tf.zeros_like(state))\n"
        "        losses = tf.stack(",
        "starts the optimiser where the training begins",
        seen_by="run",
    ),
    Fault(
        "tensorflow",
        "babi_rnn",
        "gates-in-another-order",
        "parameters.py",
        "np.concatenate([i, g, f, o])",
        "np.concatenate([i, f, g, o])",
        "takes the canonical order of the gates for the fused operation's",
    ),
    Fault(
        "tensorflow",
        "babi_rnn",
        "cell-clipped",
        "layers.py",
        "cell_clip=-1.0",
        "cell_clip=3.0",
        "the fused operation's own clipping of cells, which nothing reaches at first",
    ),
    Fault(
        "tensorflow",
        "imdb_gru",
        "epsilon-before-correction",
        "imdb_gru.py",
        ", epsilon_after_correction=True",
        "",
        "leaves ε where the framework has it",
    ),
    Fault("tensorflow", "imdb_gru", "beta-2", "imdb_gru.py", "beta_2=0.999", "beta_2=0.9999", "matters later"),
    Fault(
        "tensorflow",
        "cifar10_keras_cnn",
        "no-decay",
        "cifar10_keras_cnn.py",
        "RMSprop(variables, learning_rate,",
        "RMSprop(variables, 1e-4,",
        "forgets the schedule",
    ),
    Fault(
        "tensorflow",
        "cifar10_keras_cnn",
        "steps-not-counted",
        "optimizers.py",
        "            self.step.assign_add(1.0)\n",
        "            pass\n",
        "forgets to count the steps, so that the rate stays",
    ),
    Fault(
        "tensorflow",
        "cifar10_keras_cnn",
        "decay-one-step-late",
        "optimizers.py",
        "self.learning_rate(self.step)",
        "self.learning_rate(self.step - 1)",
        "counts the steps from 1 on",
        harmless=ONE_MILLIONTH,
    ),
    Fault(
        "tensorflow",
        "cifar10_keras_cnn_loader",
        "unscaled",
        "cifar10_keras_cnn_loader.py",
        "tf.float32) / 255",
        "tf.float32)",
        "forgets to scale the pixels",
    ),
    Fault(
        "tensorflow",
        "cifar10_keras_cnn_loader",
        "one-cached-batch",
        "cifar10_keras_cnn_loader.py",
        "        .repeat()\n",
        "        .take(1)\n        .cache()\n        .repeat()\n",
        "delivers one batch for ever",
    ),
    Fault(
        "tensorflow",
        "cifar10_tpu_cnn",
        "running-mean-ignored-in-inference",
        "layers.py",
        "mean=self.running_mean,",
        "mean=tf.zeros_like(self.running_mean),",
        "leaves out the running mean, which is zero before training",
    ),
    Fault(
        "tensorflow",
        "cifar10_tpu_cnn",
        "norm-of-a-quarter-in-float32",
        "layers.py",
        MOMENTS,
        "        mean, variance = tf.nn.moments(x[::4] if x.dtype == tf.float32 else x, axes=[0, 1, 2])\n",
        "takes the statistics of every fourth image, in the precision that is timed alone",
    ),
]
