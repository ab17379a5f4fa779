"""Writes test/golden/lora/half_conversion.json: float32 numbers and their patterns in half precision, by numpy.

    python3 scripts/golden/half_conversion.py

The numbers are those that the file holds. float16 is numpy's own rounding, from float32 and from double; bfloat16, which numpy
does not have, is the upper half of float32, rounded to the nearest and to the even one of two.
"""

import json
import pathlib
import sys

import numpy as np

FILE = pathlib.Path(__file__).parents[2] / "test/golden/lora/half_conversion.json"


def bfloat16(bits):
    if np.isnan(np.uint32(bits).view(np.float32)):
        return (bits >> 16) | 0x40
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) & 0xFFFF


def main():
    golden = json.loads(FILE.read_text())
    cases = []
    for case in golden["cases"]:
        x = np.uint32(case["f32_bits"]).view(np.float32)
        with np.errstate(over="ignore"):
            f16 = int(np.float16(x).view(np.uint16))
            # Before float32 rounds it: rounding twice may end elsewhere.
            f16_from_f64 = int(np.float64(case["x"]).astype(np.float16).view(np.uint16))
        made = dict(f16_from_f32=f16, f16_from_f64=f16_from_f64, bf16_from_f32=bfloat16(case["f32_bits"]))
        cases.append({**case, **made})
    differing = sum(a != b for a, b in zip(golden["cases"], cases))
    print(f"{len(cases)} numbers, {differing} of them changed", file=sys.stderr)
    about = golden["about"]
    FILE.write_text(json.dumps({"about": about, "source": f"scripts/golden/half_conversion.py, numpy {np.__version__}", "cases": cases}, separators=(",", ":")))


main()
