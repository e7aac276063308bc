"""Contenders' names, frameworks' manifests and where frameworks are found."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from rich.console import Console

import rosetta.cli.listings
import rosetta.cli.options
import rosetta.contenders.manifest
from rosetta.contenders.contender import (
    DEFAULT_SET,
    Contender,
    contender_sets,
    parse_contender,
    parse_contenders,
    read_set,
)
from rosetta.contenders.manifest import Framework, Tolerances, Variant, frameworks
from rosetta.environments.client import Client
from rosetta.errors import RosettaError
from rosetta.proof.standard import Standard, standard_of
from rosetta.record.code import code_of
from rosetta.record.plan import Plan
from rosetta.standalone.script import _check_variants
from rosetta.workloads import find_workload, workloads
from rosetta_worker.variants import value_of

KNOWN = frameworks()
METHODS = ("load_parameters", "parameters", "predict", "loss_and_gradients", "prepare", "train")


@st.composite
def contenders(draw: st.DrawFn) -> Contender:
    """Any contender that can be written."""
    framework = KNOWN[draw(st.sampled_from(sorted(KNOWN)))]
    free = sorted(name for name, variant in framework.variants.items() if not variant.group)
    chosen = set(draw(st.lists(st.sampled_from(free), unique=True))) if free else set()
    chosen |= {draw(st.sampled_from(members)) for members in framework.groups.values()}
    chosen = {n for n in chosen if not (needed := framework.variants[n].requires) or chosen & set(needed)}
    numbers = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc[0-9]|\.post[0-9])?", fullmatch=True)
    variants = {name: framework.variants[name] for name in sorted(chosen)}
    values = [(n, draw(st.sampled_from(v.values[1:]))) for n, v in variants.items() if draw(st.booleans()) and v.values]
    versions = [(n, draw(numbers)) for n, v in variants.items() if draw(st.booleans()) and single(v)]
    version = draw(st.none() | numbers)
    return Contender(framework, version, tuple(variants), values=tuple(values), versions=tuple(versions))


def single(variant: Variant) -> bool:
    """Whether a variant is a package, such as a back end, that may have a version."""
    return bool(variant.packages) and all(len(lines) == 1 for lines in variant.packages.values())


@settings(deadline=None)
@given(contenders())
def test_a_name_is_read_as_what_it_was_written_from(contender: Contender) -> None:
    assert parse_contender(contender.name, KNOWN) == contender


@settings(deadline=None)
@given(contenders(), st.randoms())
def test_order_spaces_and_the_versions_place_do_not_matter(contender: Contender, random: object) -> None:
    variants = [part for part in contender.name.partition("[")[2].partition("]")[0].split(",") if part]
    random.shuffle(variants)  # type: ignore[attr-defined]
    between = f"[ {' , '.join(variants)} ]" if variants else ""
    version = f"== {contender.version}" if contender.version else ""
    assert parse_contender(f" {contender.framework.name} {version} {between} ", KNOWN) == contender


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_contender_or_an_error_with_a_remedy(text: str) -> None:
    try:
        contender = parse_contender(text, KNOWN)
    except RosettaError as error:
        assert error.remedy
    else:
        assert contender.framework.name in KNOWN


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("", "isn't a contender", "Write it like a requirement"),
        ("torch[", "isn't a contender", "Write it like a requirement"),
        ("torch>=2", "isn't a contender", "Write it like a requirement"),
        ("torch[compile]==2.13.0[bf16]", "isn't a contender", "Write it like a requirement"),
        ("troch", "There is no framework 'troch'", "torch"),
        ("tensorfow", "There is no framework 'tensorfow'", "tensorflow"),
        ("torch[compiled]", "There is no variant of torch 'compiled'", "compile"),
        ("keras", "must name exactly one backend", "keras[torch]"),
        ("keras[torch,jax]", "must name exactly one backend", "keras[jax]"),
        ("torch[compile=fastest]", "There is no value of compile 'fastest'", "max-autotune"),
        ("torch[bf16=yes]", "bf16 takes no value", "torch[bf16]"),
        ("torch[compile=]", "There is no variant of torch 'compile='", "compile"),
        ("torch[compile,compile=max-autotune]", "has both compile and compile=max-autotune", "Leave one"),
        ("keras[torch,nojit]", "nojit means something with tensorflow only", "keras[tensorflow,nojit]"),
        ("keras[jax,compile]", "compile means something with torch or tensorflow only", "keras[torch,compile]"),
        ("keras[torch==new]", "isn't a version", "2.13.0"),
        ("torch[compile==2.5.1]", "compile isn't a single package", "torch[compile]"),
        ("torch==new", "isn't a version", "2.13.0"),
        ("torch==1.2.!", "isn't a", "2.13.0"),
    ],
)
def test_an_error_names_the_cause_and_the_remedy(text: str, cause: str, remedy: str) -> None:
    with pytest.raises(RosettaError) as caught:
        parse_contender(text, KNOWN)
    assert cause in caught.value.cause
    assert remedy in caught.value.remedy


def test_a_variant_may_have_one_of_its_values() -> None:
    contender = parse_contender("torch[bf16,compile=max-autotune]", KNOWN)
    assert contender.name == "torch[bf16,compile=max-autotune]"
    assert contender.variants == ("bf16", "compile")
    assert contender.told_variants == ["bf16", "compile", "compile=max-autotune"]
    assert value_of(frozenset(contender.told_variants), "compile") == "max-autotune"
    assert value_of(frozenset(contender.told_variants), "bf16") is None
    usual = parse_contender("torch[compile=default]", KNOWN)
    assert usual == parse_contender("torch[compile]", KNOWN) and usual.name == "torch[compile]"
    assert parse_contender(contender.name, KNOWN) == contender
    assert contender.packages("cpu") == parse_contender("torch", KNOWN).packages("cpu"), "the same environment"


def test_a_worker_is_told_the_values(tmp_path: Path) -> None:
    asked: list[Any] = []
    worker: Any = SimpleNamespace(ask=lambda request, timeout: asked.append(request))
    Client(worker, tmp_path).import_framework(parse_contender("torch[compile=max-autotune]", KNOWN))
    assert asked[0].variants == ["compile", "compile=max-autotune"]


def test_a_script_does_not_leave_a_value_out() -> None:
    known = parse_contender("torch[compile=max-autotune]", KNOWN)
    with pytest.raises(RosettaError, match="no variant compile=max-autotune"):
        _check_variants(known, "'compile'")
    _check_variants(parse_contender("torch[compile]", KNOWN), "'compile'")


def test_a_back_end_may_have_a_version() -> None:
    contender = parse_contender("keras[torch==2.5.1]==3.9.0", KNOWN)
    assert contender.name == "keras[torch==2.5.1]==3.9.0"
    assert contender.packages("cpu") == ["keras==3.9.0", "numpy==2.4.6", "torch==2.5.1"]
    assert contender.packages("cuda") == ["keras==3.9.0", "numpy==2.4.6", "torch==2.5.1"]
    assert contender.told_variants == ["torch"]
    assert parse_contender("keras[jax==0.9.0]", KNOWN).packages("cuda")[0] == "jax[cuda13]==0.9.0"
    assert parse_contender(contender.name, KNOWN) == contender


def test_a_contender_named_twice_is_an_error() -> None:
    with pytest.raises(RosettaError, match="torch\\[bf16,compile\\] is named twice") as caught:
        parse_contenders(["torch[compile,bf16]", "jax", "torch[bf16,compile]"], KNOWN)
    assert "calibrate" in caught.value.remedy


def test_a_version_takes_the_pins_place_and_nothing_elses() -> None:
    pinned = set(parse_contender("torch", KNOWN).packages("cpu"))
    chosen = parse_contender("torch==1.2.3", KNOWN).packages("cpu")
    (replaced,) = pinned - set(chosen)
    assert replaced.startswith("torch==")
    assert set(chosen) - pinned == {"torch==1.2.3"}


def test_keras_version_is_keras_and_not_its_back_ends() -> None:
    chosen = parse_contender("keras[torch]==3.0.0", KNOWN)
    back_end = KNOWN["keras"].variants["torch"].packages["cpu"]
    found = chosen.packages("cpu")
    assert {"keras==3.0.0", *back_end} <= set(found)
    assert len({Requirement(line).name for line in found}) == len(found)
    assert chosen.environment["KERAS_BACKEND"] == "torch"


def test_a_device_without_packages_of_its_own_takes_the_cpus() -> None:
    numpy = parse_contender("numpy", KNOWN)
    assert numpy.packages("cuda") == numpy.packages("cpu") != []


def variants_of(**variants: Variant) -> Contender:
    manifest = KNOWN["torch"].model_copy(update={"variants": variants, "environment": {"A": "0", "B": "0"}})
    return Contender(manifest, None, tuple(variants))


def test_variants_add_up() -> None:
    both = variants_of(
        x=Variant(description="x", environment={"B": "1"}, chunk_seconds=0.5, programs=["no-such-program"]),
        y=Variant(description="y", environment={"C": "2"}, chunk_seconds=3, precision="bf16", programs=["sh"]),
    )
    assert both.environment == {"A": "0", "B": "1", "C": "2"}
    assert both.chunk_seconds == 3
    assert both.precision == "bf16"
    assert both.missing_programs == ["no-such-program"]


def test_tolerances_are_float32s_unless_a_variant_states_others() -> None:
    wide = Tolerances(logits=0.1, update=0.5)
    assert parse_contender("torch", KNOWN).tolerances == Tolerances(logits=1e-5, loss=1e-5, gradients=1e-4, update=1e-3)
    lower = Variant(description="y", precision="bf16", tolerance=wide)
    assert variants_of(x=Variant(description="x"), y=lower).tolerances == wide


# The manifests


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_framework_folder_is_whole(name: str) -> None:
    framework = KNOWN[name]
    assert framework.name == framework.folder.name == name
    assert framework.title
    assert framework.description
    assert framework.home.startswith("https://")
    trainer = (framework.folder / "trainer.py").read_text("utf-8")
    assert all(f"def {method}(" in trainer for method in METHODS)
    assert any(Contender(framework).implementation(workload).exists() for workload in workloads())


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_frameworks_packages_are_pinned_and_have_its_distribution(name: str) -> None:
    framework = KNOWN[name]
    sources = [framework.packages, *(variant.packages for variant in framework.variants.values())]
    for lines in (lines for source in sources for lines in source.values()):
        for line in lines:
            (specifier,) = Requirement(line).specifier
            assert specifier.operator == "=="
            assert "*" not in specifier.version
    bare: list[tuple[str, ...]] = [(member,) for members in framework.groups.values() for member in members] or [()]
    for contender in (Contender(framework, None, variants) for variants in bare):
        for device in framework.packages:
            lines = [*contender.packages(device), *(wheel.requirement for wheel in contender.foreign(device))]
            assert contender.distribution(device) in {Requirement(line).name for line in lines}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_variant_says_what_it_means_and_is_used(name: str) -> None:
    framework = KNOWN[name]
    trainer = "".join(path.read_text("utf-8") for path in framework.folder.glob("*.py"))
    for variant_name, variant in framework.variants.items():
        assert len(variant.description) > 10
        # What computes in another precision must state its tolerances, and the other way round.
        assert bool(variant.precision) == bool(variant.tolerance)
        assert variant.environment or variant_name in trainer


def test_every_sets_contenders_exist() -> None:
    sets = contender_sets(KNOWN)
    for names in sets.values():
        assert len(parse_contenders(names, KNOWN)) == len(names) > 0
    assert len(sets[DEFAULT_SET]) >= 6
    assert set(sets["all"]) == {name for names in sets.values() for name in names}


def test_a_set_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("torch  # the one we use\n\n# and\nkeras[jax]\n")
    assert read_set(str(file), KNOWN) == ["torch", "keras[jax]"]
    file.write_text("# nobody\n")
    with pytest.raises(RosettaError, match="names no contender"):
        read_set(str(file), KNOWN)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RosettaError, match="can't be read"):
        read_set(str(file), KNOWN)


def test_an_unknown_set_is_an_error_that_names_the_near_one() -> None:
    with pytest.raises(RosettaError, match="no set 'curent'") as caught:
        read_set("curent", KNOWN)
    assert "current" in caught.value.remedy and "file" in caught.value.remedy


def framework_with(**fields: object) -> Framework:
    deviation = {"workloads": ["mnist_mlp"], "description": "ε inside", "reference": ["epsilon_inside_root"]}
    variant = {
        "description": "another distribution of it",
        "packages": {"cpu": ["forked==2.0"]},
        "distribution": "forked",
        "deviations": [deviation],
        "notes": {"mnist_mlp": "The variant's note."},
        "unsupported": {"imdb_gru": "It has no GRU."},
    }
    return Framework.model_validate(
        {
            "name": "made",
            "title": "Made",
            "home": "https://made.example",
            "description": "made for this test",
            "distribution": "made",
            "packages": {"cpu": ["numpy==2.4.6"]},
            "deviations": [
                deviation | {"workloads": ["mnist_mlp", "babi_rnn"], "description": "the framework's"},
                deviation | {"workloads": ["babi_rnn"], "reference": ["unbiased_variance"], "without_ties": True},
            ],
            "notes": {"mnist_mlp": "The framework's note.", "all": "It holds for all."},
            "unsupported": {"babi_rnn": "It has no LSTM."},
            "variants": {"fork": variant},
            "folder": Path(),
            **fields,
        }
    )


def test_what_a_variant_declares_stands_in_place_of_its_frameworks_or_besides_it() -> None:
    plain, fork = Contender(framework_with()), Contender(framework_with(), "2.1", ("fork",))
    assert (plain.distribution("cpu"), fork.distribution("cpu")) == ("made", "forked")
    assert fork.packages("cpu") == ["forked==2.1", "numpy==2.4.6"]
    both = "the framework's ε inside"
    known = ("mnist_mlp", "babi_rnn", "x")
    said = [[d.description if d else "" for d in map(c.deviation, known)] for c in (plain, fork)]
    assert said == [["the framework's", both, ""], ["ε inside", both, ""]]
    united = fork.deviation("babi_rnn")
    assert united and united.reference == ["epsilon_inside_root", "unbiased_variance"] and united.without_ties
    assert plain.note("mnist_mlp") == "The framework's note. It holds for all."
    assert fork.note("mnist_mlp") == "The variant's note. It holds for all."
    assert fork.note("babi_rnn") == "It holds for all."
    assert plain.unsupported == {"babi_rnn": "It has no LSTM."}
    assert fork.unsupported == plain.unsupported | {"imdb_gru": "It has no GRU."}


def test_a_large_download_is_said_wherever_it_could_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    large = framework_with(download="880 MB", sets={"heritage": ["made"]})
    said = "Made is a download of 880 MB, made only when it is asked for."
    assert Contender(large).note("mnist_mlp").endswith(said)
    monkeypatch.setattr(rosetta.contenders.manifest, "frameworks", lambda: KNOWN | {"made": large})
    assert said in rosetta.cli.options.set_help() and "`heritage`" in rosetta.cli.options.set_help()
    monkeypatch.setattr(rosetta.cli.listings, "frameworks", lambda: {"made": large})
    console = Console(width=200, record=True)
    console.print(rosetta.cli.listings.contender_table())
    text = console.export_text()
    assert text.count(said) == 2 and "2.0" in text, "the variant's version is that of its own distribution"


@pytest.mark.parametrize(
    ("workload", "contender", "standard"),
    [
        ("babi_rnn[qa5]", "torch", Standard(("epsilon_after_correction",))),
        ("mnist_cnn", "torch", Standard()),
        ("mnist_cnn", "lasagne", Standard(("half_gradient_at_zero", "gradient_to_all_maxima"), without_ties=True)),
    ],
)
def test_a_contender_is_held_against_what_it_declares(workload: str, contender: str, standard: Standard) -> None:
    assert standard_of(find_workload(workload), parse_contender(contender, KNOWN)) == standard


def test_a_variant_may_have_implementations_of_its_own() -> None:
    gluon, module = (parse_contender(text, KNOWN) for text in ("mxnet", "mxnet[module]==1.9.1"))
    assert (gluon.implementation_name, module.implementation_name) == ("mxnet", "mxnet[module]")
    names = [contender.implementation("cifar10_cnn").name for contender in (gluon, module)]
    assert names == ["cifar10_cnn.py", "cifar10_cnn_module.py"]
    plan = Plan(
        workloads=["cifar10_cnn"], contenders=[gluon.name, module.name], preset="smoke", launches=1, rounds=1,
        test_samples=0,
    )  # fmt: skip
    shown = code_of(plan)["cifar10_cnn"]
    assert sorted(shown) == ["mxnet", "mxnet[module]", "numpy"]
    assert "mx.mod.Module" in shown["mxnet[module]"] and "gluon.HybridBlock" in shown["mxnet"]


# Where they are found


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's folder with a changed copy of PyTorch's and one framework of another name."""
    for name, title in (("torch", "My PyTorch"), ("mine", "Mine")):
        shutil.copytree(KNOWN["torch"].folder, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        manifest = tmp_path / name / "framework.toml"
        text = manifest.read_text("utf-8").replace('name = "torch"', f'name = "{name}"')
        manifest.write_text(text.replace('title = "PyTorch"', f'title = "{title}"'), "utf-8")
    return tmp_path


def test_the_users_folders_win(own: Path) -> None:
    found = frameworks([own])
    assert found["torch"].title == "My PyTorch"
    assert found["torch"].folder == own / "torch"
    assert found["mine"].folder == own / "mine"
    assert found["jax"] == KNOWN["jax"]


def test_a_single_frameworks_folder_may_be_named_itself(own: Path) -> None:
    found = frameworks([own / "mine"])
    assert found["mine"].title == "Mine"
    assert found["torch"] == KNOWN["torch"]


def test_an_installed_package_offers_frameworks(
    own: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path_factory.mktemp("site")
    shutil.copytree(own, site / "offered_frameworks")
    (site / "offered_frameworks" / "__init__.py").touch()
    metadata = site / "offered-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[rosetta.frameworks]\nany = offered_frameworks\n")
    monkeypatch.syspath_prepend(str(site))
    try:
        assert frameworks()["mine"].folder == site / "offered_frameworks" / "mine"
        assert frameworks([own])["mine"].folder == own / "mine"
    finally:
        sys.modules.pop("offered_frameworks", None)


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RosettaError, match="doesn't exist") as caught:
        frameworks([tmp_path / "nowhere"])
    assert "--frameworks" in caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "My PyTorch"', "", "title: Field required"),
        ('title = "My PyTorch"', "title = 7", "title: Input should be a valid string"),
        ('title = "My PyTorch"', 'title = "x"\nspeed = 9', "speed: Extra inputs are not permitted"),
        ('title = "My PyTorch"', "title = ", "isn't valid TOML"),
        ('description = "model and', 'means = "model and', "variants.channels_last.description: Field required"),
        ('title = "My PyTorch"', 'title = "x"\nprecision = "float8"', "precision: Input should be 'float32'"),
        ("epsilon_after_correction", "epsilon_before", "There is no variant of the reference 'epsilon_before'"),
    ],
)
def test_a_broken_manifest_is_named_with_its_fault(own: Path, old: str, new: str, said: str) -> None:
    manifest = own / "torch" / "framework.toml"
    text = manifest.read_text("utf-8")
    assert old in text
    manifest.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(RosettaError) as caught:
        frameworks([own])
    assert str(manifest) in caught.value.cause
    assert said in caught.value.cause


def test_the_built_in_folder_is_the_worker_packages() -> None:
    assert all(framework.folder.parent == rosetta.contenders.manifest._BUILT_IN for framework in KNOWN.values())
    assert isinstance(KNOWN["numpy"], Framework)


def test_a_version_replaces_the_pin_and_keeps_the_extras_of_that_device() -> None:
    tensorflow = parse_contender("tensorflow==2.20.0", frameworks())
    assert "tensorflow-cpu==2.20.0" in tensorflow.packages("cpu")
    assert "tensorflow[and-cuda]==2.20.0" in tensorflow.packages("cuda")
    assert not any(line.startswith("tensorflow") and "2.21" in line for line in tensorflow.packages("cuda"))
