"""Operations as ESC/POS bytes: one bytes object a ticket, ending in the question "is it printed?".

Two encoders: `strips` sends trimmed pieces (a usual ticket is under 16 KB) and uses the printer's own
digits and QR where it has them; `image` sends the whole ticket as plain pictures for unknown printers.
Vietnamese text always travels as dots: no code page is right on every printer.
"""
from __future__ import annotations

import struct

from escpos import constants

from printers import device, layout, raster
from printers.ticket import Ticket

LATIN = b"\x1c."  # FS . leaves the two-byte mode Chinese clones start in
CENTRE = constants.TXT_STYLE["align"]["center"]
LEFT = constants.TXT_STYLE["align"]["left"]
ASB_ON = constants.GS + b"a\xff"
LINE_END = b"\n"
CUT = constants.GS + b"V\x42"  # + n: feed to the cutter and n dots more, then cut
CUT_MARGIN = 24
TEAR_MARGIN = 160  # dots of feed where there is no cutter: past the tear bar
MOST_PICTURE = 6144  # bytes of one picture command: what cheap printers can buffer, and below FLUSH
MOST_FEED = 255
# More NULs than any one picture command of ours can still be waiting for; then a fresh start.
# A printer cut off in the middle of a picture swallows exactly these instead of the next ticket.
FLUSH = bytes(8192) + constants.HW_INIT
CELL = 12  # dots, the width of font A
MOST_TIMES = 8


class EncodeError(ValueError):
    """The bytes would be dangerous or cannot be made; nothing may be sent."""


def ticket(document: Ticket, capabilities: device.Capabilities, job: str = "") -> bytes:
    """The bytes of a ticket for this printer; `job` is the four letters it answers with (see `trailer`)."""
    return encode(layout.arrange(document, capabilities.width), capabilities, job)


def encode(operations: tuple[layout.Operation, ...], capabilities: device.Capabilities,
           job: str = "") -> bytes:
    """The bytes of any list of operations, start and trailer included."""
    encoder = _image if capabilities.encoding == "image" else _strips
    whole = start(capabilities) + encoder(operations, capabilities) + trailer(capabilities, job)
    for code in raster.REAL_TIME:
        if bytes((0x10, code)) in whole:
            raise EncodeError("Lệnh tức thời nằm trong dữ liệu in / A real-time command inside print data")
    return whole


def start(capabilities: device.Capabilities) -> bytes:
    """Out of two-byte mode, all settings fresh, ESC J counting dots, changes reported."""
    motion = constants.GS + b"P" + bytes((capabilities.motion,) * 2) if capabilities.motion else b""
    return LATIN + constants.HW_INIT + motion + (ASB_ON if capabilities.asb else b"")


def trailer(capabilities: device.Capabilities, job: str) -> bytes:
    """The question answered once everything before it is on paper.

    GS ( H function 48 answers 37 22 and the four letters of `job`; GS r waits its turn in the buffer;
    other printers are asked for their status later.
    """
    if capabilities.confirm == "gsH" and job:
        letters = job.encode("ascii")
        if len(letters) != 4 or not all(0x20 <= letter <= 0x7E for letter in letters):
            raise EncodeError("Mã việc in phải có 4 ký tự ASCII / A job id has four ASCII letters")
        return constants.GS + b"(H\x06\x00\x30\x30" + letters
    return constants.GS + b"r\x01" if capabilities.confirm == "gsr" else b""


def job_letters(number: int) -> str:
    """A job's number as the four letters that GS ( H takes, in base 94; repeats after 78 million jobs."""
    letters = ""
    for _ in range(4):
        number, digit = divmod(number, 94)
        letters = chr(0x21 + digit) + letters
    return letters


def _strips(operations: tuple[layout.Operation, ...], capabilities: device.Capabilities) -> bytes:
    parts, white = [CENTRE], 0
    for operation in operations:
        native = _native(operation, capabilities)
        if native is not None:
            parts += [_feed(white), native]
            white = 0
            continue
        piece = raster.piece(operation)
        white += piece.before
        if piece.strip:
            parts += [_feed(white), raster_command(piece.strip)]
            white = 0
        white += piece.after
    return b"".join(parts)


def _native(operation: layout.Operation, capabilities: device.Capabilities) -> bytes | None:
    match operation:
        case layout.Cut():
            return _cut(capabilities)
        case layout.Qr() if capabilities.native_qr:
            return qr_command(operation)
        case layout.Number() if capabilities.native_digits:
            return _digits(operation, capabilities)
    return None


def _image(operations: tuple[layout.Operation, ...], capabilities: device.Capabilities) -> bytes:
    picture = raster.picture(operations, capabilities.width)
    bands = [raster_command(strip) for strip in raster.bands(picture, MOST_PICTURE * 8 // capabilities.width)]
    cuts = layout.Cut() in operations
    return LEFT + b"".join(bands) + (_cut(capabilities) if cuts else b"")


def raster_command(strip: raster.Strip) -> bytes:
    """GS v 0; the data is exactly as long as its header says, or the rest would print as rubbish."""
    if len(strip.data) != strip.columns * strip.rows:
        raise EncodeError("Dải ảnh sai độ dài / A strip of the wrong length")
    mode = 3 if strip.scale == 2 else 0
    return b"".join(
        constants.GS + b"v0" + bytes((mode,)) + struct.pack("<HH", strip.columns, rows) + data
        for rows, data in _chunks(strip))


def _chunks(strip: raster.Strip) -> list[tuple[int, bytes]]:
    step = MOST_PICTURE // strip.columns * strip.columns
    chunks = [strip.data[at:at + step] for at in range(0, len(strip.data), step)]
    return [(len(chunk) // strip.columns, chunk) for chunk in chunks]


def qr_command(qr: layout.Qr) -> bytes:
    """GS ( k: model 2, module size, error correction M, store, print.  Follows the alignment."""
    data = qr.data.encode("ascii")
    if any(byte < 0x20 or byte > 0x7E for byte in data):
        raise EncodeError("Mã QR chứa ký tự lạ / The QR code holds odd bytes")
    functions = [b"1A2\x00", b"1C" + bytes((qr.module,)), b"1E1", b"1P0" + data, b"1Q0"]
    return b"".join(constants.GS + b"(k" + struct.pack("<H", len(body)) + body for body in functions)


def _digits(number: layout.Number, capabilities: device.Capabilities) -> bytes:
    times = min(MOST_TIMES, capabilities.width // (CELL * len(number.text)))
    size = constants.TXT_SIZE + bytes(((times - 1) << 4 | (MOST_TIMES - 1),))
    smooth = constants.TXT_STYLE["smooth"][True]
    bold = constants.TXT_STYLE["bold"]
    plain = constants.TXT_SIZE + b"\x00" + bold[False]
    return bold[True] + smooth + size + number.text.encode("ascii") + LINE_END + plain


def _feed(dots: int) -> bytes:
    whole, rest = divmod(dots, MOST_FEED)
    steps = [MOST_FEED] * whole + ([rest] if rest else [])
    return b"".join(constants.ESC + b"J" + bytes((step,)) for step in steps)


def _cut(capabilities: device.Capabilities) -> bytes:
    return CUT + bytes((CUT_MARGIN,)) if capabilities.cutter else _feed(TEAR_MARGIN)
