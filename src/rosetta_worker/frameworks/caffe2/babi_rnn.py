"""The two-branch LSTM on bAbI in Caffe2."""

from caffe2.python import brew, core, workspace

from .layers import embedding, lstm


def add_network(model, is_test, vocabulary, story_length):
    """Add the operators that map "story" and "question", (batch, …) tokens, to the logits, (batch, vocabulary)."""
    story = embedding(model, "story", "story_embedding", vocabulary, 50)
    story = brew.dropout(model, story, "dropout1", ratio=0.3, is_test=is_test)

    question = embedding(model, "question", "question_embedding", vocabulary, 50)
    question = brew.dropout(model, question, "dropout2", ratio=0.3, is_test=is_test)
    question = lstm(model, question, "question_lstm", 50, 50)

    x = model.net.Add([story, question], "story_and_question")  # the question's one vector, to each of the story's
    x = lstm(model, x, "lstm", 50, 50)
    x = model.net.Squeeze(x, "last_output", dims=[0])
    x = brew.dropout(model, x, "dropout3", ratio=0.3, is_test=is_test)
    return brew.fc(model, x, "dense", 50, vocabulary)


def add_loss_and_gradients(model, logits):
    """Add softmax cross-entropy, mean over the batch, and the operators of its gradients."""
    _, loss = model.SoftmaxWithLoss([logits, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])


def add_optimizer(model):
    """Adam, operator by operator, for optimizer.build_adam takes the first step for the second.

    Caffe2 adds ε before the bias correction, as the workload does.
    """
    rate = model.param_init_net.ConstantFill([], "rate", shape=[1], value=-0.001)  # what is added, so it is negative
    steps = model.param_init_net.ConstantFill([], "steps", shape=[1], value=0, dtype=core.DataType.INT64)
    for param in model.params:
        m = model.param_init_net.ConstantFill([param], param + "_first_moment", value=0.0)
        v = model.param_init_net.ConstantFill([param], param + "_second_moment", value=0.0)
        gradient = model.param_to_grad[param]
        model.net.Adam([param, m, v, gradient, rate, steps], [param, m, v], beta1=0.9, beta2=0.999, epsilon=1e-7)
    model.net.Iter(steps, steps)  # counts the steps done


def train(model, batches):
    """Train on batches of (stories, questions, labels) and return the losses."""
    losses = []
    for stories, questions, labels in batches:
        workspace.FeedBlob("story", stories)
        workspace.FeedBlob("question", questions)
        workspace.FeedBlob("label", labels)
        workspace.RunNet(model.net)
        losses.append(workspace.FetchBlob("loss"))
    return losses
