"""Generates reviews and stories that a network can learn, for machines without the real data and without a network."""

from collections.abc import Iterator

import numpy as np

from rosetta.datasets.spec import Batch, splits
from rosetta.datasets.tokens import FIRST_WORD, START, left_padded

_SEED = 20180103
_BATCH = 1000

_VOCABULARY = 30_000
_LENGTH = 150
_SHORTEST, _LONGEST = 20, 300
# Hardly ever drawn otherwise.
_TELLING_WORDS = (20_000, 20_400)
_TELLING_SHARE = 16
_TRUTHFUL_PERCENT = 70


def synthetic_reviews(train_size: int, test_size: int) -> Iterator[Batch]:
    """Yield reviews (n, 150) int32 and labels (n,), the same ones every time.

    A review has 20 to 300 words, of which start and the rest come to the last 150 as in the real data. Frequent words
    are drawn more often. One word in 16 is one of 400 that tell: those of even index occur in positive reviews 7 times
    in 10, the odd ones in negative reviews. So a short review can mislead.
    """
    for stream, (split, size) in enumerate(splits(train_size, test_size)):
        rng = np.random.default_rng([_SEED, stream])
        for start in range(0, size, _BATCH):
            n = min(_BATCH, size - start)
            labels = rng.integers(0, 2, n)
            # Whole numbers only, so that the last bit of a logarithm can't make another machine's words differ.
            words = rng.integers(0, 1 << rng.integers(4, 16, (n, _LONGEST))) % (_VOCABULARY - FIRST_WORD) + FIRST_WORD
            truthful = rng.integers(0, 100, words.shape) < _TRUTHFUL_PERCENT
            parity = np.where(truthful, 1 - labels[:, None], labels[:, None])
            first, last = _TELLING_WORDS
            telling = first + 2 * rng.integers(0, (last - first) // 2, words.shape) + parity
            words = np.where(rng.integers(0, _TELLING_SHARE, words.shape) == 0, telling, words)
            words[:, 0] = START
            lengths = rng.integers(_SHORTEST, _LONGEST, n)
            reviews = [row[:length].astype(np.int32) for row, length in zip(words, lengths, strict=True)]
            yield split, (left_padded(reviews, _LENGTH),), labels


_PROSE = (
    *("the", "a", "and", "of", "to", "it", "was", "film", "that", "in", "this", "is", "story", "with", "not", "good"),
    *(
        "one",
        "actor",
        "scene",
        "really",
        "watch",
        "never",
        "music",
        "plot",
        "time",
        "great",
        "bad",
        "about",
        "director",
    ),
    *("director", "ending", "because", "character", "beautiful", "nothing"),
)


def synthetic_prose(size: int, stream: int) -> str:
    """Return sentences of English words, about ``size`` of them, the same every time; early words are more frequent."""
    rng = np.random.default_rng([_SEED, stream])
    sentences = []
    for length in rng.integers(4, 12, size):
        words = [_PROSE[index] for index in rng.integers(0, rng.integers(2, len(_PROSE) + 1, length))]
        sentences.append(" ".join(words).capitalize() + ".")
    return " ".join(sentences)


_FIXED_WORDS = (".", "?", "Where", "is", "moved", "the", "to")
_NAMES = (
    *("Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Ida", "Jonas"),
    *("Klara", "Leo", "Maria", "Nils", "Olga", "Paul", "Rosa", "Simon", "Tina", "Victor"),
)
_PLACES = (
    *("attic", "balcony", "bathroom", "bedroom", "cellar", "corridor", "garage", "garden", "hall", "hallway"),
    *("kitchen", "library", "lounge", "nursery", "office", "pantry", "porch", "shed", "stable", "studio"),
)
_STATEMENT_WORDS = 6
_MOST_STATEMENTS = 20


def story_words(count: int) -> tuple[str, ...]:
    """Return the vocabulary of synthetic stories, ``count`` words in order: as many people as places, or one less."""
    room = count - len(_FIXED_WORDS)
    people = room // 2
    return tuple(sorted((*_FIXED_WORDS, *_NAMES[:people], *_PLACES[: room - people])))


def synthetic_stories(
    vocabulary_size: int, story_length: int, question_length: int, train_size: int, test_size: int
) -> Iterator[Batch]:
    """Yield stories (n, story_length) int32, questions (n, question_length) and answers (n,), the same every time.

    A story is 2 to 20 statements "Anna moved to the attic .", fewer if that is longer than ``story_length``. The
    question is "Where is Anna ?" for someone who occurs in it, the answer her last place. Indices are those of
    ``story_words`` from 1 on, so that, with 0 for padding, there are ``vocabulary_size``.
    """
    words = story_words(vocabulary_size - 1)
    index = {word: number for number, word in enumerate(words, start=1)}
    names = [index[word] for word in words if word in _NAMES]
    places = [index[word] for word in words if word in _PLACES]
    moved, to, the, stop, where, is_, mark = (index[word] for word in ("moved", "to", "the", ".", "Where", "is", "?"))
    most = min(_MOST_STATEMENTS, story_length // _STATEMENT_WORDS)
    for stream, (split, size) in enumerate(splits(train_size, test_size)):
        rng = np.random.default_rng([_SEED, stream])
        stories, questions, answers = [], [], []
        for _ in range(size):
            count = int(rng.integers(2, most + 1))
            who = [names[at] for at in rng.integers(0, len(names), count)]
            whither = [places[at] for at in rng.integers(0, len(places), count)]
            asked = who[int(rng.integers(0, count))]
            stories.append(
                [token for pair in zip(who, whither, strict=True) for token in (pair[0], moved, to, the, pair[1], stop)]
            )
            questions.append([where, is_, asked, mark])
            answers.append(dict(zip(who, whither, strict=True))[asked])
        yield (
            split,
            (left_padded(stories, story_length), left_padded(questions, question_length)),
            np.array(answers, np.int64),
        )
