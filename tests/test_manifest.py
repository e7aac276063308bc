"""Manifests: what they say is read and checked; names of before are read as today's, with a warning."""

import ast
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from rosetta.contenders.contender import Contender, parse_contender
from rosetta.contenders.manifest import Framework, OwnLayer, Variant, frameworks
from rosetta.errors import RosettaError
from rosetta.workloads import workloads
from rosetta.workloads.layers import MinimalGatedUnit, OwnActivation

ROSETTA = Path(sys.executable).parent / "rosetta"

HEAD = """
name = "mine"
title = "Mine"
home = "https://mine.example"
distribution = "numpy"
packages = { cpu = ["numpy==2.4.6"] }
"""

TODAY = f"""{HEAD}
description = "a few lines of NumPy"

[[deviations]]
workloads = ["mnist_mlp", "mnist_hrnn"]
description = "ε inside the root."
reference = ["epsilon_inside_root"]

[[deviations]]
workloads = ["mnist_cnn"]
description = "Half a gradient at 0."
reference = ["half_gradient_at_zero"]
without_ties = true

[[notes]]
workloads = ["mnist_mlp", "mnist_cnn"]
description = "Written by hand."

[[notes]]
workloads = ["all"]
description = "In NumPy."

[unsupported]
babi_rnn = "No LSTM."

[replication]
description = "A process for each."
statistics = "Each its own."

[variants.other]
description = "another way"
implementation_suffix = "_other"
unsupported = {{ imdb_gru = "No GRU." }}

[[variants.other.deviations]]
workloads = ["mnist_mlp"]
description = "ε inside the root, and after the correction."
reference = ["epsilon_inside_root", "epsilon_after_correction"]

[variants.other.replication]
description = "All in one process."
statistics = "Each its own."
"""

BEFORE = f"""{HEAD}
about = "a few lines of NumPy"

[deviations.mnist_mlp]
words = "ε inside the root."
reference = ["epsilon_inside_root"]

[deviations.mnist_hrnn]
words = "ε inside the root."
reference = ["epsilon_inside_root"]

[deviations.mnist_cnn]
words = "Half a gradient at 0."
reference = ["half_gradient_at_zero"]
without_ties = true

[notes]
mnist_mlp = "Written by hand."
mnist_cnn = "Written by hand."
all = "In NumPy."

[cannot]
babi_rnn = "No LSTM."

[replication]
words = "A process for each."
statistics = "Each its own."

[variants.other]
meaning = "another way"
texts = "_other"
cannot = {{ imdb_gru = "No GRU." }}

[variants.other.deviations.mnist_mlp]
words = "ε inside the root, and after the correction."
reference = ["epsilon_inside_root", "epsilon_after_correction"]

[variants.other.replication]
words = "All in one process."
statistics = "Each its own."
"""

OLD_NAMES = {
    "about": "description",
    "cannot": "unsupported",
    "meaning": "description",
    "texts": "implementation_suffix",
    "words": "description",
    "[deviations.WORKLOAD]": "[[deviations]] with workloads",
}


def read(folder: Path, text: str) -> Framework:
    """Read a manifest from a folder of that text alone; a warning is an error."""
    (folder / "framework.toml").write_text(text, "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return frameworks([folder])["mine"]


def read_with_warning(folder: Path, text: str) -> tuple[Framework, warnings.WarningMessage]:
    """Read a manifest that warns once."""
    (folder / "framework.toml").write_text(text, "utf-8")
    with pytest.warns(FutureWarning) as caught:
        found = frameworks([folder])["mine"]
    (warning,) = caught.list
    return found, warning


def facts(framework: Framework) -> list[object]:
    """All that is asked of a framework's contenders about workloads."""
    found: list[object] = []
    for text in ("mine", "mine@2xcpu", "mine[other]", "mine[other]@2xcpu"):
        contender = parse_contender(text, {"mine": framework})
        found += [contender.unsupported, contender.implementation_name, contender.implementation("mnist_mlp")]
        for workload in ("mnist_mlp", "mnist_hrnn", "mnist_cnn", "babi_rnn"):
            found += [contender.deviation(workload), contender.note(workload)]
    return found


def test_the_names_of_before_are_read_as_todays_and_warn_once(tmp_path: Path) -> None:
    today = read(tmp_path, TODAY)
    before, warning = read_with_warning(tmp_path, BEFORE)
    alike = {"deviations", "notes"}
    assert before.model_dump(exclude=alike) == today.model_dump(exclude=alike)
    assert facts(before) == facts(today)
    assert read(tmp_path, BEFORE) == before, "it warns once, whatever became of Python's filters meanwhile"
    assert Contender(today).note("mnist_cnn") == "Written by hand. In NumPy."
    assert warning.filename == str(tmp_path / "framework.toml")
    assert BEFORE.splitlines()[warning.lineno - 1].startswith("about")
    assert all(f"{old} is now {new}" in str(warning.message) for old, new in OLD_NAMES.items())


# Today's words in TODAY, those of before, and where the latter then stand.
RENAMED = [
    ('description = "a few', 'about = "a few', "about"),
    ("[unsupported]", "[cannot]", "cannot"),
    ('description = "Half', 'words = "Half', "deviations.words"),
    ('description = "A process', 'words = "A process', "replication.words"),
    ('description = "another', 'meaning = "another', "variants.other.meaning"),
    ("implementation_suffix =", "texts =", "variants.other.texts"),
    ("unsupported = {", "cannot = {", "variants.other.cannot"),
    ('description = "ε inside the root, and', 'words = "ε inside the root, and', "variants.other.deviations.words"),
    ('description = "All in one', 'words = "All in one', "variants.other.replication.words"),
]


@pytest.mark.parametrize(("today", "before", "place"), RENAMED)
def test_each_old_name_is_read_and_warns(tmp_path: Path, today: str, before: str, place: str) -> None:
    assert TODAY.count(today) == 1
    old = place.rpartition(".")[2]
    found, warning = read_with_warning(tmp_path, TODAY.replace(today, before))
    assert found == read(tmp_path, TODAY)
    assert str(warning.message) == f"old names, which are still read: {old} is now {OLD_NAMES[old]}."


@pytest.mark.parametrize(("today", "before", "place"), RENAMED)
def test_an_old_name_beside_todays_is_an_error(tmp_path: Path, today: str, before: str, place: str) -> None:
    old = place.rpartition(".")[2]
    empty = "[cannot]" if before.startswith("[") else f"{old} = {{}}" if before.endswith("{") else f'{old} = ""'
    manifest = tmp_path / "framework.toml"
    with pytest.raises(RosettaError) as caught:
        read(tmp_path, TODAY.replace(today, f"{empty}\n{today}"))
    new = OLD_NAMES[old]
    assert caught.value.cause == f"{manifest}: {place}: that is the old name of {new}, and both are given."
    assert caught.value.remedy == f"Keep {new}."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TODAY.replace("description =", "says =", 1), "description: Field required"),
        (TODAY.replace('distribution = "numpy"', 'distribution = "numpy"\nspeed = 9'), "speed: Extra inputs"),
        (TODAY.replace("without_ties", "with_ties"), "deviations.mnist_cnn.with_ties: Extra inputs"),
        (TODAY.replace('["mnist_mlp", "mnist_hrnn"]', "[]"), "deviations.0.workloads: List should have at least 1"),
        (
            TODAY.replace('description = "Written by hand."', ""),
            "notes.mnist_mlp,mnist_cnn.description: Field required",
        ),
        (
            f"{HEAD}description = 'x'\n[notes]\nmnist_mlp = 7",
            "notes.mnist_mlp.description: Input should be a valid string",
        ),
        (
            TODAY.replace("epsilon_after_correction", "ε"),
            "deviations.mnist_mlp.reference: There is no variant of the ref",
        ),
        (TODAY.replace("All in one process.", '", about = "'), "isn't valid TOML"),
    ],
)
def test_a_fault_is_refused_with_file_place_and_message(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RosettaError) as caught:
        read(tmp_path, text)
    assert caught.value.cause.startswith(f"{tmp_path / 'framework.toml'}")
    assert said in caught.value.cause


BARE = f'{HEAD}description = "x"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{BARE}environment = {{ "A=B" = "1" }}', "environment: 'A=B' can't be the name of an environment variable"),
        (f'{BARE}environment = {{ "" = "1" }}', "environment: '' can't be the name"),
        (f'{BARE}environment = {{ "A\\u0000" = "1" }}', "can't be the name of an environment variable"),
        (
            f'{BARE}[variants.a]\ndescription = "x"\nenvironment = {{ A = "\\u0000" }}',
            "variants.a.environment: the value",
        ),
        (f"{BARE}chunk_seconds = nan", "chunk_seconds: Input should be a finite number"),
        (f"{BARE}chunk_seconds = inf", "chunk_seconds: Input should be"),
        (f"{BARE}chunk_seconds = 0", "chunk_seconds: Input should be greater than 0"),
        (f'{BARE}[variants.a]\ndescription = "x"\nchunk_seconds = -1', "variants.a.chunk_seconds: Input should be"),
        (
            BARE.replace('"numpy==2.4.6"', '"numpy = = 2"'),
            "packages.cpu.0: 'numpy = = 2' isn't a requirement: Expected",
        ),
        (BARE.replace('"numpy==2.4.6"', '"--index-url=x"'), "packages.cpu.0: '--index-url=x' isn't a requirement"),
        (f'{BARE}install = {{ sources = ["../x"] }}', "install.sources.0: '../x' isn't a requirement"),
        (BARE.replace('= "numpy"', '= { cuda = "numpy" }'), "toml: distribution names none for cpu"),
        (BARE.replace('"mine"', '"../mine"', 1), "name: String should match"),
        (f"{BARE}install = {'[' * 5000}", "isn't valid TOML"),
        (f"{BARE}#{'x' * (1 << 20)}", "it has more than 1,048,576 bytes"),
    ],
)
def test_what_no_process_or_installer_could_take_is_refused_when_it_is_read(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(RosettaError) as caught:
        read(tmp_path, text)
    assert caught.value.cause.startswith(f"{tmp_path / 'framework.toml'}")
    assert said in caught.value.cause
    assert "\n" not in caught.value.cause


OWN_LAYER = f"""{BARE}
[own_layers.mnist_own_cell]
means = "a loop"
gradient = "by the framework"
definitions = ["Cell"]
"""


def test_what_a_layer_of_ones_own_took_is_read(tmp_path: Path) -> None:
    framework = read(tmp_path, OWN_LAYER)
    assert framework.own_layers == {
        "mnist_own_cell": OwnLayer(means="a loop", gradient="by the framework", compiler="", definitions=["Cell"])
    }
    by_hand = read(tmp_path, OWN_LAYER.replace("by the framework", "by hand") + 'compiler = "g++"\n')
    assert (by_hand.own_layers["mnist_own_cell"].gradient, by_hand.own_layers["mnist_own_cell"].compiler) == (
        "by hand",
        "g++",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OWN_LAYER.replace("by the framework", "nobody"), "own_layers.mnist_own_cell.gradient: Input should be 'by ha"),
        (OWN_LAYER.replace('["Cell"]', "[]"), "own_layers.mnist_own_cell.definitions: List should have at least 1"),
        (OWN_LAYER.replace('"a loop"', '""'), "own_layers.mnist_own_cell.means: String should have at least 1"),
        (OWN_LAYER.replace('means = "a loop"', ""), "own_layers.mnist_own_cell.means: Field required"),
        (f"{OWN_LAYER}lines = 9\n", "own_layers.mnist_own_cell.lines: Extra inputs"),
    ],
)
def test_what_a_layer_of_ones_own_took_is_said_in_full(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RosettaError) as caught:
        read(tmp_path, text)
    assert said in caught.value.cause


def defined(file: Path) -> set[str]:
    """Name what an implementation defines at its top, or imports from modules in its folder."""
    names = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.level:
            names |= {alias.name for alias in node.names}
    return names


OWN = [
    w.name for w in workloads().values() if any(isinstance(one, OwnActivation | MinimalGatedUnit) for one in w.layers)
]


@pytest.mark.parametrize("framework", [f for f in frameworks().values() if f.name != "numpy"], ids=lambda f: f.name)
def test_each_framework_says_what_its_layers_of_ones_own_took(framework: Framework) -> None:
    assert OWN == ["mnist_own_cell", "cifar10_own_activation"]
    assert set(framework.own_layers) == {name for name in OWN if (framework.folder / f"{name}.py").exists()}
    for name, layer in framework.own_layers.items():
        assert set(layer.definitions) <= defined(framework.folder / f"{name}.py"), name


VARIANTS = [
    (framework, variant)
    for framework in frameworks().values()
    for variant in framework.variants.values()
    if variant.implementation_suffix or variant.own_layers
]


@pytest.mark.parametrize(("framework", "variant"), VARIANTS)
def test_a_variant_says_what_those_of_its_own_implementations_took(framework: Framework, variant: Variant) -> None:
    suffix = variant.implementation_suffix
    if suffix:
        assert set(variant.own_layers) == {name for name in OWN if (framework.folder / f"{name}{suffix}.py").exists()}
    for name, layer in variant.own_layers.items():
        assert set(layer.definitions) <= defined(framework.folder / f"{name}{suffix}.py"), name


def test_what_a_variant_says_of_its_layer_stands_in_place_of_what_the_framework_says() -> None:
    theano, mxnet = (parse_contender(f"keras2[{name}]", frameworks()) for name in ("theano", "mxnet"))
    found, of_the_framework = theano.own_layer("mnist_own_cell"), mxnet.own_layer("mnist_own_cell")
    assert found and of_the_framework and of_the_framework == theano.framework.own_layers["mnist_own_cell"]
    assert found.compiler.startswith("g++") and not of_the_framework.compiler
    assert theano.own_layer("mnist_mlp") is None


def test_a_manifest_that_is_a_pipe_is_refused_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "framework.toml")
    with pytest.raises(RosettaError, match="isn't a regular file"):
        frameworks([tmp_path])


def test_a_framework_for_one_device_has_a_version_there(tmp_path: Path) -> None:
    text = BARE.replace('= "numpy"', '= { cuda = "numpy" }').replace("{ cpu =", "{ cuda =")
    assert read(tmp_path, text).distribution_on("cpu") == "numpy"


VARIANT = f"""{HEAD}
description = "x"

[variants.fast]
description = "y"
tolerance = {{ TOLERANCE }}
PRECISION
"""


@pytest.mark.parametrize("precision", ["", 'precision = "float32"', 'precision = "fast"'])
def test_a_tolerance_wider_than_float32s_is_for_a_lower_precision_alone(tmp_path: Path, precision: str) -> None:
    text = VARIANT.replace("PRECISION", precision)
    with pytest.raises(RosettaError, match=r"variants\.fast: its tolerance of loss, update is wider than float32's"):
        read(tmp_path, text.replace("TOLERANCE", "loss = 2e-5, update = 2e-3, logits = 1e-6"))
    assert read(tmp_path, text.replace("TOLERANCE", "update = 1e-4")).variants["fast"].tolerance
    lower = text.replace(precision or "PRECISION", "") + 'precision = "bf16 autocast"\n'
    assert read(tmp_path, lower.replace("TOLERANCE", "update = 0.5")).variants["fast"].tolerance


@pytest.mark.parametrize("nothing_held", ["inf", "nan", "1.0", "-0.1", "0"])
def test_a_tolerance_of_everything_or_nothing_is_refused(tmp_path: Path, nothing_held: str) -> None:
    text = VARIANT.replace("TOLERANCE", f"logits = {nothing_held}").replace("PRECISION", 'precision = "bf16"')
    with pytest.raises(RosettaError, match=r"variants\.fast\.tolerance\.logits: Input should be"):
        read(tmp_path, text)


def test_a_fault_beside_old_names_is_named_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "framework.toml").write_text(BEFORE.replace("without_ties", "with_ties"), "utf-8")
    with (
        pytest.warns(FutureWarning),
        pytest.raises(RosettaError, match=r"deviations\.mnist_cnn\.with_ties: Extra inputs"),
    ):
        frameworks([tmp_path])


def test_the_command_line_warns_once_for_each_manifest_of_the_users(tmp_path: Path) -> None:
    for name in ("mine", "yours"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "framework.toml").write_text(BEFORE.replace('"mine"', f'"{name}"'), "utf-8")
    command = [str(ROSETTA), "show", "mnist_mlp", "--in", "mine", "--frameworks", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2 and "Mine has no implementation of mnist_mlp." in done.stderr
    assert done.stderr.count("FutureWarning") == 2
    for name in ("mine", "yours"):
        assert done.stderr.count(f"{tmp_path / name / 'framework.toml'}:8: FutureWarning: old names") == 1


def test_the_manifests_that_come_with_rosetta_have_todays_names() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frameworks([Path(__file__).parent / "frameworks"])
