"""The tutorial runs from top to bottom with either engine, and measures what its text says it measures."""

import os
import re
from pathlib import Path

import jupytext
import nbclient
import pytest

TUTORIAL = Path(__file__).parents[2] / "tutorials" / "getting-started.md"
FIGURES = 13


def executed(directory, environment):
    """Run the notebook in a kernel of its own and give its cells."""
    notebook = jupytext.read(TUTORIAL)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(directory)}}
    )
    ours = ("MPLBACKEND", "XTENDSRC_")  # the kernel draws pictures, and on simulated data, as it does for a reader
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    client.execute(env={**inherited, **environment})
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(cells):
    """All text printed, and the number of pictures."""
    text, pictures = [], 0
    for cell in cells:
        for output in cell.outputs:
            data = output.get("data", {})
            pictures += "image/png" in data
            text.append(output.get("text") or data.get("text/plain", ""))
    return "\n".join(text), pictures


@pytest.mark.parametrize("engine", ["native", pytest.param("heasoft", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")  # of the notebook machinery; the kernel is another process
def test_tutorial(engine, tmp_path):
    environment = {}
    if engine == "heasoft":
        from xtendsrc.testing import heasoft

        environment = heasoft.environment(heasoft.install(tmp_path / "headas"))
    text, pictures = outputs(executed(tmp_path, environment))
    assert pictures == FIGURES
    reports = [line for line in text.splitlines() if "failed>" in line]
    assert len(reports) == 5
    assert [line for line in reports if " 0 failed>" not in line] == []
    assert f"engine    {engine}" in text
    good, means, sums = map(
        float, re.search(r"good time (\d+) s; .*means: up to (\d+) s, .*sums: up to (\d+) s", text).groups()
    )
    assert means == pytest.approx(good, abs=1)
    assert sums == pytest.approx(16 * good, abs=16)
    expected = "TaskParameterError" if engine == "heasoft" else "EngineUnavailableError"
    assert expected in text
