"""The timed process shows what is timed in it: a correct contender passes, who cheats in long calls is found out."""

import shutil
from pathlib import Path
from typing import Any

import pytest

import rosetta
from rosetta.environments.client import Client
from rosetta.proof import timed
from rosetta.proof.timed import FEW_CALLS, MANY_CALLS, TimedCall
from rosetta.record.directory import create
from rosetta.record.index import Index
from rosetta.record.plan import Plan
from rosetta.record.result import ContenderResult

FAKE = Path(__file__).parent / "frameworks" / "fake"
LOOP = "        for images, labels in batches:\n"
STEP = "            self.network.update(self.values, gradients, self.mean_square)\n"

# By name: the text of the fake trainer, what becomes of it, and the check that finds it.
CHEATS = {
    "skips updates in long calls": (
        STEP,
        f"            if len(batches) <= 10 or len(losses) % 2:\n    {STEP}",
        "one call",
    ),
    "stops after 50 steps": (
        STEP,
        f"            self.done = getattr(self, 'done', 0) + 1\n            if self.done <= 50:\n    {STEP}",
        "first step",
    ),
    "stops after 50 steps of a training": (
        STEP,
        "            self.steps = 0 if self.calls == 1 else getattr(self, 'steps', 0) + 1\n"
        "            if self.steps <= 50:\n    " + STEP,
        "one call",
    ),
    "leaves updates out after 18 calls of a training": (
        STEP,
        f"            if self.calls <= 18:\n    {STEP}",
        "one call, after",
    ),
    "only the first batch of a call": (
        LOOP,
        "        for images, labels in batches[: 1 if len(batches) > 10 else None]:\n",
        "one call",
    ),
    "ten steps however long the call": (LOOP, LOOP, "one call"),  # and TEN_STEPS
    "optimiser state anew in each call": (
        "        losses = []\n",
        "        losses = []\n        self.mean_square = {n: np.zeros_like(v) for n, v in self.values.items()}\n",
        "one call",
    ),
    "dropout's seed anew in each call": (
        "        losses = []\n",
        "        losses = []\n        if len(batches) > 10:\n            self.random = np.random.default_rng(1)\n",
        "one call",
    ),
    "losses invented": (
        "        return np.array(losses) *",
        "        if len(losses) > 10:  # of single steps, dropout's scale shows it before\n"
        "            losses = [2.3 / (1 + 0.01 * i) for i in range(len(losses))]\n"
        "        return np.array(losses) *",
        "losses",
    ),
    "losses a thousandth too large": (
        "        return np.array(losses) *",
        "        return 1.001 * np.array(losses) *",
        "reported loss",
    ),
    "returns before it is done": (
        LOOP,
        "        if len(batches) > 10:\n"
        "            self.later = batches\n"
        "            return np.full(len(batches), 2.3)\n" + LOOP,
        "left over",
    ),
}
ABLE = """
    def reseed(self, seed):
        self.random = np.random.default_rng(seed)

    def optimizer_state(self):
        return dict(self.mean_square)

    def load_optimizer_state(self, arrays):
        self.mean_square = {name: value.copy() for name, value in arrays.items()}
"""
TEN_STEPS = """
    _train = train

    def train(self, batches):
        return np.resize(self._train(batches[:10]), len(batches))
"""
LATE = """
    def parameters(self):
        later, self.later = getattr(self, "later", None), None
        if later:
            import time
            self.train(later[:1])
            time.sleep(0.05)
        return self.values
"""


def smoke(folder: Path, contender: str, frameworks: Path, rounds: int = 2) -> ContenderResult:
    result = rosetta.run(
        "mnist_mlp", [contender], preset="smoke", launches=2, rounds=rounds, frameworks=frameworks, folder=folder
    )
    return result.results[0].contenders[0]


def planted(
    tmp_path: Path, old: str = LOOP, new: str = LOOP, more: str = "", able: bool = True, chunk_seconds: float = 0.4
) -> Path:
    copy = tmp_path / "frameworks" / "fake"
    shutil.copytree(FAKE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    manifest = copy / "framework.toml"
    given = manifest.read_text("utf-8")
    manifest.write_text(given.replace("chunk_seconds = 0.02", f"chunk_seconds = {chunk_seconds}"), "utf-8")
    trainer = copy / "trainer.py"
    text = trainer.read_text("utf-8")
    assert text.count(old) == 1
    trainer.write_text(text.replace(old, new) + (ABLE if able else "") + more, "utf-8")
    return copy.parent


def test_a_correct_contender_shows_it_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repetition = timed.repetition
    done_again: dict[str, float] = {}

    def spied(client: Client, call: TimedCall, parts: Any, done: timed.Whole, *others: Any) -> Any:
        done_again[others[-1]] = done.seconds
        return repetition(client, call, parts, done, *others)

    monkeypatch.setattr(timed, "repetition", spied)
    found = smoke(tmp_path / "run", "fake", planted(tmp_path))
    assert found.status == "ok" and found.equivalence is not None
    names = [check.name for check in found.equivalence.further]
    for when in ("before the first round", "after the last round"):
        for what in ("one call", "left over", "losses", "prediction"):
            assert names.count(f"{what}, {when}") == 1
    assert names.count("reported loss") == 1
    last = [chunk.seconds for chunk in found.chunks if chunk.round == 1]
    assert done_again["after the last round"] in last, "it is a timed chunk that is done again, not another call"
    assert done_again["before the first round"] not in [chunk.seconds for chunk in found.chunks]
    assert sum(name.startswith("first step") for name in names) == 2
    repeated = [c for c in found.equivalence.further if c.name.startswith(("one call", "losses", "first step"))]
    assert all(check.error == 0 for check in repeated), "the same steps are the same"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if index > 1 else []) for index, name in enumerate(CHEATS)]
)
def test_a_cheat_is_found_out(tmp_path: Path, name: str) -> None:
    old, new, check = CHEATS[name]
    late = check == "one call, after"  # many calls of a few steps, else some of more than ten
    more = {"returns before it is done": LATE, "ten steps however long the call": TEN_STEPS}.get(name, "")
    folder = planted(tmp_path, old, new, more, chunk_seconds=0.02 if late else 0.4)
    found = smoke(tmp_path / "run", "fake", folder, rounds=30 if late else 2)
    assert found.status == "not_equivalent", f"{name} passed"
    assert found.equivalence is not None
    failed = [one.name for one in found.equivalence.further if not one.holds]
    assert any(one.startswith(check) for one in failed), failed


def test_who_cannot_show_it_is_marked(tmp_path: Path) -> None:
    folder = planted(tmp_path, able=False)
    found = smoke(tmp_path / "run", "fake", folder)
    assert found.status == "ok"
    assert "the timed process: its trainer has no load_optimizer_state and no" in found.note
    assert "late state: its trainer has no set_steps_done" in found.note


@pytest.mark.parametrize(("lead_in", "steps"), [(0, 1), (0, 2), (3, 20), (20, 125), (40, 3), (0, 200)])
@pytest.mark.parametrize(("singles", "calls"), [MANY_CALLS, FEW_CALLS])
def test_other_calls_do_the_same_steps(lead_in: int, steps: int, singles: int, calls: int) -> None:
    parts = TimedCall(7, steps, lead_in).parts(singles, calls)
    done = [step for first, count in parts for step in range(first, first + count)]
    assert done == list(range(7, 7 + lead_in + steps))
    assert 7 + lead_in in [first for first, _ in parts]
    assert parts[0] == (7, 1) and len(parts) <= calls + 2


def test_an_implementation_that_changed_is_not_timed_under_the_old_proof(tmp_path: Path) -> None:
    folder = planted(tmp_path)
    plan = Plan("mnist_mlp", ["fake"], preset="smoke", launches=2, rounds=2, frameworks=folder)
    create(plan, tmp_path / "run")

    class Stop(rosetta.Observer):
        def event(self, event: dict[str, object]) -> None:
            if event["event"] == "launch":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rosetta.run(resume=tmp_path / "run", observer=Stop())
    trainer = folder / "fake" / "trainer.py"
    trainer.write_text(trainer.read_text("utf-8") + "\n# another\n", "utf-8")
    with pytest.raises(rosetta.RosettaError, match="changed since: fake on mnist_mlp: implementation"):
        rosetta.run(resume=tmp_path / "run")


def test_what_a_timed_process_showed_belongs_to_the_proof_before_it() -> None:
    about = {"workload": "mnist_mlp", "label": "fake"}
    proof, timed = {"event": "proof", **about}, {"event": "timed_proof", **about}
    assert Index([proof, timed]).of("timed_proof", "fake", "mnist_mlp") == [timed]
    assert Index([proof, timed, proof]).of("timed_proof", "fake", "mnist_mlp") == []
    assert Index([proof, timed, {**proof, "label": "other"}]).of("timed_proof", "fake", "mnist_mlp") == [timed]
