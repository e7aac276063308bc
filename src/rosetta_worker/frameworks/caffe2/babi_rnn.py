"""The two-branch LSTM on bAbI in Caffe2."""

from caffe2.python import brew, workspace

from .layers import embedding, lstm
from .optimizers import build_adam


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
    """Adam; Caffe2 adds ε before the bias correction, as the workload does."""
    build_adam(model, base_learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-7)


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
