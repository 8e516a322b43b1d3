"""What a printer can do, from the name of its profile and the width of its paper.

Facts about models come from the profile list that python-escpos carries; what that list does not know
(confirmation, status, size of its letters) is added here, from the makers' manuals.
"""
from __future__ import annotations

import difflib
import functools
import importlib.resources
import json
from dataclasses import dataclass

# Models whose manual has GS ( H function 48 (Epson's page on that command), among the profiles known.
TELLS_PRINTED = {"TM-T88IV", "TM-T88IV-SA", "TM-T88V", "TM-T20II", "TM-T20II-42col", "TM-L90"}
# Models younger than the profile list, which take the same commands as an older sister.
SISTERS = {"TM-T20III": "TM-T20II", "TM-T82II": "TM-T20II", "TM-T82III": "TM-T20II",
           "TM-T88VI": "TM-T88V", "TM-T88VII": "TM-T88V"}
CONFIRMATIONS = ("gsH", "gsr", "status", "none")
LEAST_WIDTH, MOST_WIDTH = 256, 832  # dots: 32 mm of print at 203 dpi, 104 mm at 203 dpi


class DeviceError(ValueError):
    """No such profile, or an impossible width; says so in both languages."""


@dataclass(frozen=True)
class Capabilities:
    """What the encoder and the job machine may count on.

    encoding   "strips": trimmed pieces placed with ESC a and ESC J; "image": the whole ticket as pictures
    motion     dots per inch to set with GS P so that ESC J counts dots; 0: the printer counts dots already
    confirm    how it says "printed": "gsH" GS ( H, "gsr" GS r, "status" DLE EOT, "none" it never answers
    asb        it reports changes by itself (GS a)
    """
    profile: str
    width: int
    dpi: int
    encoding: str
    native_qr: bool
    native_digits: bool
    cutter: bool
    motion: int
    confirm: str
    asb: bool


# The safe default for a printer nobody has described: pictures only, and status by DLE EOT.
GENERIC = Capabilities("generic", 576, 203, "image", False, False, True, 0, "status", False)
# The same for a printer with no way back (a one-way USB cable, a spool file): it is never asked anything.
WRITE_ONLY = Capabilities("write-only", 576, 203, "image", False, False, True, 0, "none", False)
OURS = {"generic": GENERIC, "write-only": WRITE_ONLY}


def capabilities(profile: str = "generic", width: int | None = None) -> Capabilities:
    """The capabilities of a profile; `width` in dots overrides the profile's.  Raises DeviceError."""
    if width is not None and not _possible(width):
        raise DeviceError(f"Khổ in {width} điểm không hợp lệ (bội số của 8, {LEAST_WIDTH}–{MOST_WIDTH}) / "
                          f"Width {width} dots is impossible (a multiple of 8, {LEAST_WIDTH}–{MOST_WIDTH})")
    known = OURS.get(profile)
    if known is None:
        known = _from_profile(profile)
    if width is None or width == known.width:
        return known
    return Capabilities(**{**vars(known), "width": width})


def _possible(width: object) -> bool:
    return isinstance(width, int) and LEAST_WIDTH <= width <= MOST_WIDTH and width % 8 == 0


def profiles() -> tuple[str, ...]:
    """Every name that `capabilities` knows, sorted."""
    usable = [name for name, facts in _listed().items() if _usable(facts)]
    return tuple(sorted({*OURS, *SISTERS, *usable}))


def _from_profile(profile: str) -> Capabilities:
    name = SISTERS.get(profile, profile)
    facts = _listed().get(name)
    if facts is None or not _usable(facts):
        near = difflib.get_close_matches(profile, profiles(), 1)
        vi = f"; có phải “{near[0]}”?" if near else "; nếu không rõ, dùng “generic”"
        en = f"; did you mean “{near[0]}”?" if near else "; when in doubt use “generic”"
        raise DeviceError(f"Không có kiểu máy in “{profile}”{vi} / "
                          f"There is no printer profile “{profile}”{en}")
    features, media = facts["features"], facts["media"]
    epson = facts["vendor"] == "Epson"
    dpi = _number(media.get("dpi"), 203)
    width = _number(media["width"].get("pixels"), 576)
    return Capabilities(
        profile=profile, width=width // 8 * 8, dpi=dpi, encoding="strips",
        native_qr=bool(features.get("qrCode")),
        # Eight times its largest letters is 20 mm and more only where a dot is 1/180 inch.
        native_digits=epson and dpi == 180,
        cutter=bool(features.get("paperPartCut") or features.get("paperFullCut")),
        motion=dpi if epson else 0,
        confirm="gsH" if name in TELLS_PRINTED else "gsr" if epson else "status",
        asb=epson,
    )


def _usable(facts: dict) -> bool:
    # "default" claims everything though it knows nothing, and Star's own language is another one.
    features = facts["features"]
    raster = features.get("bitImageRaster") and not features.get("starCommands")
    return bool(raster) and facts["name"] != "Default"


def _number(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


@functools.cache
def _listed() -> dict[str, dict]:
    # Read as data: importing the library's own loader costs 0.3 s and leaves a directory behind each time.
    source = importlib.resources.files("escpos") / "capabilities.json"
    return json.loads(source.read_text(encoding="utf-8"))["profiles"]
