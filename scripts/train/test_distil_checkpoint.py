"""Distils a LoRA for AniPortrait's networks, all of their parts at a tenth of their widths."""
import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import torch

import distil_checkpoint
import safetensors_file
from test_networks import CONFIG, GOLDEN, formula_weights, stream

SIZE, FRAMES = 16, 3


def make_bundle(folder):
    files = {}
    for part, name in (("denoisingUnet", "denoising_unet"), ("referenceUnet", "reference_unet")):
        weights = formula_weights(json.loads((GOLDEN / f"{name}.json").read_text()))
        safetensors_file.write(folder / f"{name}.safetensors", weights, {})
        files[part] = {"path": f"{name}.safetensors"}
    description = {
        "name": "small", "contextFrames": FRAMES, "noise": {"sharedFraction": 0}, "denoisingUnet": CONFIG, "files": files,
        "schedule": {"betaSchedule": "linear", "betaStart": 0.00085, "betaEnd": 0.012, "zeroTerminalSnr": True,
                     "predictionType": "v_prediction"},
    }
    (folder / "bundle.json").write_text(json.dumps(description))


def make_samples(folder):
    folder.mkdir()
    for clip in range(2):
        shapes = {"latents": [FRAMES + 1, 4, SIZE, SIZE], "reference_latents": [1, 4, SIZE, SIZE], "image_embeds": [1, 1, 32]}
        for level, width in enumerate((32, 32, 64, 128, 128)):
            side = SIZE >> min(level, 3)
            shapes[f"pose.{level}"] = [FRAMES + 1, width, side, side]
        tensors = {name: stream(f"{clip}:{name}", shape) for name, shape in shapes.items()}
        safetensors_file.write(folder / f"{clip}.safetensors", tensors, {})


class DistilCheckpoint(unittest.TestCase):
    def test_a_lora_is_trained_resumed_and_written_with_its_facts(self):
        with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(io.StringIO()):
            folder = pathlib.Path(name)
            make_bundle(folder)
            make_samples(folder / "samples")
            out = folder / "lora.safetensors"
            call = ["--bundle", name, "--samples", str(folder / "samples"), "--out", str(out), "--device", "cpu"]
            more = ["--set", "rank=4", "phases=4", 'solver="dpm_solver++"']
            distil_checkpoint.main([*call, "--steps", "1", *more])
            distil_checkpoint.main([*call, "--steps", "2", *more])
            tensors, metadata = safetensors_file.read(out)
            self.assertEqual(metadata["steps"], "2")
            self.assertEqual((metadata["base"], metadata["phases"], metadata["rank"]), ("small", "4", "4"))
            down = [key for key in tensors if key.endswith(".lora_down.weight")]
            # 278 modules of Stable Diffusion's UNet and 252 of the motion modules, as in the full network.
            self.assertEqual(len(down), 530)
            moved = [key for key in tensors if key.endswith(".lora_up.weight") and bool(tensors[key].abs().max() > 0)]
            # To one image token attention is all, whatever it asks for; and with as many groups as channels, normalisation
            # takes away what time embeddings add: there only rounding gives a gradient, or nothing.
            without = ("attn2_to_q", "attn2_to_k", "time_emb_proj")
            still = [key for key in tensors if key.endswith(".lora_up.weight") and key not in moved]
            self.assertEqual([key for key in still if not any(part in key for part in without)], [])
            self.assertTrue(all(bool(torch.isfinite(t).all()) for t in tensors.values()))


if __name__ == "__main__":
    unittest.main()
