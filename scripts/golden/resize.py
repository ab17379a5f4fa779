"""Writes test/golden/resize/resize.json: Pillow's resampling of a small picture, for test/image/resize.test.ts.

Run with Pillow and numpy: python3 scripts/golden/resize.py
"""
import json
from pathlib import Path

import numpy
import PIL
from PIL import Image

FILTERS = {"area": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
WIDTH, HEIGHT = 13, 11
# Pillow leaves out pixels beyond the edge; ours repeats the edge, so give Pillow a picture with its edges repeated.
PAD = 24
CASES = [
    {"width": 26, "height": 33, "box": None},
    {"width": 5, "height": 4, "box": None},
    {"width": 8, "height": 8, "box": [2.25, 1.5, 9.75, 9.0]},
    {"width": 20, "height": 20, "box": [2.25, 1.5, 9.75, 9.0]},
    {"width": 8, "height": 8, "box": [-3.5, -2.25, 10.5, 11.75]},
]

# Far enough from black and white that sharp filters overshoot into neither: Pillow clamps between its passes.
pixels = numpy.random.default_rng(7).integers(80, 176, (HEIGHT, WIDTH, 3), dtype=numpy.uint8)
padded = Image.fromarray(numpy.pad(pixels, ((PAD, PAD), (PAD, PAD), (0, 0)), mode="edge"))
cases = []
for name, kind in FILTERS.items():
    for case in CASES:
        left, top, right, bottom = case["box"] or [0, 0, WIDTH, HEIGHT]
        box = (left + PAD, top + PAD, right + PAD, bottom + PAD)
        result = padded.resize((case["width"], case["height"]), kind, box=box)
        cases.append({"filter": name, **case, "data": numpy.asarray(result).ravel().tolist()})
golden = {
    "source": f"Pillow {PIL.__version__}, Image.resize of the picture with repeated edges; scripts/golden/resize.py",
    "width": WIDTH,
    "height": HEIGHT,
    "data": pixels.ravel().tolist(),
    "cases": cases,
}
folder = Path(__file__).parents[2] / "test/golden/resize"
folder.mkdir(parents=True, exist_ok=True)
(folder / "resize.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
