"""The "Rosetta Stone" GRU on IMDB reviews in Lasagne, on Theano."""

import lasagne
import theano
import theano.tensor as T
from lasagne.init import Constant, GlorotUniform, Orthogonal
from lasagne.layers import DenseLayer, EmbeddingLayer, InputLayer
from lasagne.nonlinearities import sigmoid, softmax, tanh


class GRULayer(lasagne.layers.Layer):
    """A GRU's last output, (batch, time, features) to (batch, units), in cuDNN's form.

    Lasagne's own layer lacks one of its two biases, that of the recurrent product.
    """

    def __init__(self, incoming, num_units, **kwargs):
        super().__init__(incoming, **kwargs)
        self.num_units = num_units
        self.W_in = self.add_param(GlorotUniform(), (self.input_shape[2], 3 * num_units), "W_in")
        self.W_hid = self.add_param(Orthogonal(), (num_units, 3 * num_units), "W_hid")
        self.b_in = self.add_param(Constant(0), (3 * num_units,), "b_in", regularizable=False)
        self.b_hid = self.add_param(Constant(0), (3 * num_units,), "b_hid", regularizable=False)

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.num_units)

    def get_output_for(self, input, **kwargs):
        # Scan goes over the first axis, the time; the products with the input are made for all steps at once.
        x = T.dot(input.dimshuffle(1, 0, 2), self.W_in) + self.b_in
        h = T.zeros((input.shape[0], self.num_units))
        weights = [self.W_hid, self.b_hid]
        outputs, _ = theano.scan(self.step, sequences=x, outputs_info=h, non_sequences=weights, strict=True)
        return outputs[-1]

    def step(self, x, h, W_hid, b_hid):
        """Return the next state, given the products with one step's input and the state before."""
        units = self.num_units
        y = T.dot(h, W_hid) + b_hid
        reset = sigmoid(x[:, :units] + y[:, :units])
        update = sigmoid(x[:, units : 2 * units] + y[:, units : 2 * units])
        new = tanh(x[:, 2 * units :] + reset * y[:, 2 * units :])
        return (1 - update) * new + update * h


def build_network(reviews):
    """An embedding, a GRU's last output and a dense layer: tokens, (batch, 150), to logits, (batch, 2)."""
    network = InputLayer((None, 150), reviews)
    network = EmbeddingLayer(network, 30000, 125, name="embedding")
    network = GRULayer(network, 100, name="gru")
    return DenseLayer(network, 2, nonlinearity=None, name="dense")


def loss_function(logits, labels):
    """Mean cross-entropy; Theano makes one stable operation of softmax and logarithm."""
    return lasagne.objectives.categorical_crossentropy(softmax(logits), labels).mean()


def compile_train_step(network, reviews, labels):
    """Compile a step of training; return it and what it updates: parameters and the optimiser's state.

    The optimiser is Adam; Lasagne adds ε before the bias correction, the workload after it.
    """
    loss = loss_function(lasagne.layers.get_output(network), labels)
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.adam(loss, params, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8)
    return theano.function([reviews, labels], loss, updates=updates), updates


def train(train_step, batches):
    """Train on batches of (reviews, labels) and return the losses."""
    losses = []
    for reviews, labels in batches:
        losses.append(train_step(reviews, labels))
    return losses
