"""The two-branch LSTM on bAbI in Keras 2."""

from keras import backend as K
from keras.layers import LSTM, Activation, Dense, Dropout, Embedding, Input, RepeatVector, add
from keras.models import Model
from keras.optimizers import Adam

# Left rolled, LSTM gives something else on Keras-MXNet, and its cell's state on CNTK.
UNROLL = K.backend() != "theano"


def make_model(vocabulary, story_length, question_length):
    """Build and compile the network: the question's vector is added to every token of the story, probabilities out."""
    story = Input(shape=(story_length,), dtype="int32", name="story")
    encoded_story = Embedding(vocabulary, 50, name="story_embedding")(story)
    encoded_story = Dropout(0.3)(encoded_story)

    question = Input(shape=(question_length,), dtype="int32", name="question")
    encoded_question = Embedding(vocabulary, 50, name="question_embedding")(question)
    encoded_question = Dropout(0.3)(encoded_question)
    encoded_question = LSTM(50, recurrent_activation="sigmoid", unroll=UNROLL, name="question_lstm")(encoded_question)
    encoded_question = RepeatVector(story_length)(encoded_question)

    merged = add([encoded_story, encoded_question])
    merged = LSTM(50, recurrent_activation="sigmoid", unroll=UNROLL, name="lstm")(merged)
    merged = Dropout(0.3)(merged)
    predictions = Activation("softmax")(Dense(vocabulary, name="dense")(merged))

    model = Model([story, question], predictions)
    optimizer = Adam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    return model


def train(model, stories_and_questions, labels, batch_size=32):
    """Train on [stories, questions], (samples, tokens) each, and one-hot labels; return the mean loss."""
    history = model.fit(stories_and_questions, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
