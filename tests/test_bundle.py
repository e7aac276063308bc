"""One file out of several: what is kept, in which order, and what is an error rather than silently another program."""

import contextlib
import io
import textwrap

import pytest

from rosetta.errors import RosettaError
from rosetta.standalone.bundle import bundle
from rosetta.standalone.syntax import Source

VALUES = {"TRAINED": True, "VARIANTS": ["fast"], "SHIFT": 0}


def bundled(main: str, **modules: str) -> str:
    """Bundle modules that are given by their names; they may import each other."""
    sources = {name: Source(f"{name}.py", textwrap.dedent(text)) for name, text in modules.items()}
    sections = bundle(Source("main.py", textwrap.dedent(main)), sources.get, VALUES, "workload.py")
    return "\n".join(section.code for section in sections) + "\n"


def printed(code: str) -> list[str]:
    """Run a bundle and return the lines it printed."""
    lines = io.StringIO()
    with contextlib.redirect_stdout(lines):
        exec(compile(code, "bundle", "exec"), {"__name__": "__main__"})
    return lines.getvalue().splitlines()


def test_modules_become_one_file_that_does_the_same() -> None:
    code = bundled(
        """
        import math
        from . import layers
        from .optimizers import step as one_step

        print(layers.double(math.floor(2.5)), one_step(1), layers.count)
        """,
        layers="""
        import os, math
        from . import kinks
        count = 3

        def double(x):
            return kinks.taken(x) * 2

        def unused(path):
            return os.path.join(path)
        """,
        kinks="def taken(x):\n    return x\n",
        optimizers="from .kinks import taken\n\ndef step(x):\n    return taken(x) + 1\n",
    )
    assert printed(code) == ["4 2 3"]
    assert "unused" not in code and "import os" not in code
    assert code.count("def taken") == 1 and code.count("import math") == 1
    assert "from ." not in code


def test_what_a_module_does_when_it_runs_is_kept() -> None:
    code = bundled(
        "from .layers import f\nprint(f())\n", layers="names = []\nnames.append(1)\n\ndef f():\n    return names\n"
    )
    assert printed(code) == ["[1]"]


def test_a_module_for_its_effect_comes_before_the_imports() -> None:
    code = bundled(
        "from . import shims  # noqa\nimport colorsys\n\nprint(colorsys.__doc__ is not None)\n",
        shims="import sys\nprint('colorsys' in sys.modules)\nsys.modules.pop('colorsys', None)\n",
    )
    assert code.index("sys.modules.pop") < code.index("import colorsys")
    assert printed(code)[-1] == "True"


def test_settings_decide_branches() -> None:
    code = bundled(
        """
        from . import workload

        if workload.TRAINED:
            print("trains", workload.SHIFT)
        else:
            print("predicts")
        if "fast" in workload.VARIANTS:
            from .fast import go
        if not workload.TRAINED:
            print("never")
        if workload.SHIFT:
            print("never")
        go()
        """,
        workload="TRAINED = True\nVARIANTS = ['fast']\nSHIFT = 0\nOTHER = 5\n",
        fast="def go():\n    print('fast')\n",
    )
    assert printed(code) == ["trains 0", "fast"]
    assert "predicts" not in code and "never" not in code and "OTHER" not in code and "if " not in code


def test_two_meanings_of_an_imported_name_are_told_apart() -> None:
    code = bundled(
        "import os as system\nfrom .layers import f\n\nprint(system.sep, f())\n",
        layers="import os.path as system\n\ndef f():\n    return system.basename('a/b')\n",
    )
    assert "import os.path as os_path" in code
    assert printed(code) == ["/ b"]


def test_the_same_name_for_two_things_is_an_error() -> None:
    with pytest.raises(RosettaError, match=r"a\.py and b\.py have the same name, f, for two things"):
        bundled("from . import a, b\nprint(a.f(), b.f())\n", a="def f():\n    return 1\n", b="def f():\n    return 2\n")
    with pytest.raises(RosettaError, match="have the same name, relu"):
        bundled(
            "from .a import f\nfrom math import floor as relu\nprint(f(), relu)\n",
            a="relu = 1\ndef f():\n    return relu\n",
        )


def test_a_variable_that_would_hide_a_function_is_an_error() -> None:
    with pytest.raises(RosettaError, match="local variable note"):
        bundled(
            "from .layers import f\nprint(f())\n",
            layers="from . import margins\n\ndef f():\n    note = 1\n    return margins.note(note)\n",
            margins="def note(x):\n    return x\n",
        )


def test_a_function_that_would_hide_pythons_own_is_an_error() -> None:
    with pytest.raises(RosettaError, match="has a sum of its own"):
        bundled(
            "from .a import f\nfrom .b import total\nprint(f(), total([1]))\n",
            a="def sum(x):\n    return 7\n\ndef f():\n    return sum(1)\n",
            b="def total(x):\n    return sum(x)\n",
        )


def test_what_isnt_there_is_an_error() -> None:
    with pytest.raises(RosettaError, match=r"a\.py has no g, which main\.py uses"):
        bundled("from .a import g\nprint(g)\n", a="def f():\n    return 1\n")
    with pytest.raises(RosettaError, match=r"main\.py imports nothing, which isn't there"):
        bundled("from . import nothing\nprint(nothing.x)\n")
    with pytest.raises(RosettaError, match="uses the module a otherwise"):
        bundled("from . import a\nprint(a)\n", a="def f():\n    return 1\n")
