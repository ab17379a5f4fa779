"""PNG files without a library for them: sheets of samples, and curves of losses."""
import struct
import zlib

import numpy as np

# Digits and what numbers need, 3 wide and 5 high, rows from the top, as bits.
GLYPHS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71222",
    "8": "75757", "9": "75717", ".": "00002", "-": "00700", "e": "07746", "+": "02720",
}
COLOURS = [(31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189)]


def save_png(path, picture):
    """`picture`: [H, W, 3] uint8."""
    height, width = picture.shape[:2]
    rows = b"".join(b"\0" + np.ascontiguousarray(row).tobytes() for row in picture)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows, 6)) + chunk(b"IEND", b""))


def write_number(picture, text, x, y, size=2):
    """Writes a number with its upper left corner at x, y."""
    for character in text:
        for row, bits in enumerate(GLYPHS.get(character, "00000")):
            for column in range(3):
                if int(bits) >> (2 - column) & 1:
                    picture[y + row * size : y + (row + 1) * size, x + column * size : x + (column + 1) * size] = 60
        x += 4 * size


def save_curves(path, curves, width=720, height=360):
    """Curves in one frame, each a list of (step, value); a logarithmic vertical axis where all values are positive."""
    margin = 56
    picture = np.full((height, width, 3), 255, np.uint8)
    steps = np.array([s for curve in curves for s, _ in curve], float)
    values = np.array([v for curve in curves for _, v in curve], float)
    logarithmic = (values > 0).all()
    scale = np.log if logarithmic else (lambda x: x)
    low, high = scale(values.min()), scale(values.max())
    span, reach = max(high - low, 1e-9), max(steps.max() - steps.min(), 1)
    to_x = lambda s: margin + (s - steps.min()) / reach * (width - margin - 16)  # noqa: E731
    to_y = lambda v: height - 28 - (scale(v) - low) / span * (height - 44)  # noqa: E731
    for part in range(5):
        value = low + span * part / 4
        value = np.exp(value) if logarithmic else value
        y = int(to_y(value))
        picture[y, margin:] = 225
        write_number(picture, f"{value:.3g}", 2, y - 5)
        step = steps.min() + reach * part / 4
        text = f"{step:.0f}"
        write_number(picture, text, min(int(to_x(step)), width - 8 * len(text)), height - 16)
    for curve, colour in zip(curves, COLOURS * len(curves)):
        for (s0, v0), (s1, v1) in zip(curve, curve[1:]):
            count = int(max(abs(to_x(s1) - to_x(s0)), abs(to_y(v1) - to_y(v0)))) + 2
            xs = np.linspace(to_x(s0), to_x(s1), count).round().astype(int).clip(0, width - 2)
            ys = np.linspace(to_y(v0), to_y(v1), count).round().astype(int).clip(0, height - 2)
            for dx in (0, 1):
                for dy in (0, 1):
                    picture[ys + dy, xs + dx] = colour
    save_png(path, picture)
