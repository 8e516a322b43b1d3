"""Pictures and files that were given to Zalo, and the pictures people send."""

import io
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from gateway.sandbox import ledger

LARGEST_IMAGE = 1_048_576
LARGEST_FILE = 5 * 1_048_576
IMAGE_LIFE = 7 * 86_400

_IMAGES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}
_FILES = {b"%PDF-": "pdf", b"\xd0\xcf\x11\xe0": "doc", b"PK\x03\x04": "docx"}
_SAMPLE = "sample.png"


@dataclass(frozen=True)
class Upload:
    """`file`: its name in the folder; `name`: as whoever gave it calls it."""

    id: str
    kind: str
    name: str
    file: str
    at: float


class Uploads:
    """What was uploaded, by the id that Zalo gave it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "zalo-media"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ledger = ledger.Ledger(folder / "zalo-uploads.jsonl")
        self._all = {row["id"]: Upload(**row) for row in self._ledger.rows}

    def keep(self, kind: str, octets: bytes, name: str, now: float) -> Upload | None:
        """Keeps an "image" or a "file"; None when Zalo does not take this type."""
        suffix = _suffix(kind, octets)
        if suffix is None:
            return None
        id = uuid.uuid4().hex
        upload = Upload(id, kind, name[:200], f"{id}.{suffix}", now)
        (self.folder / upload.file).write_bytes(octets)
        self._all[id] = upload
        self._ledger.append(**asdict(upload))
        return upload

    def find(self, kind: str, id: str) -> Upload | None:
        upload = self._all.get(id)
        return upload if upload and upload.kind == kind else None

    def sample(self) -> str:
        """The name of the picture that a person of the sandbox sends: something like a card."""
        path = self.folder / _SAMPLE
        if not path.exists():
            path.write_bytes(_card())
        return _SAMPLE

    def close(self) -> None:
        self._ledger.close()


def _suffix(kind: str, octets: bytes) -> str | None:
    known = _IMAGES if kind == "image" else _FILES
    return next((suffix for magic, suffix in known.items() if octets.startswith(magic)), None)


def _card() -> bytes:
    picture = Image.new("RGB", (480, 300), "#e8efe9")
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((12, 12, 467, 287), 18, outline="#0b6b3a", width=4)
    draw.rectangle((36, 84, 156, 244), fill="#b9c8bf")
    draw.ellipse((68, 104, 124, 160), fill="#f4f7f5")
    draw.pieslice((48, 168, 144, 280), 180, 360, fill="#f4f7f5")
    for top, right in ((96, 430), (136, 390), (176, 430), (216, 340)):
        draw.rectangle((184, top, right, top + 16), fill="#7f9a8a")
    draw.rectangle((36, 40, 444, 60), fill="#a3171b")
    made = io.BytesIO()
    picture.save(made, "PNG")
    return made.getvalue()
