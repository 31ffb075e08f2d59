"""What the benchmarks of speed share: their arguments, and the sections of docs/performance.md that they write."""

from __future__ import annotations

import argparse
import datetime

from benchmarks.pages import DOCS, write_section

PAGE = DOCS / "performance.md"


def parser_for(description: str, *, serves: bool = False) -> argparse.ArgumentParser:
    """A parser with `--write`, and `--serve` for a benchmark that starts itself as a worker."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    if serves:
        parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser


def tell(title: str, module: str, text: str, *, write: bool) -> None:
    """Prints a section and, if asked to, writes it into the page.

    Args:
      title: of the section.
      module: the benchmark, and what it was told, as after `python -m benchmarks.`.
      text: Markdown.
      write: replace the section of that title, or add it.
    """
    text = f"By `python -m benchmarks.{module}`, {datetime.date.today().isoformat()}. {text}"
    print(f"\n## {title}\n\n{text}", flush=True)
    if write:
        write_section(PAGE, title, text)
