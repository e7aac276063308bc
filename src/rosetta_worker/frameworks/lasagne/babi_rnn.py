"""The two-branch LSTM on bAbI in Lasagne, on Theano."""

import lasagne
import theano
import theano.tensor as T
from lasagne.layers import DenseLayer, DropoutLayer, ElemwiseSumLayer, EmbeddingLayer, InputLayer, LSTMLayer, SliceLayer
from lasagne.nonlinearities import softmax


class RepeatLayer(lasagne.layers.Layer):
    """Repeats a vector over so many time steps: (batch, features) to (batch, times, features)."""

    def __init__(self, incoming, times, **kwargs):
        super().__init__(incoming, **kwargs)
        self.times = times

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.times, input_shape[1])

    def get_output_for(self, input, **kwargs):
        return T.repeat(input.dimshuffle(0, "x", 1), self.times, axis=1)


def build_network(stories, questions, vocabulary, story_length):
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words.

    They map tokens, (batch, story_length) and (batch, question's length), to logits, (batch, vocabulary).
    """
    story = InputLayer((None, story_length), stories)
    story = EmbeddingLayer(story, vocabulary, 50, name="story_embedding")
    story = DropoutLayer(story, 0.3)

    question = InputLayer((None, None), questions)
    question = EmbeddingLayer(question, vocabulary, 50, name="question_embedding")
    question = DropoutLayer(question, 0.3)
    question = LSTMLayer(question, 50, peepholes=False, name="question_lstm")
    question = SliceLayer(question, -1, axis=1)  # its last output
    question = RepeatLayer(question, story_length)

    network = ElemwiseSumLayer([story, question])
    network = LSTMLayer(network, 50, peepholes=False, name="lstm")
    network = SliceLayer(network, -1, axis=1)
    network = DropoutLayer(network, 0.3)
    return DenseLayer(network, vocabulary, nonlinearity=None, name="dense")


def loss_function(logits, labels):
    """Mean cross-entropy; Theano makes one stable operation of softmax and logarithm."""
    return lasagne.objectives.categorical_crossentropy(softmax(logits), labels).mean()


def compile_train_step(network, stories, questions, labels):
    """Compile a step of training; return it and what it updates: parameters and the optimiser's state.

    The optimiser is Adam; Lasagne adds ε before the bias correction, as the workload does.
    """
    loss = loss_function(lasagne.layers.get_output(network), labels)
    params = lasagne.layers.get_all_params(network, trainable=True)
    updates = lasagne.updates.adam(loss, params, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-7)
    return theano.function([stories, questions, labels], loss, updates=updates), updates


def train(train_step, batches):
    """Train on batches of (stories, questions, labels) and return the losses."""
    losses = []
    for stories, questions, labels in batches:
        losses.append(train_step(stories, questions, labels))
    return losses
