"""A provider of text messages that config.toml describes: what is asked of it, and how its answers are read.

Texts have {blanks} that are filled in, a doubled brace stands for itself. A path such as "data.0.id" says where
in a JSON document something stands. What is wrong with a description is found when it is read, and not when the
first message is sent. `own` is a `settings.HttpSms`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

OF_A_MESSAGE = frozenset({"to", "text", "reference", "callback", "secret"})
OF_HEADERS = frozenset({"secret", "basic", "reference"})
OF_A_QUESTION = frozenset({"id", "reference", "secret"})
OF_THE_ACCOUNT = frozenset({"secret"})
ANSWERS = ("code", "id", "message", "status", "balance")
REPORTS = ("reference", "id", "status", "phone", "each")

_PATH = re.compile(r"[^\s.{}]+(\.[^\s.{}]+)*")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}")


def blanks(pattern: str) -> Iterator[tuple[str, str | None]]:
    """(text, the blank behind it or None) in order; ValueError for braces that do not fit."""
    for literal, blank, spec, conversion in Formatter().parse(pattern):
        if spec or conversion:
            raise ValueError("a blank is a name in braces")
        yield literal, blank


def filled(pattern: str, given: Mapping[str, str], quoted: Callable[[str], str] = str) -> str:
    """`pattern` with its blanks filled in, once: what is filled in is not looked at again."""
    return "".join(
        literal + ("" if blank is None else quoted(given[blank])) for literal, blank in blanks(pattern)
    )


def filled_in(fields: Any, given: Mapping[str, str]) -> Any:
    """A document with the blanks of all its texts filled in."""
    if isinstance(fields, str):
        return filled(fields, given)
    if isinstance(fields, Mapping):
        return {name: filled_in(value, given) for name, value in fields.items()}
    if isinstance(fields, Sequence):
        return [filled_in(value, given) for value in fields]
    return fields


def found(document: Any, path: str) -> str:
    """What stands at a path, as a text; "" where nothing does, or no single value."""
    here = at(document, path)
    if isinstance(here, bool):
        return "true" if here else "false"
    if isinstance(here, float) and here.is_integer():
        return str(int(here))
    return str(here) if isinstance(here, str | int | float) else ""


def at(document: Any, path: str) -> Any:
    """What stands at a path, of any shape; None where nothing does."""
    if isinstance(document, dict) and path in document:  # a form's names may have dots
        return document[path]
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isascii() and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document


def document_of(text: str, pattern: str) -> Any:
    """An answer as a document: by the pattern's named groups where there is one, else as JSON; None for neither."""
    if pattern:
        match = re.search(pattern, text)
        return {name: value or "" for name, value in match.groupdict().items()} if match else None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def mistakes(own: Any) -> Iterator[str]:
    """Everything that is wrong with a description, one sentence each."""
    yield from _patterns("url", own.url, OF_A_MESSAGE)
    yield from _patterns("status_url", own.status_url, OF_A_QUESTION)
    yield from _patterns("balance_url", own.balance_url, OF_THE_ACCOUNT)
    yield from _patterns("fields", own.fields, OF_A_MESSAGE)
    yield from _patterns("headers", own.headers, OF_HEADERS)
    yield from _headers(own.headers)
    yield from _paths("answer", own.answer, ANSWERS)
    yield from _paths("report", own.report, REPORTS)
    yield from _pattern(own)
    yield from _sense(own)


def _patterns(key: str, value: Any, known: frozenset[str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _patterns(f"{key}.{name}", inner, known)
    elif isinstance(value, str):
        try:
            strange = sorted({name for _, name in blanks(value) if name is not None} - known)
        except ValueError as fault:
            yield f"{key}: {fault}; a brace that is no blank is doubled"
            return
        if strange:
            names = ", ".join(f"{{{name}}}" for name in sorted(known))
            yield f"{key}: {{{strange[0]}}} is none of {names}"
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _patterns(key, inner, known)


def _headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not value.isascii() or not value.isprintable():
            yield f"headers: {name!r} is no header, or its value is not plain"


def _paths(key: str, paths: Mapping[str, str], known: Sequence[str]) -> Iterator[str]:
    for name, path in paths.items():
        if name not in known:
            yield f"{key}: {name!r} is none of {', '.join(known)}"
        elif not _PATH.fullmatch(path):
            yield f"{key}.{name}: {path!r} is no path such as data.0.id"


def _pattern(own: Any) -> Iterator[str]:
    try:
        groups = set(re.compile(own.answer_pattern).groupindex)
    except re.error as fault:
        yield f"answer_pattern: {fault}"
        return
    if own.answer_pattern and (groups - set(ANSWERS) or not groups):
        yield f"answer_pattern: its groups are named as in (?P<code>…), one of {', '.join(ANSWERS)}"


def _sense(own: Any) -> Iterator[str]:
    """What fits each other."""
    if own.method == "GET" and own.body != "query":
        yield 'body: a GET has its fields in the query, so body = "query"'
    if own.body != "json" and any(isinstance(value, list | dict) for value in own.fields.values()):
        yield "fields: only JSON has lists and tables"
    text = (own.url, *_leaves(own.fields))
    for needed in ("to", "text"):
        if not any(f"{{{needed}}}" in one for one in text):
            yield f"fields: {{{needed}}} is nowhere"
    if own.report and "status" not in own.report:
        yield "report: status is missing"
    if own.report and not {"reference", "id"} & set(own.report):
        yield "report: neither reference nor id says which message it is of"
    if own.repeats and not any("{reference}" in one for one in (*text, *own.headers.values())):
        yield "repeats: {reference} is nowhere, so the provider cannot tell a repeat"
    by_status = "report" if own.report else "status_url" if own.status_url else ""
    if by_status and not own.delivered:
        yield f"delivered: {by_status} is given, so the words that mean delivered are needed"
    for key, name in (("status_url", "status"), ("balance_url", "balance")):
        if getattr(own, key) and name not in own.answer and f"(?P<{name}>" not in own.answer_pattern:
            yield f"answer.{name}: {key} is given, so the place of its answer is needed"


def _leaves(fields: Any) -> Iterator[str]:
    if isinstance(fields, str):
        yield fields
    elif isinstance(fields, Mapping):
        for value in fields.values():
            yield from _leaves(value)
    elif isinstance(fields, Sequence):
        for value in fields:
            yield from _leaves(value)
