"""The two-branch LSTM on bAbI in CNTK."""

import cntk as C
from cntk.layers import LSTM, Dense, Dropout, Fold, Sequential

from .layers import Embedding


def create_network(vocabulary, story_length):
    """Build the network: an LSTM reads the question; another one the story, the first's vector added to each word."""
    # Sequences of tokens, as floats; CNTK takes them at any length and needs no story_length.
    story = C.sequence.input_variable((), sequence_axis=C.Axis("story"))
    question = C.sequence.input_variable((), sequence_axis=C.Axis("question"))
    label = C.input_variable(vocabulary)  # one-hot

    read_story = Sequential([Embedding(vocabulary, 50, name="story_embedding"), Dropout(0.3)])
    read_question = Sequential(
        [
            Embedding(vocabulary, 50, name="question_embedding"),
            Dropout(0.3),
            Fold(LSTM(50, name="question_lstm")),
        ]
    )
    answer = Sequential([Fold(LSTM(50, name="lstm")), Dropout(0.3), Dense(vocabulary, name="dense")])

    words = read_story(story)
    logits = answer(words + C.sequence.broadcast_as(read_question(question), words))
    loss = C.cross_entropy_with_softmax(logits, label)
    return {"story": story, "question": question, "label": label, "output": logits, "loss": loss}


def create_trainer(network):
    """Bind the network to its loss and its optimiser: Adam; CNTK adds ε before the bias correction, as Keras does."""
    learner = C.adam(
        network["output"].parameters,
        lr=0.001,
        momentum=0.9,
        variance_momentum=0.999,
        epsilon=1e-7,
        unit_gain=True,  # with which the paper's mean of gradients is (1 − β₁)·g + β₁·m
        minibatch_size=C.learners.IGNORE,  # rates are per minibatch, gradients its mean
    )
    return C.Trainer(network["output"], (network["loss"], None), [learner])


def train(trainer, network, batches):
    """Train on batches of (stories, questions, one-hot labels) and return the losses."""
    losses = []
    for stories, questions, labels in batches:
        minibatch = {network["story"]: stories, network["question"]: questions, network["label"]: labels}
        trainer.train_minibatch(minibatch)
        losses.append(trainer.previous_minibatch_loss_average)
    return losses
