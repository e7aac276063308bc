"""The recurrent network with a cell of one's own on MNIST in Caffe2."""

from caffe2.python import brew, optimizer, rnn_cell, workspace


class MinimalGatedUnit(rnn_cell.RNNCell):
    """A cell with one gate, f, and one bias (Zhou, Wu, Zhang & Zhou 2016)."""

    def __init__(self, in_size, units, name):
        super().__init__(name)
        self.in_size = in_size
        self.units = units

    def get_state_names_override(self):
        """Name the only state, h."""
        return ["hidden_state"]

    def prepare_input(self, model, x):
        """Map (time, batch, in) to what the input adds to f and c, of all time steps at once."""
        inputs = brew.fc(model, x, self.scope("i2h"), dim_in=self.in_size, dim_out=2 * self.units, axis=2)
        # fc always has a bias: this one stays zero, the workload's are those of the recurrence.
        model.params.remove(self.scope("i2h_b"))
        return inputs

    def apply_override(self, model, input_t, seq_lengths, states, timestep):
        """Add one step: that and the state before, both (1, batch, …), to the state after."""
        (h,) = states
        input_f, input_c = model.net.Split(input_t, ["input_f", "input_c"], axis=2)
        f = brew.fc(model, h, "forget_t", dim_in=self.units, dim_out=self.units, axis=2)
        f = model.net.Sigmoid(model.net.Add([input_f, f], "forget_sum"), "forget")
        c = model.net.Mul([f, h], "remembered")
        c = brew.fc(model, c, "candidate_t", dim_in=self.units, dim_out=self.units, axis=2)
        c = model.net.Tanh(model.net.Add([input_c, c], "candidate_sum"), "candidate")
        step = model.net.Mul([f, model.net.Sub([c, h], "difference")], "step")
        return (model.net.Add([h, step], "hidden_state"),)  # h + f·(c − h) is (1 − f)·h + f·c


def add_network(model, is_test):
    """Add the operators that map "image", (batch, 28 rows, 28 pixels), to the logits, (batch, 10)."""
    x = brew.transpose(model, "image", "rows", axes=(1, 0, 2))  # time first
    h = model.net.ConstantFill([], "initial_hidden", shape=[128], value=0.0)
    # Of the states of all time steps and the last one, only that has a gradient.
    _, (_, last) = MinimalGatedUnit(28, 128, "cell").apply_over_sequence(
        model, x, initial_states=[h], outputs_with_grads=[1]
    )
    x = model.net.Squeeze(last, "last_output", dims=[0])
    return brew.fc(model, x, "dense", 128, 10)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """SGD with momentum; Caffe2 has no unit gain, and Nesterov's unless told otherwise."""
    optimizer.build_sgd(model, base_learning_rate=0.1, momentum=0.9, nesterov=0)


def train(model, batches):
    """Train on batches of (images, labels) and return the losses."""
    losses = []
    for images, labels in batches:
        workspace.FeedBlob("image", images)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
