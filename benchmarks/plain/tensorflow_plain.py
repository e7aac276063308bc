"""All workloads in TensorFlow's core: what ``harness_cost.py`` holds Rosetta's figure for tensorflow against.

How it is called: see chunks.py.
"""

import numpy as np
import tensorflow as tf
from chunks import channels_last, serve

glorot = tf.initializers.GlorotUniform(seed=0)
orthogonal = tf.initializers.Orthogonal(seed=0)


def weights(*shape):
    """A kernel and its bias."""
    return tf.Variable(glorot(shape)), tf.Variable(tf.zeros(shape[-1]))


def like(variables):
    """Zeros for an optimiser's state."""
    return [tf.Variable(tf.zeros_like(w), trainable=False) for w in variables]


def pool(x):
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


class Mlp(tf.Module):
    def __init__(self):
        super().__init__()
        self.w1, self.b1 = weights(784, 512)
        self.w2, self.b2 = weights(512, 512)
        self.w3, self.b3 = weights(512, 10)
        self.squares = like(self.trainable_variables)

    def __call__(self, x):
        x = tf.nn.dropout(tf.nn.relu(tf.matmul(x, self.w1) + self.b1), 0.2)
        x = tf.nn.dropout(tf.nn.relu(tf.matmul(x, self.w2) + self.b2), 0.2)
        return tf.matmul(x, self.w3) + self.b3

    def update(self, gradients):
        """RMSprop, ε outside the root."""
        for w, v, g in zip(self.trainable_variables, self.squares, gradients, strict=True):
            v.assign(0.9 * v + 0.1 * tf.square(g))
            w.assign_sub(0.001 * g / (tf.sqrt(v) + 1e-7))


class Cnn(tf.Module):
    def __init__(self):
        super().__init__()
        self.k1, self.b1 = weights(3, 3, 3, 50)
        self.k2, self.b2 = weights(3, 3, 50, 50)
        self.k3, self.b3 = weights(3, 3, 50, 100)
        self.k4, self.b4 = weights(3, 3, 100, 100)
        self.w5, self.b5 = weights(6400, 512)
        self.w6, self.b6 = weights(512, 10)
        self.velocities = like(self.trainable_variables)

    def __call__(self, x):
        x = tf.nn.relu(tf.nn.conv2d(x, self.k1, 1, "SAME") + self.b1)
        x = tf.nn.relu(pool(tf.nn.conv2d(x, self.k2, 1, "SAME") + self.b2))
        x = tf.nn.dropout(x, 0.25)
        x = tf.nn.relu(tf.nn.conv2d(x, self.k3, 1, "SAME") + self.b3)
        x = tf.nn.relu(pool(tf.nn.conv2d(x, self.k4, 1, "SAME") + self.b4))
        x = tf.nn.dropout(x, 0.25)
        x = tf.nn.relu(tf.matmul(tf.reshape(x, (-1, 6400)), self.w5) + self.b5)
        return tf.matmul(tf.nn.dropout(x, 0.5), self.w6) + self.b6

    def update(self, gradients):
        """SGD with momentum."""
        for w, v, g in zip(self.trainable_variables, self.velocities, gradients, strict=True):
            v.assign(0.9 * v + g)
            w.assign_sub(0.01 * v)


class MnistCnn(tf.Module):
    def __init__(self):
        super().__init__()
        self.k1, self.b1 = weights(3, 3, 1, 32)
        self.k2, self.b2 = weights(3, 3, 32, 64)
        self.w3, self.b3 = weights(9216, 128)
        self.w4, self.b4 = weights(128, 10)
        variables = self.trainable_variables
        self.squares, self.updates = like(variables), like(variables)

    def __call__(self, x):
        x = tf.nn.relu(tf.nn.conv2d(x, self.k1, 1, "VALID") + self.b1)
        x = tf.nn.dropout(pool(tf.nn.relu(tf.nn.conv2d(x, self.k2, 1, "VALID") + self.b2)), 0.25)
        x = tf.nn.relu(tf.matmul(tf.reshape(x, (-1, 9216)), self.w3) + self.b3)
        return tf.matmul(tf.nn.dropout(x, 0.5), self.w4) + self.b4

    def update(self, gradients):
        """Adadelta."""
        for w, v, u, g in zip(self.trainable_variables, self.squares, self.updates, gradients, strict=True):
            v.assign(0.95 * v + 0.05 * tf.square(g))
            d = tf.sqrt(u + 1e-7) / tf.sqrt(v + 1e-7) * g
            u.assign(0.95 * u + 0.05 * tf.square(d))
            w.assign_sub(d)


class KerasCnn(tf.Module):
    def __init__(self):
        super().__init__()
        self.k1, self.b1 = weights(3, 3, 3, 32)
        self.k2, self.b2 = weights(3, 3, 32, 32)
        self.k3, self.b3 = weights(3, 3, 32, 64)
        self.k4, self.b4 = weights(3, 3, 64, 64)
        self.w5, self.b5 = weights(2304, 512)
        self.w6, self.b6 = weights(512, 10)
        self.squares = like(self.trainable_variables)
        self.t = tf.Variable(0.0, trainable=False)

    def __call__(self, x):
        x = tf.nn.relu(tf.nn.conv2d(x, self.k1, 1, "SAME") + self.b1)
        x = pool(tf.nn.relu(tf.nn.conv2d(x, self.k2, 1, "VALID") + self.b2))
        x = tf.nn.dropout(x, 0.25)
        x = tf.nn.relu(tf.nn.conv2d(x, self.k3, 1, "SAME") + self.b3)
        x = pool(tf.nn.relu(tf.nn.conv2d(x, self.k4, 1, "VALID") + self.b4))
        x = tf.nn.dropout(x, 0.25)
        x = tf.nn.relu(tf.matmul(tf.reshape(x, (-1, 2304)), self.w5) + self.b5)
        return tf.matmul(tf.nn.dropout(x, 0.5), self.w6) + self.b6

    def update(self, gradients):
        """RMSprop, ε outside the root, the learning rate decaying."""
        rate = 1e-4 / (1 + 1e-6 * self.t)
        for w, v, g in zip(self.trainable_variables, self.squares, gradients, strict=True):
            v.assign(0.9 * v + 0.1 * tf.square(g))
            w.assign_sub(rate * g / (tf.sqrt(v) + 1e-7))
        self.t.assign_add(1.0)


def norm_weights(channels):
    """Scale, shift, running mean and running variance."""
    statistics = [tf.Variable(tf.zeros(channels), trainable=False), tf.Variable(tf.ones(channels), trainable=False)]
    return [tf.Variable(tf.ones(channels)), tf.Variable(tf.zeros(channels)), *statistics]


def train_norm(x, scale, shift, running_mean, running_variance):
    """Batch normalisation; the operation's variance is unbiased, the running one is not."""
    n = tf.cast(tf.size(x[..., 0]), tf.float32)
    x, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, scale, shift, epsilon=1e-3)
    running_mean.assign(0.99 * running_mean + 0.01 * mean)
    running_variance.assign(0.99 * running_variance + 0.01 * variance * (n - 1) / n)
    return x


def adam(variables, states, t, gradients, epsilon):
    """Adam, ε before the bias correction."""
    powers = {"beta1_power": 0.9**t, "beta2_power": 0.999**t}
    rates = {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": epsilon}
    for w, m, v, g in zip(variables, *states, gradients, strict=True):
        g = tf.convert_to_tensor(g)
        tf.raw_ops.ResourceApplyAdam(var=w.handle, m=m.handle, v=v.handle, grad=g, **powers, **rates)


class TpuCnn(tf.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = norm_weights(3)
        self.k1, self.b1 = weights(3, 3, 3, 32)
        self.k2, self.b2 = weights(3, 3, 32, 32)
        self.norm2 = norm_weights(32)
        self.k3, self.b3 = weights(3, 3, 32, 64)
        self.k4, self.b4 = weights(3, 3, 64, 64)
        self.w5, self.b5 = weights(3136, 512)
        self.w6, self.b6 = weights(512, 10)
        variables = self.trainable_variables
        self.states, self.t = [like(variables), like(variables)], tf.Variable(0.0, trainable=False)

    def __call__(self, x):
        x = train_norm(x, *self.norm1)
        x = tf.nn.relu(tf.nn.conv2d(x, self.k1, 1, "SAME") + self.b1)
        x = pool(tf.nn.relu(tf.nn.conv2d(x, self.k2, 1, "SAME") + self.b2))
        x = train_norm(tf.nn.dropout(x, 0.25), *self.norm2)
        x = tf.nn.relu(tf.nn.conv2d(x, self.k3, 1, "SAME") + self.b3)
        x = pool(tf.nn.relu(tf.nn.conv2d(x, self.k4, 1, "VALID") + self.b4))
        x = tf.nn.dropout(x, 0.25)
        x = tf.nn.relu(tf.matmul(tf.reshape(x, (-1, 3136)), self.w5) + self.b5)
        return tf.matmul(tf.nn.dropout(x, 0.5), self.w6) + self.b6

    def update(self, gradients):
        adam(self.trainable_variables, self.states, self.t.assign_add(1.0), gradients, 1e-7)


def lstm_weights(inputs, units):
    """Input and recurrent kernel and the bias, 1 for the forget gates."""
    bias = tf.Variable(tf.repeat([0.0, 0.0, 1.0, 0.0], units))
    return [tf.Variable(glorot((inputs, 4 * units))), tf.Variable(orthogonal((units, 4 * units))), bias]


def lstm(x, w, u, b):
    """(time, batch, in) → the last output."""
    units = u.shape[0]
    zeros, unused = tf.zeros((x.shape[1], units)), tf.zeros(units)
    peepholes = {"wci": unused, "wcf": unused, "wco": unused}
    start = {"cs_prev": zeros, "h_prev": zeros}
    *_, h = tf.raw_ops.BlockLSTM(
        seq_len_max=x.shape[0], x=x, w=tf.concat([w, u], 0), b=b, forget_bias=0.0, cell_clip=-1.0, **start, **peepholes
    )
    return h[-1]


class Hrnn(tf.Module):
    def __init__(self):
        super().__init__()
        self.rows, self.image = lstm_weights(1, 128), lstm_weights(128, 128)
        self.w, self.b = weights(128, 10)
        self.squares = like(self.trainable_variables)

    def __call__(self, x):
        x = lstm(tf.reshape(tf.transpose(x, (2, 1, 0)), (28, -1, 1)), *self.rows)
        return tf.matmul(lstm(tf.reshape(x, (28, -1, 128)), *self.image), self.w) + self.b

    def update(self, gradients):
        """RMSprop, ε outside the root."""
        for w, v, g in zip(self.trainable_variables, self.squares, gradients, strict=True):
            v.assign(0.9 * v + 0.1 * tf.square(g))
            w.assign_sub(0.001 * g / (tf.sqrt(v) + 1e-7))


class Babi(tf.Module):
    def __init__(self):
        super().__init__()
        self.stories = tf.Variable(tf.random.uniform((36, 50), -0.05, 0.05))
        self.questions = tf.Variable(tf.random.uniform((36, 50), -0.05, 0.05))
        self.lstm1, self.lstm2 = lstm_weights(50, 50), lstm_weights(50, 50)
        self.w, self.b = weights(50, 36)
        variables = self.trainable_variables
        self.states, self.t = [like(variables), like(variables)], tf.Variable(0.0, trainable=False)

    def __call__(self, story, question):
        story = tf.nn.dropout(tf.nn.embedding_lookup(self.stories, tf.transpose(story)), 0.3)
        question = tf.nn.dropout(tf.nn.embedding_lookup(self.questions, tf.transpose(question)), 0.3)
        question = tf.repeat(lstm(question, *self.lstm1)[tf.newaxis], 552, axis=0)
        x = tf.nn.dropout(lstm(story + question, *self.lstm2), 0.3)
        return tf.matmul(x, self.w) + self.b

    def update(self, gradients):
        adam(self.trainable_variables, self.states, self.t.assign_add(1.0), gradients, 1e-7)


class Gru(tf.Module):
    def __init__(self):
        super().__init__()
        self.table = tf.Variable(glorot((30000, 125)))
        self.w, self.b = weights(125, 300)
        self.u, self.c = tf.Variable(orthogonal((100, 300))), tf.Variable(tf.zeros(300))
        self.w2, self.b2 = weights(100, 2)
        variables = self.trainable_variables
        self.states, self.t = [like(variables), like(variables)], tf.Variable(0.0, trainable=False)

    def __call__(self, x):
        x = tf.nn.embedding_lookup(self.table, tf.transpose(x))
        steps = tf.TensorArray(tf.float32, 150).unstack(tf.tensordot(x, self.w, 1) + self.b)
        u, c = tf.convert_to_tensor(self.u), tf.convert_to_tensor(self.c)
        h = tf.zeros((64, 100))
        for t in tf.range(150):
            xr, xz, xn = tf.split(steps.read(t), 3, 1)
            hr, hz, hn = tf.split(tf.matmul(h, u) + c, 3, 1)
            z = tf.sigmoid(xz + hz)
            h = (1 - z) * tf.tanh(xn + tf.sigmoid(xr + hr) * hn) + z * h
        return tf.matmul(h, self.w2) + self.b2

    def update(self, gradients):
        """Adam as in the paper: ε after the bias correction."""
        t = self.t.assign_add(1.0)
        adam(self.trainable_variables, self.states, t, gradients, 1e-8 * tf.sqrt(1 - 0.999**t))


class ConvNorm(tf.Module):
    def __init__(self, inputs, outputs, size, stride=1):
        super().__init__()
        self.kernel, _ = weights(size, size, inputs, outputs)
        self.scale, self.shift, self.mean, self.variance = norm_weights(outputs)
        self.stride, self.pad = stride, size // 2

    def __call__(self, x):
        around = [self.pad, self.pad]
        x = tf.nn.conv2d(x, self.kernel, self.stride, [[0, 0], around, around, [0, 0]])
        y, _, _ = tf.compat.v1.nn.fused_batch_norm(
            x, self.scale, self.shift, self.mean, self.variance, epsilon=1e-5, is_training=False
        )
        return y


class ResNet50(tf.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.blocks, inputs = ConvNorm(3, 64, 7, 2), [], 64
        for blocks, width, first_stride in ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)):
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                main = [ConvNorm(inputs, width, 1, stride), ConvNorm(width, width, 3), ConvNorm(width, 4 * width, 1)]
                shortcut = tf.identity if block else ConvNorm(inputs, 4 * width, 1, stride)
                self.blocks.append([*main, shortcut])
                inputs = 4 * width

    def __call__(self, x):
        x = tf.pad(tf.nn.relu(self.stem(x)), [[0, 0], [1, 1], [1, 1], [0, 0]])
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        for a, b, c, shortcut in self.blocks:
            x = tf.nn.relu(c(tf.nn.relu(b(tf.nn.relu(a(x))))) + shortcut(x))
        return tf.reduce_mean(x, (1, 2))


MODELS = {
    "mnist_mlp": Mlp,
    "cifar10_cnn": Cnn,
    "mnist_cnn": MnistCnn,
    "cifar10_keras_cnn": KerasCnn,
    "cifar10_keras_cnn_loader": KerasCnn,
    "cifar10_tpu_cnn": TpuCnn,
    "mnist_hrnn": Hrnn,
    "babi_rnn": Babi,
    "imdb_gru": Gru,
    "resnet50_features": ResNet50,
}


def build(workload):
    tf.random.set_seed(0)
    model = MODELS[workload]()
    features = tf.function(model)

    @tf.function
    def train_step(inputs, labels):
        with tf.GradientTape() as tape:
            logits = model(*inputs)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        model.update(tape.gradient(loss, model.trainable_variables))
        return loss

    def prepare(inputs, labels):
        return [[*map(tf.constant, batch)] for batch in zip(*map(channels_last, inputs), labels, strict=True)]

    def train(batches):
        return float(tf.reduce_mean([train_step(inputs, labels) for *inputs, labels in batches]))

    def predict(batches):
        for *inputs, _ in batches:
            features(*inputs)

    return prepare, predict if workload == "resnet50_features" else train


def decode(image, label):
    """An image's bytes and its label's → float32 pixels, channels last, and the label."""
    image = tf.reshape(tf.cast(tf.io.decode_raw(image, tf.uint8), tf.float32) / 255, (3, 32, 32))
    return tf.transpose(image, (1, 2, 0)), tf.io.decode_raw(label, tf.int64)[0]


def augment(image, label):
    """Move an image by up to 3 pixels, its edge repeated pixel by pixel, and perhaps mirror it."""
    for _ in range(3):
        image = tf.pad(image, ((1, 1), (1, 1), (0, 0)), "SYMMETRIC")
    return tf.image.random_flip_left_right(tf.image.random_crop(image, (32, 32, 3))), label


def make_loader(images, labels):
    """Epoch after epoch; TensorFlow chooses how many threads read and how far ahead."""
    headers = [np.load(path, mmap_mode="r") for path in (images, labels)]
    files = tf.data.Dataset.zip(
        tf.data.FixedLengthRecordDataset(images, 3 * 32 * 32, header_bytes=headers[0].offset),
        tf.data.FixedLengthRecordDataset(labels, 8, header_bytes=headers[1].offset),
    )
    decoded = files.shuffle(len(headers[0])).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    augmented = decoded.map(augment, num_parallel_calls=tf.data.AUTOTUNE)
    return augmented.batch(32, drop_remainder=True).repeat().prefetch(tf.data.AUTOTUNE)


serve(build, make_loader)
