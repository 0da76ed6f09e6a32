"""`python -m deploy.contracts` writes the generated contracts; with `--check` it only says whether they are stale."""

import sys
from collections.abc import Sequence
from pathlib import Path

from contracts.catalogue import CATALOGUE
from deploy.contracts.generation import generate, stale
from deploy.contracts.tables import ContractBrokenError, read_tables

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Give the exit code: 0 done, 1 stale (only with `--check`), 2 refused."""
    try:
        files = generate(root, CATALOGUE, read_tables(root))
    except ContractBrokenError as error:
        for sentence in error.sentences:
            _tell(sentence)
        return 2
    outdated = stale(root, files)
    if "--check" in arguments:
        for path in outdated:
            _tell(f"{path} is stale: run `make contracts`")
        return 1 if outdated else 0
    for path in outdated:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path])
        _tell(f"wrote {path}")
    return 0


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
