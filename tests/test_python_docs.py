"""Every example of docs/python.md runs, in the page's order, with the fake framework and the reference in place of
PyTorch and JAX.
"""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rosetta
from rosetta import datasets
from rosetta.paths import cache_folder

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
FAKE_FRAMEWORKS = Path(__file__).parent / "frameworks"
OWN = f"frameworks={str(FAKE_FRAMEWORKS)!r}"
LIGHT = {
    '["torch", "jax"], ': f'["numpy", "fake"], rounds=2, {OWN}, ',
    '"torch"': f'"fake", {OWN}',
    '"jax"': '"numpy"',
    'to="onnx"': f'to="onnx", {OWN}',
}


@pytest.mark.timeout(600)
def test_every_example_runs(
    data_folder: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8 and blocks[0].startswith("import rosetta\n"), "the page begins with what to type"
    page = "\n\n".join(blocks)
    for heavy, light in LIGHT.items():
        assert heavy in page
        page = page.replace(heavy, light)
    prepared = datasets.prepare("mnist", data_folder, cache_folder() / "data")
    images, labels = (np.load(path) for path in (prepared.test_inputs[0], prepared.test_labels))
    monkeypatch.chdir(tmp_path)
    if data_folder:
        monkeypatch.setenv("ROSETTA_DATA", str(data_folder))
    Image.fromarray(images[list(labels).index(7)]).save("seven.png")
    Path("page.py").write_text(page, "utf-8")
    names = runpy.run_path("page.py")
    said = capsys.readouterr().out
    assert {c.name for c in names["result"].results[0].contenders} == {"numpy", "fake"}
    assert all(c.status == "ok" for c in names["result"].results[0].contenders)
    assert "There is no workload 'mnist_mpl'. Did you mean mnist_mlp" in said
    assert "seven.png (('7', " in said
    assert list(names["frame"]["contender"]) == [c["contender"] for c in names["frame"].to_dict("records")]
    assert len(names["calibration"].comparisons) == 1
    assert names["converted"].file == Path("digits.onnx") and names["converted"].file.exists()


def test_every_name_is_listed() -> None:
    text = PAGE.read_text("utf-8")
    for name in rosetta.__all__:
        if not name.startswith("__"):
            assert re.search(rf"\b{name}\b", text), f"docs/python.md doesn't have {name}"
