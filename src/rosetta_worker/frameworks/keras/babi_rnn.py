"""The two-branch LSTM on bAbI in Keras."""

import keras
from keras import layers


def make_model(vocabulary, story_length):
    """Build and compile the network: the question's vector is added to every token of the story, logits out."""
    story = keras.Input(shape=(story_length,), dtype="int32", name="story")
    encoded_story = layers.Embedding(vocabulary, 50, name="story_embedding")(story)
    encoded_story = layers.Dropout(0.3)(encoded_story)

    question = keras.Input(shape=(None,), dtype="int32", name="question")
    encoded_question = layers.Embedding(vocabulary, 50, name="question_embedding")(question)
    encoded_question = layers.Dropout(0.3)(encoded_question)
    encoded_question = layers.LSTM(50, name="question_lstm")(encoded_question)
    encoded_question = layers.RepeatVector(story_length)(encoded_question)

    x = layers.add([encoded_story, encoded_question])
    x = layers.LSTM(50, name="lstm")(x)
    x = layers.Dropout(0.3)(x)
    logits = layers.Dense(vocabulary, name="dense")(x)

    model = keras.Model([story, question], logits)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def train(model, stories_and_questions, labels, batch_size=32):
    """Train on [stories, questions], (samples, tokens) each, batch by batch, and return the mean loss."""
    history = model.fit(stories_and_questions, labels, batch_size=batch_size, epochs=1, shuffle=False, verbose=0)
    return history.history["loss"]
