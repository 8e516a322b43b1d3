"""What staff may attach to an answer, and the errors of giving it to Zalo."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath

from gateway.rules import names

LARGEST_PICTURE, LARGEST_FILE = 1024 * 1024, 5 * 1024 * 1024  # what Zalo takes
NAME_LENGTH = 120
_KINDS = {
    b"\xff\xd8\xff": ("image", "jpg"),
    b"\x89PNG\r\n\x1a\n": ("image", "png"),
    b"%PDF-": ("file", "pdf"),
}


class NotTaken(Exception):
    """Zalo did not take a file; nothing was sent. `reason` is "vi / en"."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Document:
    """A picture or file that Zalo would take."""

    name: str
    kind: str
    octets: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.octets).hexdigest()


def document(name: str, octets: bytes) -> Document:
    """A picture (jpg, png, at most 1 MB) or a pdf (at most 5 MB), judged by what is in it; raises NotTaken."""
    found = next((kind for magic, kind in _KINDS.items() if octets.startswith(magic)), None)
    if found is None:
        raise NotTaken(
            "Chỉ gửi được ảnh JPG, PNG hoặc tệp PDF. / Only JPG and PNG pictures and PDF files can be sent."
        )
    kind, suffix = found
    if len(octets) > (LARGEST_PICTURE if kind == "image" else LARGEST_FILE):
        raise NotTaken(
            "Tệp quá lớn: ảnh tối đa 1 MB, PDF tối đa 5 MB. / "
            "The file is too large: a picture has at most 1 MB, a PDF at most 5 MB."
        )
    plain = names.plain(PurePosixPath(name.replace("\\", "/")).name, NAME_LENGTH)
    return Document(plain or f"tep.{suffix}", kind, octets)
