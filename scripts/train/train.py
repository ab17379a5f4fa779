"""Trains a bundle's networks, a stage at a time. See README.md next to this file.

    python3 train.py STAGE --data WORK --out WEIGHTS [--minutes 30] [--steps N] [--set key=value ...]

STAGE is a file of config/ without its ending. Every stage resumes from its last checkpoint; checkpoints are written every
few minutes and at the end, with the curve of losses as a picture.
"""
import argparse
import json
import pathlib

import numpy as np
import torch

import codec as codecs
from run import Run, atomic_save
from sheet import draw_sheet
from stage_consistency import train_consistency
from stage_refiner import train_refiner
from stage_teacher import train_teacher

CONFIG = pathlib.Path(__file__).parent / "config"


def fit_codec(run):
    """settings: shares."""
    codec = run.config["codec"]
    rng = np.random.default_rng(run.seed)
    tensors = codecs.fit(run.windows("train"), rng, run.settings["shares"], codec["patchSize"], codec["latentChannels"])
    atomic_save(tensors, run.out / "codec.pt")


KINDS = {
    "codec": fit_codec,
    "teacher": train_teacher,
    "consistency": train_consistency,
    "refiner": train_refiner,
    "sheet": draw_sheet,
}


def read_settings(stage, changes):
    settings = {**json.loads((CONFIG / f"{stage}.json").read_text()), "stage": stage}
    for change in changes:
        key, _, value = change.partition("=")
        if key not in settings:
            raise SystemExit(f"config/{stage}.json has no {key}; it has {', '.join(sorted(settings))}")
        settings[key] = json.loads(value)
    return settings


def main():
    stages = sorted(path.stem for path in CONFIG.glob("*.json"))
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=stages)
    parser.add_argument("--data", required=True, help="folder that prepare.ts wrote")
    parser.add_argument("--out", required=True, help="folder for checkpoints, logs and pictures")
    parser.add_argument("--init", help="folder of a bundle to go on from")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps of the stage in all")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=JSON", help="other values than the configuration's")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 without a GPU, too; to check, it is slow there")
    arguments = parser.parse_args()
    settings = read_settings(arguments.stage, arguments.set)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(settings.get("seed", 0))
    KINDS[settings["kind"]](Run(arguments, settings))


if __name__ == "__main__":
    main()
