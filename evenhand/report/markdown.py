"""Text from the data within Markdown: shown as it is, never as markup."""

from __future__ import annotations

_MARKS = "|`*_[]#~"


def cell(text: object) -> str:
    """Text that neither ends a table's cell or a paragraph nor becomes markup.

    Args:
      text: anything, e.g. the name of a class.
    """
    shown = "".join(sign if sign.isprintable() else " " for sign in str(text))
    shown = shown.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in _MARKS:
        shown = shown.replace(mark, "\\" + mark)
    return shown
