"""mnist_mlp and cifar10_cnn in Keras: what ``harness_cost.py`` holds Rosetta's figures for keras against.

How it is called: see chunks.py. The variable KERAS_BACKEND chooses the back end.
"""

import keras
from chunks import channels_last, serve
from keras import layers


def mnist_mlp():
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10),
        ]
    )
    return model, keras.optimizers.RMSprop(0.001, rho=0.9, epsilon=1e-14), 128


def cifar10_cnn():
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(50, 3, padding="same", activation="relu"),
            layers.Conv2D(50, 3, padding="same"),
            layers.MaxPooling2D(),
            layers.ReLU(),
            layers.Dropout(0.25),
            layers.Conv2D(100, 3, padding="same", activation="relu"),
            layers.Conv2D(100, 3, padding="same"),
            layers.MaxPooling2D(),
            layers.ReLU(),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )
    return model, keras.optimizers.SGD(0.01, momentum=0.9), 64


def build(workload):
    keras.utils.set_random_seed(0)
    model, optimizer, batch_size = {"mnist_mlp": mnist_mlp, "cifar10_cnn": cifar10_cnn}[workload]()
    model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def prepare(inputs, labels):
        images = channels_last(inputs[0])
        return images.reshape(-1, *images.shape[2:]), labels.reshape(-1)

    def train(batches):
        images, labels = batches
        history = model.fit(images, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
        return history.history["loss"][0]

    return prepare, train


serve(build)
