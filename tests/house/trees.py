"""Plants small bad houses for negative controls."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent


def plant(root: Path, files: Mapping[str, str]) -> Path:
    """Write these files under `root`; give `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return root
