"""bAbI: every task's words and sizes, files and archives that are wrong, the synthetic stories."""

import gzip
import re
import tarfile
import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_files import Files, fault_of, link, original, put, store, tar_gz

from rosetta.datasets import PreparedDataset, available, datasets, prepare
from rosetta.datasets.babi import SIZES as SIZES_OF
from rosetta.datasets.babi import Sizes, decode, read_questions
from rosetta.datasets.spec import Dataset, Edition, InputArray
from rosetta.datasets.synthetic_text import synthetic_stories
from rosetta.errors import RosettaError

TASKS = sorted(name for name in datasets() if name.startswith("babi_"))


Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def load(prepared: PreparedDataset) -> tuple[Any, ...]:
    """Return stories, questions and answers of both splits."""
    return tuple(
        tuple(np.load(path, mmap_mode="r", allow_pickle=False) for path in (*inputs, labels))
        for inputs, labels in (
            (prepared.train_inputs, prepared.train_labels),
            (prepared.test_inputs, prepared.test_labels),
        )
    )


def told(prepared: PreparedDataset, split: Arrays, sample: int) -> tuple[str, ...]:
    """Put a sample into words again."""
    story, question, answer = (np.atleast_1d(part[sample]) for part in split)
    return tuple(" ".join(prepared.class_names[index] for index in part if index) for part in (story, question, answer))


# The real data


def test_every_task_of_the_workload_has_its_data() -> None:
    assert set(TASKS) == set(SIZES_OF)
    assert len(TASKS) == 22


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_the_sizes_that_the_workload_declares(name: str, real_data: Path, tmp_path: Path) -> None:
    prepared = prepare(name, real_data, tmp_path)
    sizes = SIZES_OF[name]
    assert (prepared.kind, prepared.scale) == ("real", 1.0)
    assert len(prepared.class_names) == sizes.vocabulary
    assert list(prepared.class_names) == sorted(set(prepared.class_names))
    train, test = load(prepared)
    assert len(train[2]) == (10_000 if name.endswith("10k") else 1_000)
    assert len(test[2]) == 1_000
    for part, length in ((0, sizes.story), (1, sizes.question)):
        assert train[part].shape == (len(train[2]), length)
        assert test[part].shape == (1_000, length)
        assert train[part].dtype == test[part].dtype == np.int32
        # The longest fills its row, and padding is on the left only.
        assert max(train[part][:, 0].max(), test[part][:, 0].max()) > 0
        for inputs in (train[part], test[part]):
            assert (np.diff((inputs != 0).astype(int), axis=1) >= 0).all()
            assert inputs[:, -1].min() > 0
    parts = [part.ravel() for part in (*train, *test)]
    # In some tasks all stories are of one length, without padding.
    assert set(np.concatenate(parts)) | {0} == set(range(sizes.vocabulary))


def test_qa1_in_words(real_data: Path, tmp_path: Path) -> None:
    prepared = prepare("babi_qa1", real_data, tmp_path)
    train, test = load(prepared)
    first = "Mary moved to the bathroom . John went to the hallway ."
    second = f"{first} Daniel went back to the hallway . Sandra moved to the garden ."
    assert told(prepared, train, 0) == (first, "Where is Mary ?", "bathroom")
    assert told(prepared, train, 1) == (second, "Where is Daniel ?", "hallway")
    assert told(prepared, test, 0)[1:] == ("Where is John ?", "hallway")
    assert prepared.class_names[:4] == ("", ".", "?", "Daniel")


def test_an_answer_of_several_words_is_one(real_data: Path, tmp_path: Path) -> None:
    prepared = prepare("babi_qa19", real_data, tmp_path)
    train, _ = load(prepared)
    assert told(prepared, train, 0)[1:] == ("How do you go from the kitchen to the garden ?", "s,e")


# Small tasks whose sums are made here

TRAIN = """1 Anna is in the hall.
2 Where is Anna? \thall\t1
3 Ben, too, is in the hall.
4 Where is Ben? \thall\t3
1 Ben left.
2 Did Ben leave? \tyes\t1
"""
TEST = "1 Anna left.\n2 Ben left.\n3 Did Anna leave?\tyes\t1\n"
# . , ? Anna Ben Did Where hall in is leave left the too yes
SIZES = Sizes(16, 15, 4)
FOLDER = "tasks_1-20_v1-2"


def files(train: str | bytes = TRAIN, test: str | bytes = TEST) -> Files:
    return {
        f"en/qa1_{split}.txt": content if isinstance(content, bytes) else content.encode()
        for split, content in (("train", train), ("test", test))
    }


def tiny(contents: Files, archive: str = "") -> Dataset:
    """Declare babi_qa1 as these files, in a folder or in an archive, with 3 + 1 questions."""
    prefix = f"{FOLDER}/" if archive else ""
    train, test = (original(f"{prefix}{name}", content, archive) for name, content in contents.items())
    return replace(
        datasets()["babi_qa1"],
        inputs=(InputArray("story", (SIZES.story,), "int32"), InputArray("question", (SIZES.question,), "int32")),
        editions=(Edition("real", 3, 1, partial(decode, SIZES), (train,), (test,)),),
        downloads=(),
    )


def babi(monkeypatch: pytest.MonkeyPatch, folder: Path, contents: Files) -> Path:
    put(monkeypatch, tiny(contents))
    return store(folder, {f"{FOLDER}/{name}": content for name, content in contents.items()})


def test_stories_become_indices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepared = prepare("babi_qa1", babi(monkeypatch, tmp_path / "data", files()), tmp_path / "cache")
    words = [",", ".", "?", "Anna", "Ben", "Did", "Where", "hall", "in", "is", "leave", "left", "the", "too", "yes"]
    assert prepared.class_names == ("", *words)
    train, test = load(prepared)
    assert told(prepared, train, 0) == ("Anna is in the hall .", "Where is Anna ?", "hall")
    assert told(prepared, train, 1)[0] == "Anna is in the hall . Ben , too , is in the hall ."
    assert told(prepared, train, 2) == ("Ben left .", "Did Ben leave ?", "yes")
    assert told(prepared, test, 0) == ("Anna left . Ben left .", "Did Anna leave ?", "yes")
    assert train[0][2].tolist() == [0] * 12 + [5, 12, 2]
    assert [path.name for path in prepared.train_inputs] == ["train_story.npy", "train_question.npy"]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("3 Ben left\tyes", "line 3 is no statement or question: '3 Ben left"),
        ("Ben left.", "line 3 is no"),
        ("4 Ben left.", "line 3 is no"),
        ("0 Ben left.", "line 3 is no"),
        ("³ Ben left.", "line 3 is no"),
        ("3", "line 3 is no"),
        ("3 ", "line 3 is no"),
        ("", "line 3 is no"),
        ("3 Who?\t\t1", "line 3 is no"),
        ("3 Who?\ta\tb\tc", "line 3 is no"),
        ("3 " + "x" * 1000 + "\t", r"line 3 is no statement or question: '3 x{58}'\."),
    ],
)
def test_lines_that_are_not_right(line: str, cause: str, tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match=cause) as caught:
        list(read_questions(f"1 Anna left.\n2 Who left?\tAnna\t1\n{line}\n", tmp_path / "task.txt"))
    assert str(tmp_path / "task.txt") in caught.value.cause


@pytest.mark.parametrize(
    ("train", "cause"),
    [
        (TRAIN[: TRAIN.rindex("2 Did")], "2 questions, expected 3"),
        (TRAIN[:-3], "line 6 is no statement or question"),
        (TRAIN + "3 Who?\tBen\t1\n", "4 questions, expected 3"),
        (TRAIN.replace("hall", "h\u00e4ll").encode("latin-1"), "not UTF-8 text: .* at byte"),
        (TRAIN.encode("utf-16"), "not UTF-8 text"),
        (gzip.compress(TRAIN.encode(), mtime=0), "not UTF-8 text"),
        (b"", "line 1 is no"),
        (bytes(100), "line 1 is no"),
        (TRAIN.replace("left", "went away"), "not of this task: 17 different words"),
        (TRAIN.replace("Ben, too,", "Ben"), "not of this task: 13 different words, stories of up to 12"),
    ],
)
def test_files_that_are_not_right(
    train: str | bytes, cause: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = babi(monkeypatch, tmp_path / "data", files(train))
    fault = fault_of("babi_qa1", data, tmp_path / "cache")
    assert re.search(cause, fault.cause)
    assert str(data / FOLDER / "en" / "qa1_train.txt") in fault.cause
    assert not list(tmp_path.rglob("*.npy"))
    good = babi(monkeypatch, tmp_path / "data", files())
    assert prepare("babi_qa1", good, tmp_path / "cache").kind == "real"


def test_sums_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = babi(monkeypatch, tmp_path / "data", files())
    path = data / FOLDER / "en" / "qa1_test.txt"
    path.write_text(TEST.replace("Anna", "Anne"))
    assert "qa1_test.txt has a wrong checksum" in fault_of("babi_qa1", data, tmp_path / "cache").cause
    path.write_text(TEST[:-1])
    assert "qa1_test.txt is truncated" in fault_of("babi_qa1", data, tmp_path / "cache").cause
    path.unlink()
    assert "incomplete: en/qa1_test.txt missing" in fault_of("babi_qa1", data, tmp_path / "cache").cause


def test_another_task_in_its_place(real_data: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        content = (real_data / FOLDER / "en" / f"qa2_two-supporting-facts_{split}.txt").read_bytes()
        store(tmp_path / "data", {f"{FOLDER}/en/qa1_single-supporting-fact_{split}.txt": content})
    assert "_train.txt is too long" in fault_of("babi_qa1", tmp_path / "data", tmp_path / "cache").cause


@pytest.mark.parametrize(("name", "near"), [("babi_qa21", "babi_qa2"), ("babi_qa3_10k", "babi_qa2_10k"), ("babi", "")])
def test_a_task_that_does_not_exist(name: str, near: str, tmp_path: Path) -> None:
    fault = fault_of(name, None, tmp_path)
    assert f"There is no data set '{name}'" in fault.cause
    assert near in fault.remedy


# The archive


def archived(monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes) -> Path:
    put(monkeypatch, tiny(files(), "tasks_1-20_v1-2.tar.gz"))
    return store(folder, {"tasks_1-20_v1-2.tar.gz": content})


MEMBERS = [(f"{FOLDER}/{name}", content) for name, content in files().items()]


def test_the_archive_is_read_without_unpacking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = prepare("babi_qa1", babi(monkeypatch, tmp_path / "one", files()), tmp_path / "cache")
    others: list[tuple[tarfile.TarInfo | str, bytes]] = [
        (f"{FOLDER}/README.txt", b"read me"),
        link(f"{FOLDER}/hn", tarfile.SYMTYPE),
        ("../escaped", b"x"),
    ]
    data = archived(monkeypatch, tmp_path / "data", tar_gz(*others, *MEMBERS))
    assert available("babi_qa1", data, tmp_path / "cache") == f"real (in {data})"
    assert prepare("babi_qa1", data, tmp_path / "cache").digest == first.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "data", "one"]
    assert [path.name for path in data.iterdir()] == ["tasks_1-20_v1-2.tar.gz"]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (tar_gz(MEMBERS[0]), f"tasks_1-20_v1-2.tar.gz lacks {MEMBERS[1][0]}"),
        (tar_gz((MEMBERS[0][0], b"short"), MEMBERS[1]), "_train.txt is truncated: 5 bytes"),
        (tar_gz((MEMBERS[0][0], MEMBERS[0][1].swapcase()), MEMBERS[1]), "_train.txt has a wrong checksum"),
        (tar_gz(link(MEMBERS[0][0], tarfile.SYMTYPE), MEMBERS[1]), f"lacks {MEMBERS[0][0]}"),
        (tar_gz(*MEMBERS)[:-60], "is damaged"),
        (b"<html>", "is damaged: Not a gzipped file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_archives_that_are_not_right(
    content: bytes, cause: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = archived(monkeypatch, tmp_path / "data", content)
    assert cause in fault_of("babi_qa1", data, tmp_path / "cache").cause
    good = archived(monkeypatch, tmp_path / "data", tar_gz(*MEMBERS))
    assert prepare("babi_qa1", good, tmp_path / "cache").kind == "real"


# The stand-in


@pytest.mark.parametrize("name", TASKS)
def test_synthetic_stories_fit_every_task_and_hold_the_answer(name: str) -> None:
    dataset, sizes = datasets()[name], SIZES_OF[name]
    edition = dataset.generated
    assert (edition.kind, edition.test_size) == ("synthetic", 1_000)
    assert edition.train_size == (10_000 if name.endswith("10k") else 1_000)
    samples = edition.samples(Path(), edition)
    words = samples.class_names
    assert (len(words), len(set(words))) == (sizes.vocabulary, sizes.vocabulary)
    _, (stories, questions), answers = next(samples.batches)
    assert (stories.shape[1], questions.shape[1]) == sizes[1:]
    assert (stories.dtype, questions.dtype, answers.dtype) == (np.int32, np.int32, np.int64)
    for story, question, answer in zip(stories[:50], questions[:50], answers[:50], strict=True):
        told = " ".join(words[index] for index in story if index)
        person = words[question[-2]]
        last = [sentence for sentence in told.split(" . ") if sentence.startswith(person)][-1]
        assert last.removesuffix(" .") == f"{person} moved to the {words[answer]}"


def test_synthetic_stories_have_not_changed() -> None:
    """A change here needs a higher revision of the synthetic edition, so that old caches are not used."""
    _, (stories, questions), answers = next(synthetic_stories(36, 552, 5, 100, 0))
    assert [zlib.crc32(part.tobytes()) for part in (stories, questions, answers)] == [
        3379832611,
        3676705735,
        4209333010,
    ]


def test_synthetic_stories_take_over_and_say_so(tmp_path: Path) -> None:
    said: list[str] = []
    prepared = prepare("babi_qa2", None, tmp_path, download=False, say=said.append)
    assert prepared.kind == "synthetic"
    assert any("Generating synthetic data in the shape of bAbI qa2" in line for line in said)
    (stories, questions, answers), _ = load(prepared)
    assert (stories.shape, questions.shape, answers.shape) == ((1000, 552), (1000, 5), (1000,))
    assert prepared.class_names[answers[0]] in told(prepared, (stories, questions, answers), 0)[0]


def test_a_story_with_a_question_is_read_as_the_tasks_are(real_data: Path, tmp_path: Path) -> None:
    prepared = prepare("babi_qa1", real_data, tmp_path)
    dataset = datasets()["babi_qa1"]
    assert dataset.read_text is not None
    (stories, questions, answers), _ = load(prepared)
    words = prepared.vocabulary
    assert words == prepared.class_names
    story, question, _ = told(prepared, (stories, questions, answers), 7)
    for text in (f"{story} {question}", f"{story} {question}".replace(" .", ".").replace(" ?", "?")):
        found = dataset.read_text(text, words).inputs
        assert (found[0] == stories[7]).all() and (found[1] == questions[7]).all()
    for text, cause in (
        ("Mary moved to Paris. Where is Mary?", "doesn't know Paris"),
        ("Where is Mary?", "no story with a question"),
        ("Mary moved to the hallway.", "no story with a question"),
        ("", "no story with a question"),
        ("Mary moved to the hallway. " * 11 + "Where is Mary?", None),  # 66 words and marks: as many as it reads
        (
            "Mary moved to the hallway. " * 12 + "Where is Mary?",
            "The story has 72 words and marks; the network reads 66",
        ),
        ("Mary moved to the hallway. Where is is Mary?", "The question has 5 words and marks; the network reads 4"),
    ):
        if cause is None:
            assert (dataset.read_text(text, words).inputs[0] > 0).all()
            continue
        with pytest.raises(RosettaError, match=cause):
            dataset.read_text(text, words)
    synthetic = prepare("babi_qa1", None, tmp_path / "none", download=False)
    assert synthetic.vocabulary == synthetic.class_names
