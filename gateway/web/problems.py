"""Answers that say what is wrong: application/problem+json (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic
from flask import Response, render_template, request
from werkzeug.exceptions import HTTPException

from gateway import registrations

TITLES = {
    400: "Yêu cầu không hợp lệ / Bad request",
    401: "Cần đăng nhập / Not signed in",
    403: "Không có quyền / Not allowed",
    404: "Không tìm thấy / Not found",
    405: "Không được phép / Method not allowed",
    409: "Trùng hoặc không còn phù hợp / Conflict",
    413: "Dữ liệu quá lớn / Too large",
    415: "Sai kiểu dữ liệu / Wrong content type",
    422: "Dữ liệu chưa đúng / The data is not right",
    429: "Quá nhiều yêu cầu / Too many requests",
    500: "Lỗi máy chủ / Server error",
    503: "Tạm thời không phục vụ được / Not available just now",
}


DETAILS = {
    404: "Không có trang hoặc mục này. / There is no such page or item.",
    405: "Không thể làm việc này ở địa chỉ này. / That cannot be done at this address.",
    413: "Dữ liệu gửi lên quá lớn; chưa có gì được lưu. / The data is too large; nothing was stored.",
    429: "Quá nhiều yêu cầu trong một lúc. Vui lòng đợi một phút. / Too many requests. Please wait a minute.",
}


class Problem(Exception):
    """Ends a request with a problem document; `errors` are {"pointer", "detail"} each."""

    def __init__(self, status: int, detail: str, errors: Iterable[Mapping[str, str]] = ()):
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, tuple(errors)


def response(status: int, detail: str, errors: Iterable[Mapping[str, str]] = ()) -> Response:
    """A problem document for a program, a page in the reader's language for a person."""
    if not wants_json():
        page = render_template(
            "error.html", title=TITLES.get(status, TITLES[500]), detail=detail, status=status
        )
        return Response(page, status=status)
    return document(status, detail, errors)


def document(status: int, detail: str, errors: Iterable[Mapping[str, str]] = ()) -> Response:
    """application/problem+json, whoever asks."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status, "Lỗi / Error"),
        "status": status,
        "detail": detail,
    }
    listed = [dict(error) for error in errors]
    if listed:
        body["errors"] = listed
    return Response(
        json.dumps(body, ensure_ascii=False), status=status, content_type="application/problem+json"
    )


def wants_json() -> bool:
    return (
        request.path.startswith(("/api/", "/webhooks/"))
        or request.accept_mimetypes.best == "application/json"
    )


def from_faults(faults: Iterable[registrations.Fault]) -> Problem:
    """A user's mistakes, each with its place in the request."""
    return Problem(
        422,
        "Một số thông tin chưa đúng; chưa có gì được lưu. / Some of the data is not right; nothing was stored.",
        [{"pointer": fault.pointer, "detail": f"{fault.vi} / {fault.en}"} for fault in faults],
    )


def from_validation(fault: pydantic.ValidationError) -> Problem:
    errors = [
        {"pointer": "/" + "/".join(str(part) for part in one["loc"]), "detail": one["msg"]}
        for one in fault.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Problem(
        422,
        "Dữ liệu chưa đúng; chưa có gì được lưu. / The data is not right; nothing was stored.",
        errors[:50],
    )


def on_problem(fault: Problem) -> Response:
    return response(fault.status, fault.detail, fault.errors)


def on_http(fault: HTTPException) -> Response | HTTPException:
    """404, 405, 413, 429 …; a redirect is no problem."""
    if fault.code is None or fault.code < 400:
        return fault
    answer = response(fault.code, DETAILS.get(fault.code, ""))
    kept = ("Allow", "Retry-After")
    for name, value in fault.get_headers():
        if name in kept:
            answer.headers[name] = value
    return answer
