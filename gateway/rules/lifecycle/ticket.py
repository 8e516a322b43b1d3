"""What may be done with a ticket: one total table of states and verbs. Pure.

A booked ticket is a promise (booked); the person who reports, or who took paper in the hall, is present
(waiting); a counter calls and serves them (called, serving) and the ticket ends (done, no_show, cancelled).
A missed person may come back to waiting; `rules.order.may_return` says until when.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    BOOKED = "booked"  # has a number, is not here yet
    WAITING = "waiting"  # present, in the queue
    CALLED = "called"  # called to a counter
    SERVING = "serving"  # at the counter
    DONE = "done"  # served
    NO_SHOW = "no_show"  # called in vain, or never came
    CANCELLED = "cancelled"  # given up


class Verb(StrEnum):
    CHECK_IN = "check_in"  # báo có mặt
    CALL = "call"  # gọi số
    RECALL = "recall"  # gọi lại
    START = "start"  # bắt đầu làm thủ tục
    FINISH = "finish"  # xong
    NO_SHOW = "no_show"  # vắng mặt
    TRANSFER = "transfer"  # chuyển quầy
    CANCEL = "cancel"  # huỷ
    RETURN = "return"  # quay lại sau khi vắng mặt


NEVER = None
_CLOSED: Mapping[Verb, State | None] = dict.fromkeys(Verb, NEVER)

TABLE: Mapping[State, Mapping[Verb, State | None]] = {
    State.BOOKED: _CLOSED
    | {Verb.CHECK_IN: State.WAITING, Verb.CANCEL: State.CANCELLED, Verb.NO_SHOW: State.NO_SHOW},
    State.WAITING: _CLOSED | {Verb.CALL: State.CALLED, Verb.CANCEL: State.CANCELLED},
    State.CALLED: _CLOSED
    | {
        Verb.RECALL: State.CALLED,
        Verb.START: State.SERVING,
        Verb.FINISH: State.DONE,
        Verb.NO_SHOW: State.NO_SHOW,
        Verb.TRANSFER: State.WAITING,
        Verb.CANCEL: State.CANCELLED,
    },
    State.SERVING: _CLOSED
    | {Verb.RECALL: State.SERVING, Verb.FINISH: State.DONE, Verb.TRANSFER: State.WAITING},
    State.DONE: _CLOSED,
    State.NO_SHOW: _CLOSED | {Verb.RETURN: State.WAITING},
    State.CANCELLED: _CLOSED,
}


def after(state: State, verb: Verb) -> State | None:
    """The state after `verb`, or None where it must not be done."""
    return TABLE[state][verb]


def states_for(verb: Verb) -> tuple[State, ...]:
    """The states in which `verb` may be done."""
    return tuple(state for state in State if TABLE[state][verb] is not NEVER)
