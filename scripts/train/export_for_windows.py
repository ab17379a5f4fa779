"""Writes what prepare.ts needs of the talking clips, in formats that need no reader.

    python3 export_for_windows.py --data DATA --motion WORK/motion-data.npz --out OUT

`OUT/landmarks/<clip>.f32`: [frames, 468, 3] float32, pixels of the clip. `OUT/expression.json`: the expression basis
[components, 468, 3] and the blink [468, 3] in cm, and the training clips' coefficients with their lengths.
"""
import argparse
import json
import pathlib

import numpy as np


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--motion", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    (out / "landmarks").mkdir(parents=True, exist_ok=True)
    for path in sorted((pathlib.Path(arguments.data) / "talking").glob("*.npz")):
        steps = np.load(path)["landmarks_delta"].astype(np.int64)
        pixels = (steps.cumsum(0) / 64).astype("<f4")
        pixels[:, :468].tofile(out / "landmarks" / f"{path.stem}.f32")
    motion = np.load(arguments.motion)
    train = np.asarray([str(split) == "train" for split in motion["splits"]])
    coefficients = motion["coefficients"][np.repeat(train, motion["lengths"])]
    expression = {k: [round(float(x), 5) for x in motion[k].ravel()] for k in ("basis", "blink")}
    expression["coefficients"] = [round(float(x), 5) for x in coefficients.ravel()]
    expression["lengths"] = [int(x) for x in motion["lengths"][train]]
    (out / "expression.json").write_text(json.dumps(expression))


if __name__ == "__main__":
    main()
