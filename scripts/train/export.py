"""Writes a bundle: safetensors of the trained networks (half precision) and bundle.json with sizes and hashes.

    python3 export.py --weights build/weights --motion motion.json --out assets/bundles/tiny
"""
import argparse
import hashlib
import json
import pathlib

import torch

import safetensors_file
from lora import Lora
from networks import UNet
from run import code_hash

HERE = pathlib.Path(__file__).parent
DESCRIPTION = "Small networks for 256×256 talking portraits on a CPU; trained on synthetic portraits and GRID clips."
DATA = "SFHQ-T2I, Faker portraits, GRID speaker s1 (train splits)"
LICENCE = "Apache-2.0; attribution in NOTICE"
FAST = {
    "sampler": "lcm", "steps": 4, "guidance": 1, "loras": [{"part": "lcmLora", "scale": 1}], "windows": "moving",
    "precision": "int8",
}


def used_by_reference(name, levels):
    """The reference UNet stops at its last bank: what comes after is never read."""
    last = max(i for i, used in enumerate(levels[::-1]) if used)
    if name.startswith("up_blocks."):
        block = int(name.split(".")[1])
        if block > last:
            return False
        if block == last and ".upsamplers." in name:
            return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", required=True)
    parser.add_argument("--motion", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--lora", help="stage whose LoRA is written, such as pcm; the last of the LCM-LoRA's without it")
    arguments = parser.parse_args()
    weights, out = pathlib.Path(arguments.weights), pathlib.Path(arguments.out)
    config = json.loads((HERE / "architecture.json").read_text())

    def newest(*stages):
        """The first of these stages' checkpoints that there is."""
        found = next((path for path in (weights / f"{stage}.pt" for stage in stages) if path.exists()), None)
        if found is None:
            raise SystemExit(f"no checkpoint of {', '.join(stages)} in {weights}")
        return torch.load(found, map_location="cpu")

    teacher = newest("temporal", "spatial", "bundle")
    lcm = newest(*([arguments.lora] if arguments.lora else ["lcm-trajectory", "lcm", "lcm-spatial"]))
    refined = newest("refiner", "bundle")
    codec = dict(torch.load(weights / "codec.pt"))
    codec.pop("analysis.weight")  # only training looks from pictures to the denoiser's latents
    codec |= {f"refiner.{k}": v for k, v in refined["average"]["refiner"].items()}
    average = teacher["average"]
    adapter = Lora(UNet(config["denoisingUnet"]), lcm["rank"], lcm["rank"])
    adapter.load_state_dict(lcm["student_average"])
    levels = config["denoisingUnet"]["attentionLevels"]
    parts = {
        "denoisingUnet": ("denoising_unet.safetensors", average["unet"], teacher),
        "referenceUnet": (
            "reference_unet.safetensors",
            {k: v for k, v in average["reference"].items() if used_by_reference(k, levels)},
            teacher,
        ),
        "poseGuider": ("pose_guider.safetensors", average["guider"], teacher),
        "codec": ("codec.safetensors", codec, refined),
        "lcmLora": ("lcm_lora.safetensors", adapter.export(), lcm),
    }
    for name, tensors, state in parts.values():
        half = {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}
        metadata = {"format": "pt", "stages": "; ".join(state.get("history", [])), "data": DATA, "code": code_hash()}
        metadata |= {key: str(value) for key, value in state.get("facts", {}).items()}
        if state is lcm:
            # A warning is given where the adapter is merged if the network predicts something else.
            metadata["prediction_type"] = config["schedule"]["predictionType"]
        safetensors_file.write(out / name, half, metadata)

    files = {}
    for part, name in [(p, n[0]) for p, n in parts.items()] + [("motion", "motion.safetensors")]:
        data = (out / name).read_bytes()
        files[part] = {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    bundle = {
        "formatVersion": 1,
        "name": "tiny",
        "description": DESCRIPTION,
        "licence": LICENCE,
        **config,
        "motion": json.loads(pathlib.Path(arguments.motion).read_text()),
        "presets": {
            "fast": FAST,
            "faster": {**FAST, "steps": 2, "denoiseEvery": 2},
            "original": {"sampler": "ddim", "steps": 25, "guidance": 3.5, "loras": []},
        },
        "files": files,
    }
    earlier = out / "bundle.json"
    if earlier.exists():
        # Presets and words may have been edited: only what was trained changes.
        kept = json.loads(earlier.read_text())
        bundle = kept | {**config, "motion": bundle["motion"], "files": kept["files"] | files}
    (out / "bundle.json").write_text(json.dumps(bundle, indent=2) + "\n")
    print({k: round(v["bytes"] / 1e6, 2) for k, v in files.items()}, "MB;", round(sum(v["bytes"] for v in files.values()) / 1e6, 1), "in all")


if __name__ == "__main__":
    main()
