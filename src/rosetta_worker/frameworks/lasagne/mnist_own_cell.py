"""The recurrent network with a cell of one's own on MNIST in Lasagne, on Theano."""

import lasagne
import theano
import theano.tensor as T
from lasagne.init import Constant, GlorotUniform, Orthogonal
from lasagne.layers import DenseLayer, InputLayer
from lasagne.nonlinearities import sigmoid, softmax, tanh


class MinimalGatedUnitLayer(lasagne.layers.Layer):
    """A recurrent layer with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016).

    It maps (batch, time, features) to its last output, (batch, units).
    """

    def __init__(self, incoming, num_units, **kwargs):
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        self.W_in = self.add_param(GlorotUniform(), (self.input_shape[2], 2 * num_units), "W_in")
        self.W_hid = self.add_param(Orthogonal(), (num_units, 2 * num_units), "W_hid")
        self.b = self.add_param(Constant(0), (2 * num_units,), "b", regularizable=False)

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.num_units)

    def get_output_for(self, input, **kwargs):
        # Scan goes over the first axis, the time; the products with the input are made for all steps at once.
        x = T.dot(input.dimshuffle(1, 0, 2), self.W_in) + self.b
        units = self.num_units
        outputs, _ = theano.scan(
            self.step,
            sequences=[x[:, :, :units], x[:, :, units:]],
            outputs_info=T.zeros((input.shape[0], units)),
            non_sequences=[self.W_hid[:, :units], self.W_hid[:, units:]],
            strict=True,
        )
        return outputs[-1]

    def step(self, x_f, x_c, h, W_f, W_c):
        """Return the next state, given the products with one step's input and the state before."""
        f = sigmoid(x_f + T.dot(h, W_f))
        c = tanh(x_c + T.dot(f * h, W_c))
        return (1 - f) * h + f * c


def build_network(images):
    """The unit reads an image row by row; a dense layer takes its last output.

    They map images, (batch, 28 rows, 28 pixels), to logits, (batch, 10).
    """
    network = InputLayer((None, 28, 28), images)
    network = MinimalGatedUnitLayer(network, 128, name="cell")
    return DenseLayer(network, 10, nonlinearity=None, name="dense")


def loss_function(logits, labels):
    """Mean cross-entropy; Theano makes one stable operation of softmax and logarithm."""
    return lasagne.objectives.categorical_crossentropy(softmax(logits), labels).mean()


def compile_train_step(network, images, labels):
    """Compile a step of training; return it and what it updates: parameters and the optimiser's state.

    The optimiser is SGD with momentum; Lasagne has no unit gain.
    """
    loss = loss_function(lasagne.layers.get_output(network), labels)
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.momentum(loss, params, learning_rate=0.1, momentum=0.9)
    return theano.function([images, labels], loss, updates=updates), updates


def train(train_step, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        losses.append(train_step(images, labels))
    return losses
