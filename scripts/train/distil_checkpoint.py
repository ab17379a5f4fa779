"""Distils an LCM-LoRA for a bundle with AniPortrait's networks, such as `models import` makes of a checkpoint.

    python3 distil_checkpoint.py --bundle FOLDER --samples FOLDER --out lora.safetensors [--set guidance=[3.5,3.5] ...]

SAMPLES holds one safetensors file for each clip: `latents` [F, C, h, w], scaled as the denoiser sees them;
`reference_latents` [1, C, h, w] of the portrait; `pose.0`, `pose.1`, … [F, c, h, w], the pose guider's features; and where
the networks attend to an image encoder, `image_embeds` [1, tokens, width]. Settings are those of config/lcm.json.

Goes on from OUT.state, which is written every few minutes, until --steps or --minutes are over.
"""
import argparse
import json
import pathlib
import time

import numpy as np
import torch

import diffusion
import safetensors_file
from distillation import Distillation, Student
from networks import UNet
from run import atomic_save, code_hash, mixed_precision
from train import read_settings

SAVE_SECONDS = 180
LOG_STEPS = 10


def load_unet(bundle, part, description, reference, device):
    """A network of the bundle; what only other uses of it need is left out."""
    unet = UNet(description["denoisingUnet"], reference=reference)
    tensors, _ = safetensors_file.read(bundle / description["files"][part]["path"])
    missing, unexpected = unet.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    # Banks end before a reference UNet's last layers; position tables are made by formula.
    missing = [key for key in missing if not key.endswith(".pe")]
    unused = [key for key in unexpected if not (reference and key.startswith("conv_"))]
    if unused or (missing and not reference):
        raise SystemExit(f"{bundle}: {part} does not fit its description: {(unused or missing)[:3]}")
    return unet.to(device).requires_grad_(False)


class Samples:
    """Clips on disk; one is read at a time."""

    def __init__(self, folder):
        self.paths = sorted(pathlib.Path(folder).glob("*.safetensors"))
        if not self.paths:
            raise SystemExit(f"{folder} holds no .safetensors files")

    def draw(self, rng, frames):
        """(tensors, the chosen stretch of `frames` frames)."""
        path = self.paths[rng.integers(len(self.paths))]
        tensors, _ = safetensors_file.read(path)
        count = len(tensors["latents"])
        if count < frames:
            raise SystemExit(f"{path} has {count} frames, a window needs {frames}")
        start = rng.integers(count - frames + 1)
        return {k: v.float() for k, v in tensors.items()}, slice(start, start + frames)


def save_lora(path, student, metadata):
    safetensors_file.write(path, student.average.export(), metadata)


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--samples", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--frames", type=int, help="of a window; the bundle's own without it")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=JSON")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 without a GPU, too; to check, it is slow there")
    arguments = parser.parse_args(argv)
    settings = read_settings("lcm", arguments.set)
    if settings["train"] != "lora":
        raise SystemExit("distil_checkpoint.py trains LoRAs")
    device = torch.device(arguments.device)
    torch.manual_seed(settings["seed"])
    bundle = pathlib.Path(arguments.bundle)
    description = json.loads((bundle / "bundle.json").read_text())
    unet = load_unet(bundle, "denoisingUnet", description, False, device)
    reference = load_unet(bundle, "referenceUnet", description, True, device)
    schedule = diffusion.Schedule(description["schedule"], device)
    student = Student(unet, settings, device)
    distillation = Distillation(unet, student, settings, schedule, description["schedule"]["predictionType"])
    optimiser = torch.optim.AdamW(student.parameters(), lr=settings["learningRate"], betas=(0.9, 0.99), weight_decay=0)
    out = pathlib.Path(arguments.out)
    state_path, step = out.with_suffix(".state"), 0
    if state_path.exists():
        state = torch.load(state_path, map_location=device)
        student.module.load_state_dict(state["student"])
        student.average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]

    samples = Samples(arguments.samples)
    frames = arguments.frames or description["contextFrames"]
    shared = description["noise"]["sharedFraction"]
    autocast = mixed_precision(device, arguments.bf16)

    def save():
        atomic_save(
            {"step": step, "student": student.module.state_dict(), "average": student.average.state_dict(),
             "optimiser": optimiser.state_dict()},
            state_path,
        )
        facts = {key: json.dumps(settings[key]) for key in ("method", "solver", "phases", "guidance", "loss", "rank", "seed")}
        save_lora(out, student, {"format": "pt", "base": description["name"], "steps": str(step), "clips": str(len(samples.paths)),
                                 "code": code_hash(), **facts})

    begun = saved = time.monotonic()
    while step < arguments.steps and time.monotonic() - begun < arguments.minutes * 60:
        rng = np.random.default_rng([settings["seed"], 5, step])
        tensors, stretch = samples.draw(rng, frames)
        part = lambda name: tensors[name][stretch].to(device)  # noqa: E731
        pose = [part(f"pose.{i}") for i in range(sum(key.startswith("pose.") for key in tensors))]
        image = None
        if description["denoisingUnet"]["crossAttentionDim"]:
            seen = tensors["image_embeds"].to(device).repeat_interleave(frames, 0)
            image = (seen, torch.zeros_like(seen))
        with autocast():
            with torch.no_grad():
                portrait = tensors["reference_latents"].to(device)
                tokens = tensors["image_embeds"].to(device) if image else None
                banks = reference(portrait, torch.zeros(1, device=device), image=tokens)
                banks = [bank.repeat_interleave(frames, 0) for bank in banks]
            loss = distillation.loss(part("latents"), pose, banks, frames, rng, 1, shared, None, image)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimiser.step()
        distillation.after_step(step)
        step += 1
        if step % LOG_STEPS == 0 or step == arguments.steps:
            print(f"step {step} loss {loss.item():.6f} {time.monotonic() - begun:.0f} s", flush=True)
        if time.monotonic() - saved > SAVE_SECONDS:
            save()
            saved = time.monotonic()
    save()


if __name__ == "__main__":
    main()
