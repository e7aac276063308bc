"""bAbI v1.2, English: 20 tasks of 1,000 + 1,000 questions about little stories (Weston et al. 2015), two of 10,000 too.

As in Keras' example: words and punctuation marks are tokens, upper and lower case differ. A story is all statements
before the question, also those that other questions came between. The vocabulary is all words of stories, questions and
answers, of training and test set, sorted; index 0 is padding, on the left. The answer is one word of the vocabulary.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rosetta.datasets.archives import damaged
from rosetta.datasets.originals import read_original
from rosetta.datasets.spec import (
    Batch,
    Dataset,
    Download,
    Edition,
    InputArray,
    Original,
    OriginalFile,
    Reading,
    Samples,
    generated,
    splits,
)
from rosetta.datasets.synthetic_text import story_words, synthetic_stories
from rosetta.datasets.tokens import left_padded
from rosetta.errors import RosettaError


class Sizes(NamedTuple):
    """Of a task: the number of its words, 1 for padding included, its longest story and longest question."""

    vocabulary: int
    story: int
    question: int


class Question(NamedTuple):
    """A question with what was told before it, as tokens, and its answer."""

    story: list[str]
    question: list[str]
    answer: str


def decode(sizes: Sizes, folder: Path, edition: Edition) -> Samples:
    """Read stories (n, story), questions (n, question) and answers (n,); raise ``RosettaError`` naming a bad file."""
    (train_file,), (test_file,) = edition.train_files, edition.test_files
    train = _questions(folder, train_file, edition.train_size)
    test = _questions(folder, test_file, edition.test_size)
    words = sorted({word for asked in train + test for word in (*asked.story, *asked.question, asked.answer)})
    found = Sizes(
        len(words) + 1,
        max(len(asked.story) for asked in train + test),
        max(len(asked.question) for asked in train + test),
    )
    if found != sizes:
        raise RosettaError(
            f"{folder / train_file.place} and {Path(test_file.name).name} are not of this task: "
            f"{_described(found)}; expected {_described(sizes)}.",
            "Replace them by the original files.",
        )
    vocabulary = ("", *words)
    return Samples(vocabulary, _batches(train, test, _index(vocabulary), sizes), vocabulary)


def read_text(sizes: Sizes, text: str, vocabulary: Sequence[str]) -> Reading:
    """Read a story, (story,), and the question at its end, (question,).

    Raises ``RosettaError`` at an unknown word, and where either is longer than all of the task's.
    """
    index, tokens = _index(vocabulary), _tokens(text)
    if unknown := sorted(set(tokens) - index.keys()):
        raise RosettaError(
            f"The network doesn't know {', '.join(unknown)}: its task has only the words "
            f"{' '.join(word for word in vocabulary if word)}.",
            "Upper and lower case differ.",
        )
    ends = [place for place, token in enumerate(tokens[:-1], 1) if token in (".", "?")]
    begin = ends[-1] if ends else 0
    if not begin or tokens[-1] != "?":
        raise RosettaError(
            f"{text!r} is no story with a question at its end.", "Such as: Mary moved to the hall. Where is Mary?"
        )
    numbers = [index[token] for token in tokens]
    story, question = numbers[:begin], numbers[begin:]
    for what, found, most in (("story", story, sizes.story), ("question", question, sizes.question)):
        if len(found) > most:
            raise RosettaError(
                f"The {what} has {len(found):,} words and marks; the network reads {most}, "
                "so that its beginning would be lost.",
                "Leave out what the answer doesn't rest on.",
            )
    return Reading((left_padded([story], sizes.story)[0], left_padded([question], sizes.question)[0]))


def _index(vocabulary: Sequence[str]) -> dict[str, int]:
    return {word: number for number, word in enumerate(vocabulary) if word}


def _batches(train: list[Question], test: list[Question], index: dict[str, int], sizes: Sizes) -> Iterator[Batch]:
    for split, questions in splits(train, test):
        stories = left_padded([[index[word] for word in asked.story] for asked in questions], sizes.story)
        asked = left_padded([[index[word] for word in asked.question] for asked in questions], sizes.question)
        yield split, (stories, asked), np.array([index[asked.answer] for asked in questions], np.int64)


def _questions(folder: Path, file: Original, size: int) -> list[Question]:
    path = folder / file.place if file.place == file.name else folder / file.place / file.name
    try:
        text = read_original(folder, file).decode()
    except UnicodeDecodeError as fault:
        raise damaged(path, f"not UTF-8 text: {fault.reason} at byte {fault.start}") from fault
    questions = list(read_questions(text, path))
    if len(questions) != size:
        raise damaged(path, f"{len(questions):,} questions, expected {size:,}")
    return questions


def read_questions(text: str, path: Path) -> Iterator[Question]:
    """Yield a file's questions; raise ``RosettaError`` naming a line that isn't right.

    A line is a number, a space and a statement, or a question, its answer and the numbers of the facts it rests on,
    with tabs between. The number 1 begins a new story, any other follows the one before.
    """
    story: list[str] = []
    previous = 0
    for row, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        number, _, rest = line.partition(" ")
        sentence, *answered = rest.split("\t")
        follows = number in ("1", str(previous + 1))
        if not follows or not sentence or len(answered) not in (0, 2) or not all(answered):
            raise damaged(path, f"line {row} is no statement or question: {line[:60]!r}")
        previous = int(number)
        if previous == 1:
            story = []
        if answered:
            yield Question(list(story), _tokens(sentence), answered[0])
        else:
            story += _tokens(sentence)


def _tokens(sentence: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]+", sentence)


def _described(sizes: Sizes) -> str:
    return (
        f"{sizes.vocabulary - 1} different words, stories of up to {sizes.story} and questions of up to "
        f"{sizes.question} words"
    )


class _Task(NamedTuple):
    folder: str
    name: str
    sizes: Sizes
    train: tuple[int, str]
    """Size and MD5 sum of the file; ``test`` likewise."""
    test: tuple[int, str]
    train_size: int = 1_000


_ARCHIVES = ("tasks_1-20_v1-2.tar.gz", "babi_tasks_1-20_v1-2.tar.gz")
_TOP = "tasks_1-20_v1-2"
_URL = "https://s3.amazonaws.com/text-datasets/babi_tasks_1-20_v1-2.tar.gz"
_ARCHIVE_BYTES = 11_745_123


def _name(task: _Task) -> str:
    number, _, _ = task.name.partition("_")
    return f"babi_{number}{'_10k' if task.folder == 'en-10k' else ''}"


def _dataset(task: _Task) -> Dataset:
    number, _, _ = task.name.partition("_")
    large = task.folder == "en-10k"
    words = number if not large else f"{number}, 10,000 questions"
    train, test = (
        OriginalFile(f"{task.folder}/{task.name}_{split}.txt", *known) for split, known in splits(task.train, task.test)
    )

    words_of_synthetic = ("", *story_words(task.sizes.vocabulary - 1))

    def edition(train: OriginalFile, test: OriginalFile) -> Edition:
        return Edition("real", task.train_size, 1_000, partial(decode, task.sizes), (train,), (test,))

    return Dataset(
        name=_name(task),
        title=f"bAbI {words}",
        inputs=(
            InputArray("story", (task.sizes.story,), "int32"),
            InputArray("question", (task.sizes.question,), "int32"),
        ),
        scale=1.0,
        folder=_TOP,
        editions=(
            edition(train, test),
            *(
                edition(*(OriginalFile(f"{_TOP}/{file.name}", file.size, file.md5, archive) for file in (train, test)))
                for archive in _ARCHIVES
            ),
        ),
        downloads=(
            # Keras publishes no sum of the archive; those of the two files decide.
            Download(
                OriginalFile(_ARCHIVES[1], _ARCHIVE_BYTES, ""),
                (_URL,),
                {f"{_TOP}/{file.name}": file for file in (train, test)},
            ),
        ),
        generated=generated(
            "synthetic",
            task.train_size,
            1_000,
            words_of_synthetic,
            partial(synthetic_stories, *task.sizes),
            words_of_synthetic,
        ),
        read_text=partial(read_text, task.sizes),
    )


_TASKS = (
    _Task(
        "en",
        "qa1_single-supporting-fact",
        Sizes(22, 66, 4),
        (94_346, "b3d2196a7dd5d8c65b2ddc17a34d76bd"),
        (94_477, "d33488e97ced71fabb9381ee273a66d3"),
    ),
    _Task(
        "en",
        "qa2_two-supporting-facts",
        Sizes(36, 552, 5),
        (177_412, "4b0568df2bc9946408b3ba69ef1b78f9"),
        (179_835, "dd4b3eb2de365efe93eecfa67b3988f0"),
    ),
    _Task(
        "en",
        "qa3_three-supporting-facts",
        Sizes(37, 1348, 8),
        (529_204, "f169fe223a687ff3a9e21bf0c98a02b9"),
        (526_527, "c78f5b0c59c278deae7493dbc5f65626"),
    ),
    _Task(
        "en",
        "qa4_two-arg-relations",
        Sizes(18, 16, 7),
        (117_470, "a1fc439c292b72657a0bd0a464784c92"),
        (117_394, "70d4cec7286d2a5ce73501eabba4ffdc"),
    ),
    _Task(
        "en",
        "qa5_three-arg-relations",
        Sizes(42, 627, 8),
        (199_473, "2bc8cf0da71a900732e2cc647bf4514c"),
        (207_037, "2cf6f2134b9dac40d1e57a75ed1f4b35"),
    ),
    _Task(
        "en",
        "qa6_yes-no-questions",
        Sizes(38, 156, 6),
        (100_561, "67ba903b50ba4869ce4d04be578ebc69"),
        (100_109, "aecebb00ca94af658ea6dd3e2d5a1004"),
    ),
    _Task(
        "en",
        "qa7_counting",
        Sizes(46, 216, 7),
        (135_895, "1a5235bc8cb1ea780f5427b3bb59f089"),
        (130_136, "f1e78a8a0fd0ed94de4e872a48fe1b28"),
    ),
    _Task(
        "en",
        "qa8_lists-sets",
        Sizes(48, 358, 5),
        (124_487, "e659defa5443771481274b41d7f857ca"),
        (126_863, "56166f60577ebbac4d195133b54551f0"),
    ),
    _Task(
        "en",
        "qa9_simple-negation",
        Sizes(27, 74, 6),
        (97_310, "86ea0832a682096157fe73003ddf68a7"),
        (97_208, "69b8ed3da50e03b56c0ad1e44f410731"),
    ),
    _Task(
        "en",
        "qa10_indefinite-knowledge",
        Sizes(28, 86, 6),
        (99_217, "0ef5628c13db273e9daae923e03e117d"),
        (99_632, "f0d77cf3e646b9daa4ec3c2a21a8401d"),
    ),
    _Task(
        "en",
        "qa11_basic-coreference",
        Sizes(29, 76, 4),
        (104_520, "c6f9d1123893b567a698b29a3c86a7ec"),
        (104_800, "037385cbc6f74433d906cb61b5bf0f44"),
    ),
    _Task(
        "en",
        "qa12_conjunction",
        Sizes(23, 86, 4),
        (114_560, "6385fb8a9e0bd282c38ec82435e8281f"),
        (114_489, "4b599627b9452558cc9a1875e59dafa9"),
    ),
    _Task(
        "en",
        "qa13_compound-coreference",
        Sizes(29, 85, 4),
        (116_516, "e54ff427d64b90e36feb08b3a3dbdc57"),
        (116_444, "96f6dbbb74b719706d4dfb79546150b8"),
    ),
    _Task(
        "en",
        "qa14_time-reasoning",
        Sizes(30, 114, 7),
        (152_131, "5b5be4de2f8edd4351ac1ab9c0beea12"),
        (151_420, "2f5c0cd4e42f53925be1b677db999cb1"),
    ),
    _Task(
        "en",
        "qa15_basic-deduction",
        Sizes(28, 44, 6),
        (87_688, "f7b814a139b1139735ab96b9ac6e3a9a"),
        (87_769, "135db07bf613444c5c9636aa051fb93d"),
    ),
    _Task(
        "en",
        "qa16_basic-induction",
        Sizes(20, 41, 5),
        (208_334, "69f726fcc30abc3e412483d573f80963"),
        (208_208, "9ee715176a82862d8fc65440cd1c71d8"),
    ),
    _Task(
        "en",
        "qa17_positional-reasoning",
        Sizes(23, 24, 12),
        (68_596, "820551ce0c53e61ad3a7ff6185a0cac3"),
        (68_578, "bb108b8290f963cd361c26f7ef058ec5"),
    ),
    _Task(
        "en",
        "qa18_size-reasoning",
        Sizes(23, 130, 10),
        (104_815, "1c32d0545a8cf5a26777041873a2ba55"),
        (103_626, "a2af390670baf39c72e4052e5c15d083"),
    ),
    _Task(
        "en",
        "qa19_path-finding",
        Sizes(35, 40, 11),
        (247_496, "42677eed7987c1ded046682743864687"),
        (247_449, "b317a287f6780b941bb876047418e6ca"),
    ),
    _Task(
        "en",
        "qa20_agents-motivations",
        Sizes(42, 69, 8),
        (67_892, "e5114c487cb1cf559a69db30289ea4ab"),
        (67_963, "3238749cfa9731bcdb0c4d01114385bd"),
    ),
    _Task(
        "en-10k",
        "qa1_single-supporting-fact",
        Sizes(22, 68, 4),
        (944_248, "1835e9ea97b02d6546071b41987bcd8b"),
        (94_477, "d33488e97ced71fabb9381ee273a66d3"),
        10_000,
    ),
    _Task(
        "en-10k",
        "qa2_two-supporting-facts",
        Sizes(36, 552, 5),
        (1_794_716, "14833d98880fb69fff2fce0974cef008"),
        (179_835, "dd4b3eb2de365efe93eecfa67b3988f0"),
        10_000,
    ),
)

SIZES = {_name(task): task.sizes for task in _TASKS}
DATASETS = tuple(_dataset(task) for task in _TASKS)
