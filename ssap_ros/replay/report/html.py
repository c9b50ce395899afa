"""Pieces of the report pages: one self-contained file each, nothing from a network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from ssap_ros.replay.report.sample_frames import Exhibit

_TEMPLATE = Path(__file__).with_name("template.html")


def page(title: str, sections: Iterable[str]) -> str:
    """A whole HTML file with these sections."""
    template = Template(_TEMPLATE.read_text())
    return template.substitute(title=escape(title), body="\n".join(sections))


def head(title: str, subtitle: str, badge: str) -> str:
    """The top of a page; badge: "whole", "partial", "passed" or "failed"."""
    return (
        f'<header><h1>{escape(title)}</h1><span class="badge {badge}">{badge}</span>'
        f"<p>{escape(subtitle)}</p></header>"
    )


def tiles(values: Mapping[str, str]) -> str:
    """Key figures."""
    inside = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in values.items()
    )
    return f'<div class="tiles">{inside}</div>'


def notes(title: str, lines: Sequence[str], kind: str) -> str:
    """A box of lines, of the kind "alarm" or "note"; nothing if there are none."""
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="card {kind}"><b>{escape(title)}</b><ul>{items}</ul></div>'


def section(title: str, *cards: str) -> str:
    """A heading with what belongs to it; nothing if that is empty."""
    inside = "".join(cards)
    return f"<h2>{escape(title)}</h2>{inside}" if inside else ""


def grid(*cards: str) -> str:
    """Cards beside each other where there is room."""
    return f'<div class="grid">{"".join(cards)}</div>'


def card(title: str, inside: str) -> str:
    """A framed part of a section."""
    return f'<div class="card"><h3>{escape(title)}</h3>{inside}</div>'


def table(columns: Sequence[str], rows: Iterable[str]) -> str:
    """Columns after the first are numbers. rows: the cells of each, in HTML."""
    names = "".join(
        f"<th{' class=number' if i else ''}>{escape(name)}</th>" for i, name in enumerate(columns)
    )
    body = "".join(row if row.startswith("<tr") else f"<tr>{row}</tr>" for row in rows)
    inside = f"<thead><tr>{names}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table class="measures">{inside}</table></div>'


def facts(values: Mapping[str, Any]) -> str:
    """A table of names and values."""
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>"
        for name, value in values.items()
    )
    return f"<table><tbody>{rows}</tbody></table>"


def figure(exhibit: Exhibit) -> str:
    """A frame: its pictures side by side, with their titles."""
    pictures = "".join(
        f'<div><img alt="{escape(title)} of {escape(exhibit.caption)}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        f"<small>{escape(title)}</small></div>"
        for title, data in exhibit.pictures.items()
    )
    return (
        f"<figure><figcaption>{escape(exhibit.caption)}</figcaption>"
        f'<div class="row" style="--n:{len(exhibit.pictures)}">{pictures}</div></figure>'
    )


def folded(title: str, text: str) -> str:
    """Plain text behind a title that opens it; nothing if it is empty."""
    if not text:
        return ""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"
