"""Runs notebooks without Jupyter and stores what their cells show: ``scripts/notebooks.py docs/notebooks/*.ipynb``.

A notebook's cells run in one namespace, as one would type them. Stored are what they print, the value of their last
expression and the figures that matplotlib has open; nothing that changes from run to run but the figures themselves.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path

import matplotlib
from PIL import Image

DPI = 80


def run(notebook: dict) -> list[list[dict]]:
    """The outputs of the code cells of a notebook, as in its file; in their order.

    Raises:
        Exception: whatever a cell raises.
    """
    matplotlib.use("Agg")
    names: dict = {"__name__": "__main__"}
    return [_outputs(cell, number, names) for number, cell in enumerate(code_cells(notebook), 1)]


def code_cells(notebook: dict) -> list[dict]:
    """A notebook's cells of code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _outputs(cell: dict, number: int, names: dict) -> list[dict]:
    """Runs a cell: what it prints, shows and draws, as a notebook stores it."""
    import matplotlib.pyplot as plt

    body = ast.parse("".join(cell["source"]), f"cell {number}").body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), f"cell {number}", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    outputs = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": _lines(printed.getvalue())})
    is_hidden = "".join(cell["source"]).rstrip().endswith(";")  # as Jupyter takes it
    if value is not None and not is_hidden:
        data = {"text/plain": _lines(repr(value))}
        if hasattr(value, "_repr_png_"):
            data["image/jpeg"] = _base64(_small_picture(value._repr_png_()))
        outputs.append({"data": data, "execution_count": number, "metadata": {}, "output_type": "execute_result"})
    for figure in map(plt.figure, plt.get_fignums()):
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=DPI)
        data = {"image/png": _base64(_small(stream)), "text/plain": ["<Figure>"]}
        outputs.append({"data": data, "metadata": {}, "output_type": "display_data"})
    plt.close("all")
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _small(figure: io.BytesIO) -> bytes:
    """A PNG of a chart with as many colours as that needs."""
    small = io.BytesIO()
    Image.open(figure).convert("RGB").quantize(256).save(small, format="png", optimize=True)
    return small.getvalue()


def _small_picture(picture: bytes) -> bytes:
    """A JPEG of what a cell shows as PNG."""
    small = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(small, format="jpeg", quality=90, subsampling=0)
    return small.getvalue()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode() + "\n"


def text_of(outputs: list[list[dict]]) -> str:
    """All that cells printed."""
    return "".join("".join(one.get("text", [])) for cell in outputs for one in cell)


def main(paths: list[str]) -> None:
    """Runs notebooks and writes their outputs into them."""
    for path in map(Path, paths):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for number, (cell, shown) in enumerate(zip(code_cells(notebook), run(notebook)), 1):
            cell |= {"execution_count": number, "outputs": shown}
        path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main(sys.argv[1:])
