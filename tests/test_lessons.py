"""Lessons on the fake framework with effects planted in it: verdicts, resumption, what can't be tried."""

import json
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import rosetta.lessons
from rosetta.benchmark.lessons import LessonsObserver, try_lessons
from rosetta.contenders import manifest
from rosetta.errors import RosettaError
from rosetta.lessons.edits import edited_copy, edited_texts
from rosetta.lessons.spec import (
    Accuracy,
    Comparison,
    Edit,
    GradientSize,
    Installation,
    Lesson,
    Proof,
    Ratio,
    Side,
    known_frameworks,
)
from rosetta.record import lesson_measures
from rosetta.record.effects import seeds_needed
from rosetta.record.lessons import QUICK_SEEDS, LessonsPlan, LessonsResult
from rosetta.record.result import DropoutCheck, Equivalence, TensorError
from rosetta.report.lessons import lessons_csv, lessons_markdown

FAKE_FRAMEWORKS = Path(__file__).parent / "frameworks"
LOSS = "            losses.append(loss)\n"
PLAIN = Side("fake")
SLOWER = Side("fake", "slower", (Edit("trainer.py", LOSS, LOSS + "            time.sleep(0.05)\n"),))
RENAMED = Side("fake", "renamed", (Edit("trainer.py", '"""The parameters are', '"""All parameters are'),))
ALLOCATES = Side("fake", "allocates", (Edit("trainer.py", "RATE = 0.2\n", "RATE = 0.2\nKEPT = np.ones(2**25)\n"),))
STOPPED = Side("fake", "stopped", (Edit("mnist_mlp.py", "np.float32(0.001)", "np.float32(0)"),), another_network=True)
HALF = "probabilities / (2 * len(labels)), {}"
HALVED = Side("fake", "halved", (Edit("mnist_mlp.py", "probabilities / len(labels), {}", HALF),))
MISSING = Side("fake", "missing", (Edit("framework.toml", "[packages]\n", 'programs = ["no-such-one"]\n[packages]\n'),))
ON_GPU = Side("fake@cuda", "gpu", (Edit("framework.toml", "cpu = [", 'cuda = ["numpy==2.4.6"]\ncpu = ['),))
SURE = 0.997
"""The confidence at which verdicts are tested: an effect that isn't there is seen in three of a thousand tries."""


def lesson(*comparisons: Comparison, name: str = "planted") -> Lesson:
    return Lesson(
        name=name,
        claim="What is planted is there.",
        source="these tests",
        year=2026,
        comparisons=comparisons,
        meaning="Nothing. It is planted.",
    )


def ratio(base: Side, other: Side, expected: str = "more", **more: object) -> Ratio:
    return Ratio("mnist_mlp", base, other, expected, **more)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def fake_is_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Offer the fake framework as an installed package does, by its entry point."""
    entry = types.SimpleNamespace(load=lambda: types.SimpleNamespace(__path__=[str(FAKE_FRAMEWORKS)]))
    monkeypatch.setattr(manifest, "entry_points", lambda group: [entry])
    known_frameworks.cache_clear()
    yield
    known_frameworks.cache_clear()


Teach = Callable[..., LessonsResult]


@pytest.fixture
def teach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_folder: Path | None) -> Teach:
    """Try lessons that are declared here, with fewer launches than the presets have."""
    from rosetta.benchmark import lessons as room

    monkeypatch.setattr(room, "LAUNCHES", {"quick": 6, "full": 6})
    monkeypatch.setattr(room, "ROUNDS", {"quick": 2, "full": 2})

    def carry_out(
        *declared: Lesson, folder: Path | None = None, observer: LessonsObserver | None = None
    ) -> LessonsResult:
        monkeypatch.setattr(rosetta.lessons, "lessons", lambda: {one.name: one for one in declared})
        place = folder or tmp_path / "lessons"
        if not place.exists():
            place.mkdir()
            data = str(data_folder) if data_folder else None
            LessonsPlan(lessons=[one.name for one in declared], confidence=SURE, data=data).write(place)
        return try_lessons(resume=place, observer=observer)

    return carry_out


def test_verdicts_are_right_where_the_truth_is_known(teach: Teach, tmp_path: Path) -> None:
    declared = lesson(
        ratio(SLOWER, PLAIN),
        ratio(PLAIN, SLOWER),
        ratio(PLAIN, RENAMED),
        ratio(PLAIN, SLOWER, "same", margin=0.02),
        ratio(PLAIN, ALLOCATES, quantity="peak memory"),
        ratio(PLAIN, STOPPED, "less"),
        Proof("mnist_mlp", STOPPED, "refused", fault="a rate of 0"),
        Proof("mnist_mlp", SLOWER, "proven"),
    )
    result = teach(declared)
    (found,) = result.lessons
    verdicts = [each.verdict for each in found.comparisons]
    reasons = [each.reason for each in found.comparisons]
    assert verdicts[:3] == ["holds here", "no longer holds", "too small to see here"], reasons
    assert verdicts[3:5] == ["no longer holds", "holds here"], reasons
    assert verdicts[6:] == ["holds here", "holds here"], reasons
    slower, timed = found.comparisons[0], found.comparisons[5]
    assert slower.value is not None and slower.value > 2 and slower.base_value and slower.other_value
    assert slower.low is not None and slower.high is not None and slower.low < slower.value < slower.high
    assert slower.base_error == pytest.approx(slower.other_error)
    assert timed.value is not None  # although the proof refuses it
    refused = found.comparisons[6]
    assert "update" in refused.checks and refused.reason == "a rate of 0"
    (memory,) = [each for each in found.comparisons if each.measure == "peak memory"]
    assert memory.other_value is not None and memory.base_value is not None
    assert memory.other_value - memory.base_value == pytest.approx(2**28, rel=0.1)
    assert found.decided["holds here"] >= 2 and found.decided["no longer holds"] >= 2 and result.complete
    page = (tmp_path / "lessons" / "report.html").read_text("utf-8")
    assert "time.sleep(0.05)" in page and 'class="added"' in page
    text = lessons_markdown(result)
    assert text.count("too small to see here") >= 1 and "planted" in text
    assert len(lessons_csv(result).splitlines()) == 1 + len(found.comparisons)
    texts = {each.label: each.difference for each in found.texts}
    assert "+            time.sleep(0.05)" in texts["fake-slower"] and "fake" not in texts


@pytest.mark.long
def test_accuracies_are_compared_by_seed(teach: Teach) -> None:
    form = "mnist_mlp[samples=6400]"
    declared = lesson(
        Accuracy(form, PLAIN, STOPPED, "less", effect=40, sd=5),
        Accuracy(form, STOPPED, PLAIN, "less", effect=40, sd=5),
        Accuracy(form, PLAIN, RENAMED, "same", effect=1, sd=0.1),
        name="seeds",
    )
    (found,) = teach(declared).lessons
    assert [each.verdict for each in found.comparisons] == ["holds here", "no longer holds", "holds here"]
    less, more, same = found.comparisons
    assert less.value is not None and more.value == pytest.approx(-less.value) and less.value < -40
    assert same.value == 0.0 and less.count == 4 and less.power == pytest.approx(1.0, abs=0.2)


def test_gradients_are_compared_by_seed(teach: Teach) -> None:
    declared = lesson(
        GradientSize("mnist_mlp", PLAIN, HALVED, "less"),
        GradientSize("mnist_mlp", PLAIN, HALVED, "more"),
        GradientSize("mnist_mlp", PLAIN, RENAMED, "less"),
        GradientSize("mnist_mlp", PLAIN, MISSING, "less"),
        name="gradients",
    )
    (found,) = teach(declared).lessons
    verdicts = [each.verdict for each in found.comparisons]
    assert verdicts == ["holds here", "no longer holds", "too small to see here", "couldn't be tried"]
    less, _, same, missing = found.comparisons
    assert less.value == pytest.approx(0.5, rel=1e-6) and less.count == 5 and same.value == 1.0
    assert less.base_value == pytest.approx(2 * (less.other_value or 0), rel=1e-6)
    assert "no-such-one" in missing.reason


class Impatient(LessonsObserver):
    """Presses Ctrl-C when the second part begins."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        if sentence.startswith("lesson "):
            self.said.append(sentence)
            if len(self.said) == 2:
                raise KeyboardInterrupt


class Listener(LessonsObserver):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def test_what_is_done_is_not_done_again(teach: Teach, tmp_path: Path) -> None:
    declared = lesson(Accuracy("mnist_mlp[samples=1280]", PLAIN, STOPPED, "less", effect=60, sd=5), name="twice")
    with pytest.raises(KeyboardInterrupt):
        teach(declared, observer=Impatient())
    events = [json.loads(line) for line in (tmp_path / "lessons" / "events.jsonl").read_text().splitlines()]
    assert [e["event"] for e in events] == ["session", "trained", "interrupted"]
    assert not json.loads((tmp_path / "lessons" / "result.json").read_text())["complete"]
    trainings = 2 * min(seeds_needed(60, 5, SURE), QUICK_SEEDS)
    listener = Listener()
    result = teach(declared, observer=listener)
    assert result.complete and sum("training" in sentence for sentence in listener.said) == trainings - 1
    again = Listener()
    assert teach(declared, observer=again).lessons == result.lessons
    assert not [sentence for sentence in again.said if "training" in sentence]


@pytest.mark.long
def test_what_cannot_be_tried_says_why_and_costs_no_other(teach: Teach) -> None:
    declared = lesson(
        ratio(PLAIN, MISSING),
        ratio(SLOWER, PLAIN),
        ratio(PLAIN, ON_GPU),
        Installation("mnist_mlp", PLAIN, MISSING, "more"),
        Accuracy("mnist_mlp[samples=1280]", PLAIN, MISSING, "less", effect=60, sd=5),
        name="in_part",
    )
    (found,) = teach(declared).lessons
    missing, slower, gpu, installation, accuracy = found.comparisons
    assert slower.verdict == "holds here"
    assert missing.verdict == installation.verdict == accuracy.verdict == "couldn't be tried"
    for each in (missing, installation, accuracy):
        assert "no-such-one" in each.reason, each
    assert gpu.verdict == "needs a GPU" and not gpu.reason


@pytest.mark.long
def test_installations_are_timed_from_nothing(teach: Teach, tmp_path: Path) -> None:
    declared = lesson(Installation("mnist_mlp", PLAIN, SLOWER, "same"), name="installed")
    (found,) = teach(declared).lessons
    (each,) = found.comparisons
    assert each.base_value is not None and each.base_value > 0.1 and each.count == 2
    assert not list(tmp_path.rglob("pyvenv.cfg"))


@pytest.mark.long
def test_a_side_of_two_lessons_is_proven_once(teach: Teach, tmp_path: Path) -> None:
    first = lesson(Proof("mnist_mlp", SLOWER, "proven"), Proof("mnist_mlp", STOPPED, "refused", fault="x"), name="one")
    second = lesson(
        ratio(SLOWER, PLAIN), Proof("mnist_mlp", SLOWER, "proven"), Proof("mnist_mlp", PLAIN, "proven"), name="two"
    )
    result = teach(first, second)
    verdicts = [[each.verdict for each in one.comparisons] for one in result.lessons]
    assert verdicts == [["holds here"] * 2, ["holds here"] * 3]
    folders = sorted(path.parent.name for path in (tmp_path / "lessons").glob("*/plan.json"))
    assert folders == ["one-verify-mnist_mlp", "two-run-mnist_mlp"]  # which proves its sides too
    lines = (tmp_path / "lessons" / folders[1] / "events.jsonl").read_text("utf-8").splitlines()
    proofs = {e["label"]: e.get("made_in") for e in map(json.loads, lines) if e["event"] == "proof"}
    assert proofs == {"fake-slower": "one-verify-mnist_mlp", "fake": None}


def test_an_edit_is_made_once_or_refused(tmp_path: Path) -> None:
    fake = manifest.frameworks([FAKE_FRAMEWORKS])["fake"]
    copy = edited_copy(fake, SLOWER.name, SLOWER.edits, tmp_path / "copies")
    assert copy == edited_copy(fake, SLOWER.name, SLOWER.edits, tmp_path / "copies")
    assert [path.name for path in copy.iterdir()] == ["fake-slower"]
    made = manifest.frameworks([copy])["fake-slower"]
    assert made.copy_of == "fake" and made.packages == fake.packages and not made.sets
    for old in ("no such text", "            "):
        with pytest.raises(RosettaError, match="not once"):
            edited_texts(fake, "broken", (Edit("trainer.py", old, "x"),))
    with pytest.raises(RosettaError, match="can't be read"):
        edited_texts(fake, "broken", (Edit("nothing.py", "x", "y"),))


@pytest.mark.parametrize(
    ("comparisons", "why"),
    [
        ((), "compares nothing"),
        ((ratio(PLAIN, PLAIN),), "both sides"),
        ((ratio(PLAIN, SLOWER, "same"),), "nothing could decide it"),
        ((ratio(PLAIN, Side("fake", workload="mnist_mlp[order=fixed]")),), "names? two"),
        ((ratio(PLAIN, Side("fake", "only_a_name")),), "a name alone"),
        ((ratio(PLAIN, Side("fake", "Upper Case", SLOWER.edits)),), "isn't a word"),
        ((ratio(PLAIN, Side("fake", "gone", (Edit("trainer.py", "gone", ""),))),), "not once"),
        ((ratio(PLAIN, Side("fkae")),), "fkae"),
        ((ratio(PLAIN, SLOWER, presets=("full",)),), "quick would try nothing"),
        ((Accuracy("mnist_mlp", PLAIN, STOPPED, "less", effect=0, sd=1),), "points, above 0"),
        ((Accuracy("mnist_mlp", PLAIN, STOPPED, "less", effect=1, sd=1, epochs=0),), "epochs"),
        ((Accuracy("resnet50_features", PLAIN, STOPPED, "less", effect=1, sd=1),), "isn't trained"),
        ((Ratio("resnet50_features", PLAIN, SLOWER, "less", "first step"),), "isn't trained"),
        ((Proof("mnist_mlp", STOPPED, "refused"),), "no fault is named"),
        ((GradientSize("resnet50_features", PLAIN, HALVED, "less"),), "isn't trained"),
        ((ratio(PLAIN, SLOWER), ratio(PLAIN, Side("fake", "slower", HALVED.edits))), "both called fake-slower"),
        ((Ratio("mnist_mpl", PLAIN, SLOWER, "less"),), "mnist_mpl"),
    ],
)
def test_a_claim_that_no_measure_can_decide_is_refused(comparisons: Sequence[Comparison], why: str) -> None:
    with pytest.raises(RosettaError, match=why):
        lesson(*comparisons)


@pytest.mark.parametrize("field", ["claim", "source", "meaning"])
def test_a_lesson_says_what_it_claims_where_it_is_from_and_what_it_means(field: str) -> None:
    words = {"claim": "It is.", "source": "here", "meaning": "So.", field: " "}
    with pytest.raises(RosettaError, match=f"has no {field}"):
        Lesson(name="silent", year=2026, comparisons=(ratio(PLAIN, SLOWER),), **words)


def test_an_unknown_lesson_names_the_nearest() -> None:
    with pytest.raises(RosettaError) as caught:
        try_lessons("relu_after_pol")
    assert "relu_after_pool" in (caught.value.remedy or "")


def test_a_lesson_that_needs_a_gpu_is_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = lesson(ratio(PLAIN, ON_GPU), name="on_gpu")
    monkeypatch.setattr(rosetta.lessons, "lessons", lambda: {"on_gpu": declared})
    with pytest.raises(RosettaError, match="needs a GPU"):
        try_lessons("on_gpu", folder=tmp_path / "lessons")
    assert not (tmp_path / "lessons").exists()


def test_a_directory_that_has_something_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("here")
    with pytest.raises(RosettaError, match="isn't an empty directory"):
        try_lessons("relu_after_pool", folder=tmp_path)
    with pytest.raises(RosettaError, match="no lessons were tried"):
        try_lessons(resume=tmp_path)


def test_dropout_is_off_by_times_its_tolerance_as_all_others_are() -> None:
    small = TensorError(error=1e-7, tolerance=1e-5, tensor="logits")
    dropout = DropoutCheck(tensor="dense1.weight", distance=0.9, expected=0.5, sd=0.01, passed=False)
    proof = Equivalence(passed=False, logits=small, loss=small, gradients=small, update=small, dropout=dropout)
    run = types.SimpleNamespace(contender=lambda side: types.SimpleNamespace(equivalence=proof))
    found = lesson_measures.proof(Proof("mnist_mlp", STOPPED, "refused", fault="x"), run)  # type: ignore[arg-type]
    assert found["verdict"] == "holds here"
    assert found["checks"] == {"dropout": pytest.approx(0.4 / (6 * 0.01))}
