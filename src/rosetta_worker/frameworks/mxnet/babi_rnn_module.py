"""The two-branch LSTM on bAbI in MXNet's Module API."""

import mxnet as mx


def lstm(sequence, features, units, name):
    """Map (time, batch, features) to the last output, (batch, units), by MXNet's fused operation.

    It takes weights and biases in one vector. Of the two biases that it adds up the workload has only the first:
    ``mx.rnn.FusedRNNCell`` would train both.
    """
    parameters = mx.sym.concat(
        mx.sym.var(f"{name}_i2h_weight", shape=(4 * units, features)).reshape(shape=(-1,)),
        mx.sym.var(f"{name}_h2h_weight", shape=(4 * units, units)).reshape(shape=(-1,)),
        mx.sym.var(f"{name}_i2h_bias", shape=(4 * units,)),
        mx.sym.zeros((4 * units,)),
        dim=0,
    )
    zeros = mx.sym.zeros((1, 0, units))  # 0: as many as the batch has
    outputs = mx.sym.RNN(sequence, parameters, zeros, zeros, mode="lstm", state_size=units, num_layers=1)
    # The last step. The gradient of MXNet 1.9.1's SequenceLast is broken.
    return mx.sym.squeeze(mx.sym.slice_axis(outputs, axis=0, begin=-1, end=None), axis=0)


def make_symbol(vocabulary, story_length):
    """An LSTM reads the question; another one reads the story, the question's vector added to each of its words.

    Tokens, (batch, story_length) and (batch, question's length), to probabilities, (batch, vocabulary).
    """
    story = mx.sym.transpose(mx.sym.var("story"))
    story = mx.sym.Embedding(story, input_dim=vocabulary, output_dim=50, name="story_embedding")
    story = mx.sym.Dropout(story, p=0.3)

    question = mx.sym.transpose(mx.sym.var("question"))
    question = mx.sym.Embedding(question, input_dim=vocabulary, output_dim=50, name="question_embedding")
    question = mx.sym.Dropout(question, p=0.3)
    question = lstm(question, 50, 50, name="question_lstm")
    question = mx.sym.broadcast_axis(mx.sym.expand_dims(question, axis=0), axis=0, size=story_length)

    x = lstm(story + question, 50, 50, name="lstm")
    x = mx.sym.Dropout(x, p=0.3)
    x = mx.sym.FullyConnected(x, num_hidden=vocabulary, name="dense")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def make_module(symbol, data_shapes, label_shapes):
    """Bind the network to memory for batches of one size."""
    module = mx.mod.Module(symbol, data_names=["story", "question"])
    module.bind(data_shapes, label_shapes)
    module.init_params(mx.init.Xavier())
    return module


def init_optimizer(module):
    """Adam; MXNet adds ε before the bias correction, as the workload does."""
    options = {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
    module.init_optimizer(optimizer="adam", optimizer_params=options)


def train(module, batches):
    """Train on batches of stories, questions and labels and return the mean loss."""
    loss = mx.metric.CrossEntropy()
    for batch in batches:
        module.forward_backward(batch)
        module.update()
        module.update_metric(loss, batch.label)
    return loss.get()[1]
