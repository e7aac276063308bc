"""Faults in Chainer's implementations."""

from planted.fault import Fault
from planted.jax import ONE_MILLIONTH

SETUP = "return chainer.optimizers.RMSprop(lr=0.001, alpha=0.9, eps=1e-7).setup(model)"
CLIPPED = """optimizer = chainer.optimizers.RMSprop(lr=0.001, alpha=0.9, eps=1e-7).setup(model)
    optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(10.0))
    return optimizer"""
TRAIN = "        with self.training:\n            return np.array(self.implementation.train("


def mlp(name: str, old: str, new: str, means: str, file: str = "mnist_mlp.py") -> Fault:
    return Fault("chainer", "mnist_mlp", name, file, old, new, means)


def timed(name: str, old: str, new: str, means: str) -> Fault:
    return Fault("chainer", "mnist_mlp", name, "trainer.py", old, new, means, seen_by="run")


FAULTS = [
    mlp("epsilon", "eps=1e-7", "eps=1e-8", "leaves the framework's own ε"),
    mlp("rho", "alpha=0.9", "alpha=0.99", "leaves the framework's own ρ"),
    mlp("gradients-not-zeroed", "model.cleargrads()", "pass", "forgets to clear the gradients"),
    mlp("softmax-twice", "return self.dense3(x)", "return F.softmax(self.dense3(x))", "a softmax before the loss's"),
    mlp("leaky-relu", "F.relu(self.dense2(x))", "F.leaky_relu(self.dense2(x), 0.01)", "another activation"),
    mlp("clipped-never-reached", SETUP, CLIPPED, "clips gradients at a norm of 10, which they seldom have"),
    mlp(
        "dropout-missing",
        "x = F.dropout(F.relu(self.dense2(x)), 0.2)",
        "x = F.relu(self.dense2(x))",
        "forgets a layer",
    ),
    mlp(
        "dropout-0.21",
        "x = F.dropout(F.relu(self.dense1(x)), 0.2)",
        "x = F.dropout(F.relu(self.dense1(x)), 0.21)",
        "a rate that is nearly right",
    ),
    mlp(
        "dropout-same-mask-each-step",
        "        x = F.dropout(F.relu(self.dense1(x)), 0.2)\n",
        "        self.xp.random.seed(7)\n        x = F.dropout(F.relu(self.dense1(x)), 0.2)\n",
        "seeds in the network, for the sake of repeatability",
    ),
    timed(
        "optimiser-anew-in-each-call",
        TRAIN,
        "        self.optimizer = self.implementation.make_optimizer(self.network)\n" + TRAIN,
        "makes the optimiser where the training begins",
    ),
    timed(
        "dropout-seed-anew-in-each-call",
        TRAIN,
        "        np.random.seed(1)\n" + TRAIN,
        "seeds where the training begins",
    ),
    Fault(
        "chainer",
        "mnist_cnn",
        "kernel-flipped",
        "mnist_cnn.py",
        "F.relu(self.conv2(x))",
        "F.relu(F.convolution_2d(x, self.conv2.W[:, :, ::-1, ::-1], self.conv2.b))",
        "a convolution as mathematics defines it",
    ),
    Fault(
        "chainer",
        "imdb_gru",
        "gates-in-another-order",
        "parameters.py",
        '"input_weight": ("w0", "w1", "w2")',
        '"input_weight": ("w1", "w0", "w2")',
        "takes another framework's order of the gates",
    ),
    Fault("chainer", "imdb_gru", "beta-2", "imdb_gru.py", "beta2=0.999", "beta2=0.9999", "matters later"),
    Fault(
        "chainer",
        "imdb_gru",
        "decoupled-decay",
        "imdb_gru.py",
        "beta2=0.999,",
        "beta2=0.999, weight_decay_rate=1e-5,",
        "AdamW's decay, which Chainer doesn't multiply with the rate",
    ),
    Fault(
        "chainer",
        "cifar10_keras_cnn",
        "no-decay",
        "cifar10_keras_cnn.py",
        "        optimizer.lr = 1e-4 / (1 + 1e-6 * optimizer.t)\n",
        "",
        "forgets the schedule",
    ),
    Fault(
        "chainer",
        "cifar10_keras_cnn",
        "decay-one-step-late",
        "cifar10_keras_cnn.py",
        "1e-6 * optimizer.t)",
        "1e-6 * max(optimizer.t - 1, 0))",
        "counts the steps from 1 on",
        harmless=ONE_MILLIONTH,
    ),
    Fault(
        "chainer",
        "cifar10_keras_cnn_loader",
        "shifts-too-small",
        "cifar10_keras_cnn_loader.py",
        "random.randint(0, 6), random.randint(0, 6)",
        "random.randint(1, 5), random.randint(1, 5)",
        "shifts by up to two pixels instead of three",
    ),
]
