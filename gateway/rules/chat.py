"""What a citizen means by a few words, with or without accents, typed in a hurry, or in English. Pure.

A command is recognised only when the whole text is one: a complaint that happens to contain the word for
"cancel" goes to a person. Short words must be right; in a longer phrase each word may have one slip.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from rapidfuzz.distance import OSA

from gateway.rules import phrases as vocabulary

LONGEST = 8  # words; more is a question for a person
READ = 400  # characters that are looked at
RESIDENCE, COMPLAINT, PROCEDURE, IDENTITY = "residence", "complaint", "procedure", "identity"


class Intent(StrEnum):
    REGISTER = "register"  # wants a number
    NUMBER = "number"  # asks for their number and place
    CANCEL = "cancel"  # gives a number up
    MOVE = "move"  # wants another day
    HERE = "here"  # says that they have arrived
    HOURS = "hours"  # when and where
    DOCUMENTS = "documents"  # what to bring
    PHONE = "phone"  # wants to share their phone number
    MENU = "menu"  # says hello, or asks what can be asked
    PERSON = "person"  # wants a human
    STOP = "stop"  # wants no general news; by text message: no text messages
    START = "start"  # wants text messages again
    LANGUAGE = "language"  # wants the other language; `argument` is vi or en
    NONE = "none"  # for a person


@dataclass(frozen=True)
class Understood:
    """`argument`: what follows the command, e.g. a number. `sure`: a # command, or exactly a menu's words;
    `confirmed`: the command ends in "!", which only our own buttons do."""

    intent: Intent
    argument: str = ""
    sure: bool = False
    confirmed: bool = False


NOTHING = Understood(Intent.NONE)

COMMANDS: Mapping[str, Intent] = {
    "dangky": Intent.REGISTER,
    "dk": Intent.REGISTER,
    "layso": Intent.REGISTER,
    "register": Intent.REGISTER,
    "so": Intent.NUMBER,
    "socuatoi": Intent.NUMBER,
    "number": Intent.NUMBER,
    "huy": Intent.CANCEL,
    "cancel": Intent.CANCEL,
    "doi": Intent.MOVE,
    "doilich": Intent.MOVE,
    "move": Intent.MOVE,
    "toi": Intent.HERE,
    "comat": Intent.HERE,
    "here": Intent.HERE,
    "gio": Intent.HOURS,
    "diachi": Intent.HOURS,
    "hours": Intent.HOURS,
    "giayto": Intent.DOCUMENTS,
    "documents": Intent.DOCUMENTS,
    "sdt": Intent.PHONE,
    "phone": Intent.PHONE,
    "menu": Intent.MENU,
    "help": Intent.MENU,
    "nguoi": Intent.PERSON,
    "canbo": Intent.PERSON,
    "person": Intent.PERSON,
    "dung": Intent.STOP,
    "stop": Intent.STOP,
}

TONGUES: Mapping[str, str] = {
    "en": "en",
    "english": "en",
    "tieng anh": "en",
    "speak english": "en",
    "in english": "en",
    "vi": "vi",
    "tieng viet": "vi",
    "vietnamese": "vi",
    "viet nam": "vi",
}


def plain(text: str) -> str:
    """A text as it is compared: small letters without accents, single blanks, nothing but letters and digits."""
    apart = unicodedata.normalize("NFD", text[:READ].casefold()).replace("đ", "d")
    letters = "".join(char for char in apart if not unicodedata.combining(char))
    return " ".join(re.findall(r"[a-z0-9]+", letters))


def understand(text: str) -> Understood:
    """What a message asks for; NONE is for a person."""
    stripped = text.strip()
    if stripped.startswith("#"):
        return _command(stripped)
    folded = plain(text)
    if not folded or len(folded.split()) > LONGEST:
        return NOTHING
    exact = _exact(folded)
    if exact is not None:
        return exact
    core = _core(folded)
    for words in dict.fromkeys((_blunt(folded), core, _untyped(folded), _untyped(core))):
        found = _numbered(words) or _exact(words)
        if found is not None:
            return Understood(found.intent, found.argument)
    return _nearly(core) or _nearly(folded) or NOTHING


def short(text: str) -> Understood:
    """What a text message asks for: number, cancel, menu, stop, start; NONE is for a person.

    `sure`: exactly one of the words that we tell people to send. To want no more texts, or to want them again,
    must be said so: "đã nhận" is a nod, "đúng" a yes, and "không nhận được tin" a complaint.
    """
    folded = plain(text)
    intent = _short().get(folded)
    if intent is not None:
        return Understood(intent, sure=True)
    core = _core(folded)
    if Intent.STOP in (_short().get(core), _short().get(_untyped(core))):
        return Understood(Intent.STOP)
    given_up = _GIVES_UP.fullmatch(folded)
    if given_up:
        return Understood(Intent.CANCEL, f"{given_up[1]}{given_up[2]}".upper(), sure=True)
    found = understand(text)
    return Understood(found.intent, found.argument) if found.intent in _BY_TEXT else NOTHING


_GIVES_UP = re.compile(
    r"(?:huyr(?= )|huy|cancel)(?: (?:so|lich|phieu|number|lich hen|so thu tu))?"
    r" ?([a-z]?) ?([0-9]{1,5})(?: (?:a|nhe|nha|ok))?"
)
_BY_TEXT = frozenset((Intent.NUMBER, Intent.CANCEL, Intent.MENU))


@cache
def _short() -> Mapping[str, Intent]:
    return {plain(one): Intent(name) for name, words in vocabulary.SHORT.items() for one in words}


def topic(text: str) -> str:
    """What a question is about, as far as its words say: residence, complaint, procedure, identity or empty."""
    words = f" {plain(text)} "
    return next((name for name, keys in _topics() if any(key in words for key in keys)), "")


def courteous(text: str) -> bool:
    """Whether it is only thanks or a nod: nobody needs to be told that it was passed on."""
    folded = plain(text)
    return not {folded, _core(folded)}.isdisjoint(_courtesies())


@cache
def _topics() -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(f" {plain(key)} " for key in keys)) for name, keys in vocabulary.TOPICS.items())


def _command(text: str) -> Understood:
    """ "#huy A-042", "#Đăng ký", "# so". Unknown ones of one word are answered with what there is."""
    body = text.lstrip("#").strip()
    confirmed = bool(re.match(r"[^\W\d_]+\s*!", body))
    words = body.replace("!", " ", 1).split() if confirmed else body.split()
    for taken in (3, 2, 1):
        name = plain(" ".join(words[:taken])).replace(" ", "")
        rest = " ".join(words[taken:])[:80]
        if len(words) >= taken and name in COMMANDS:
            return Understood(COMMANDS[name], rest, sure=True, confirmed=confirmed)
        if len(words) >= taken and name in TONGUES:
            return Understood(Intent.LANGUAGE, TONGUES[name], sure=True)
    near = _near_command(plain(body).replace(" ", "")) if len(words) <= 3 else None
    if near:
        return Understood(near, sure=True)
    return Understood(Intent.MENU, sure=True) if len(words) == 1 and len(body) <= 12 else NOTHING


def _near_command(name: str) -> Intent | None:
    near = {
        intent
        for known, intent in COMMANDS.items()
        if len(known) >= 5 and OSA.distance(name, known, score_cutoff=1) <= 1
    }
    return near.pop() if len(near) == 1 else None


@cache
def _known() -> Mapping[str, Intent]:
    return {plain(one): Intent(name) for name, phrases in vocabulary.PHRASES.items() for one in phrases}


def _exact(words: str) -> Understood | None:
    intent = _known().get(words)
    if intent is not None:
        return Understood(intent, sure=words in _menu())
    tongue = TONGUES.get(words)
    return Understood(Intent.LANGUAGE, tongue, sure=words in _menu()) if tongue else None


_N = r"([a-z]? ?\d{1,4})"
_WITH_NUMBER = (
    (Intent.CANCEL, re.compile(rf"(?:huy|cancel|bo) (?:(?:so|lich|phieu|number|lich hen|so thu tu) )?{_N}")),
    (Intent.NUMBER, re.compile(rf"(?:xem )?(?:so|number) {_N}(?: den (?:dau|luot)(?: roi| chua)?)?")),
    (Intent.HERE, re.compile(rf"(?:toi )?(?:so )?{_N} (?:da den|den roi|toi roi|co mat|da toi)")),
)


def _numbered(words: str) -> Understood | None:
    for intent, pattern in _WITH_NUMBER:
        found = pattern.fullmatch(words)
        if found:
            return Understood(intent, found[1].replace(" ", "").upper())
    return None


def _blunt(folded: str) -> str:
    """ "xin chào ạ" is a greeting, and no "ạ" after something polite: a phrase without its last particles."""
    words = folded.split()
    while len(words) > 1 and words[-1] in _PARTICLES and " ".join(words) not in _known():
        words.pop()
    return " ".join(words)


_PARTICLES = frozenset(("a", "nhe", "nha", "voi", "ad", "admin"))


def _core(folded: str) -> str:
    """The words without what politeness put around them."""
    before, after = _around()
    changed = True
    while changed:
        changed = False
        for edge in before:
            if folded.startswith(f"{edge} "):
                folded, changed = folded[len(edge) + 1 :], True
        for edge in after:
            if folded.endswith(f" {edge}") and folded not in _known():
                folded, changed = folded[: -len(edge) - 1], True
    return folded


@cache
def _around() -> tuple[tuple[str, ...], tuple[str, ...]]:
    def longest_first(edges: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted({plain(edge) for edge in edges}, key=len, reverse=True))

    return longest_first(vocabulary.BEFORE), longest_first(vocabulary.AFTER)


def _untyped(words: str) -> str:
    """The words without what a keyboard left in them: Telex ("soos cuar tooi") or VNI ("so61 cua3 to6i")."""
    return " ".join(_untelex(re.sub(r"(?<=[a-z])[1-9]+", "", word)) for word in words.split())


def _untelex(word: str) -> str:
    doubled = re.sub(r"([aeod])\1", r"\1", word)
    marked = re.sub(r"(?<=[aou])w", "", doubled)
    tone = re.fullmatch(r"([a-z]*[aeiouy][a-z]*)[sfrxj]", marked)
    return tone[1] if tone else marked


@cache
def _phrases() -> tuple[tuple[tuple[str, ...], str, Intent], ...]:
    return tuple(
        (tuple(_soft(word) for word in phrase.split()), _soft(phrase.replace(" ", "")), intent)
        for phrase, intent in _known().items()
    )


def _soft(word: str) -> str:
    """Letters that are often taken for each other become one."""
    return re.sub(r"(.)\1+", r"\1", word.replace("y", "i"))


def _nearly(words: str) -> Understood | None:
    """The one intent of which a phrase is meant with slips of the finger; None if there are two or none."""
    soft = tuple(_soft(word) for word in words.split())
    joined = _soft(words.replace(" ", ""))
    near = {intent for parts, whole, intent in _phrases() if _slipped(soft, joined, parts, whole)}
    return Understood(near.pop()) if len(near) == 1 else None


def _slipped(soft: tuple[str, ...], joined: str, parts: tuple[str, ...], whole: str) -> bool:
    """One slip in a word of three letters or more, two in all; or the blanks are missing, and all else is right."""
    if joined == whole:
        return True
    if len(soft) != len(parts) or abs(len(joined) - len(whole)) > 2 or len(whole) < 5:
        return False
    allowed = 1 if len(whole) < 8 else 2
    for mine, theirs in zip(soft, parts, strict=True):
        if mine == theirs:
            continue
        if min(len(mine), len(theirs)) < 3 or OSA.distance(mine, theirs, score_cutoff=1) > 1:
            return False
        allowed -= 1
    return allowed >= 0


@cache
def _courtesies() -> frozenset[str]:
    return frozenset(plain(one) for one in vocabulary.COURTESIES)


@cache
def _menu() -> frozenset[str]:
    return frozenset(plain(one) for one in vocabulary.MENU)
