"""The convolutional network with an activation of one's own on CIFAR-10 in Keras."""

import keras
from keras import layers, ops


@ops.custom_gradient
def learned_swish(x, a, b):
    """y = a·x·σ(b·x) for (batch, height, width, channels), a and b one for each channel; and its derivatives."""
    s = ops.sigmoid(b * x)
    xs = x * s

    def gradient(*args, upstream=None):
        if upstream is None:  # on PyTorch it is named, and the arguments are learned_swish's; on others it is all
            (upstream,) = args
        t = xs * (1 - s)
        da = ops.sum(upstream * xs, axis=(0, 1, 2))
        db = ops.sum(upstream * a * x * t, axis=(0, 1, 2))
        return upstream * a * (s + b * t), da, db

    return a * xs, gradient


@keras.saving.register_keras_serializable()
class OwnActivation(layers.Layer):
    """The activation as a layer; with a = b = 1, as at first, it is Swish."""

    def build(self, input_shape):
        """Add a and b, one of each for each channel."""
        self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones", name="scale")
        self.slope = self.add_weight(shape=input_shape[-1:], initializer="ones", name="slope")

    def call(self, x):
        """Keep the shape, (batch, height, width, channels)."""
        # As tensors: on TensorFlow custom_gradient takes no variables, and convert_to_tensor returns them as they are.
        a, b = ops.cast(self.scale, self.compute_dtype), ops.cast(self.slope, self.compute_dtype)
        return learned_swish(x, a, b)


def make_model():
    """Build and compile the network: two 3 × 3 convolutions with the activation and a dense layer, logits out."""
    model = keras.Sequential(
        [
            keras.Input(shape=(32, 32, 3)),
            layers.Conv2D(32, 3, padding="same", name="conv1"),
            OwnActivation(name="act1"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", name="conv2"),
            OwnActivation(name="act2"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10, name="dense"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.01, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, images, labels, batch_size=64):
    """Train on images, (samples, 32, 32, 3), batch by batch, and return the mean loss."""
    history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
