"""Faults in tinygrad's implementations."""

from planted.fault import Fault

DROPOUT = "        return x.dropout(self.rate)\n"
GAUSSIAN = """        from tinygrad.helpers import TRAINING

        noise = (self.rate / (1 - self.rate)) ** 0.5
        return x * (1 + noise * x.randn_like()) if TRAINING else x
"""
FIXED = """        import numpy as np
        from tinygrad import Tensor
        from tinygrad.helpers import TRAINING

        kept = np.random.RandomState(id(self) % 997).rand(*x.shape) >= self.rate
        return x * Tensor((kept / (1 - self.rate)).astype(np.float32)) if TRAINING else x
"""


def mlp(name: str, old: str, new: str, means: str, file: str = "mnist_mlp.py") -> Fault:
    return Fault("tinygrad", "mnist_mlp", name, file, old, new, means)


def timed(name: str, old: str, new: str, means: str) -> Fault:
    return Fault("tinygrad", "mnist_mlp", name, "mnist_mlp.py", old, new, means, seen_by="run")


FAULTS = [
    mlp("epsilon", "eps=1e-7)", "eps=1e-8)", "another framework's ε"),
    mlp("learning-rate-1-percent", "lr=0.001", "lr=0.00101", "a rate that is off by a hundredth"),
    mlp(
        "epsilon-inside-root",
        "(self.v[i].sqrt() + self.eps)",
        "(self.v[i] + self.eps).sqrt()",
        "another framework's form",
        "optimizers.py",
    ),
    mlp("softmax-twice", "return self.dense3(x)", "return self.dense3(x).softmax()", "a softmax before the loss's"),
    mlp(
        "bias-not-trained",
        "return self.dense3(x)",
        "return x.linear(self.dense3.weight.T, self.dense3.bias.detach())",
        "a bias without gradient",
    ),
    mlp("dropout-missing", DROPOUT, "        return x\n", "forgets what a layer does", "layers.py"),
    mlp("dropout-0.21", "self.dropout1 = Dropout(0.2)", "self.dropout1 = Dropout(0.21)", "a rate that is nearly right"),
    mlp("dropout-gaussian", DROPOUT, GAUSSIAN, "Gaussian noise of the same variance", "layers.py"),
    mlp("dropout-same-mask-each-step", DROPOUT, FIXED, "a mask that is a constant in the captured step", "layers.py"),
    timed(
        "losses-invented",
        "losses.append(loss.item())",
        "losses.append(2.3 / (1 + len(losses)))",
        "saves itself the waiting for each loss",
    ),
    timed("stops-after-20-steps", "in batches:", "in batches[:20]:", "trains on the first 20 batches of a call"),
    Fault(
        "tinygrad",
        "mnist_cnn",
        "flattened-channels-last",
        "mnist_cnn.py",
        "x.flatten(1)",
        "x.permute(0, 2, 3, 1).flatten(1)",
        "flattens in the order of another framework",
    ),
    Fault(
        "tinygrad",
        "babi_rnn",
        "cell-clipped",
        "recurrent.py",
        "            h, c = self.step(x[:, t], h, c)\n",
        "            h, c = self.step(x[:, t], h, c)\n            c = c.clip(-3, 3)\n",
        "clips cells where nothing saturates at first",
    ),
    Fault("tinygrad", "imdb_gru", "reset-ignored", "recurrent.py", "r * h_n", "h_n", "forgets a gate"),
    Fault("tinygrad", "imdb_gru", "beta-2", "imdb_gru.py", "b2=0.999", "b2=0.9999", "matters later"),
    Fault(
        "tinygrad",
        "cifar10_keras_cnn",
        "no-decay",
        "cifar10_keras_cnn.py",
        ", decay=1e-6)",
        ")",
        "forgets the schedule",
    ),
    Fault(
        "tinygrad",
        "cifar10_keras_cnn",
        "steps-not-counted",
        "optimizers.py",
        "        self.t += 1\n",
        "",
        "forgets to count the steps, so that the rate stays",
    ),
]
