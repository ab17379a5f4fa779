"""Checks networks.py against AniPortrait's own networks: python3 -m unittest discover scripts/train"""
import json
import pathlib
import unittest

import numpy as np
import torch

import safetensors_file
from lora import Lora
from networks import UNet, positional_table

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden" / "networks"
TOLERANCE = 5e-5  # float32 against float32 with another order of summation
CONFIG = {
    "inChannels": 4, "outChannels": 4, "blockOutChannels": [32, 64, 128, 128], "layersPerBlock": 2,
    "attentionLevels": [True, True, True, False], "midBlockAttention": True, "numHeads": [8, 8, 8, 8],
    "crossAttentionDim": 32, "normNumGroups": 32,
    "motion": {"levels": [True, True, True, True], "midBlock": True, "numHeads": 8, "numAttentionBlocks": 2,
               "positionalTableLength": 32},
}


def stream(name, shape, offset=0.0, scale=1.0):
    """The goldens' pseudo-random numbers: a counter through a 32-bit mixer, seeded by the name."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 & 0xFFFFFFFF
    count = int(np.prod(shape))
    words = (seed + np.arange(1, count + 1, dtype=np.uint64) * 0x9E3779B9).astype(np.uint32)
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        words = ((words ^ (words >> np.uint32(shift))).astype(np.uint64) * factor).astype(np.uint32)
    words ^= words >> np.uint32(15)
    values = offset + scale * ((words >> np.uint32(8)) / 8388608 - 1)
    return torch.from_numpy(values.astype(np.float32)).view(shape)


def formula_weights(file):
    """The goldens' weights, made by formula from their names."""
    weights = {}
    for key, shape in file["keys"]:
        name, last = f"{file['namespace']}:{key}", key.rsplit(".", 1)[-1]
        if last == "pe":
            weights[key] = positional_table(shape[1], shape[2])
        elif len(shape) == 1:
            weights[key] = stream(name, shape, 1.0 if last == "weight" else 0.0, 0.1)
        else:
            weights[key] = stream(name, shape, 0.0, float(np.sqrt(3 / np.prod(shape[1:]))))
    return weights


def build(name, reference):
    file = json.loads((GOLDEN / f"{name}.json").read_text())
    unet = UNet(CONFIG, reference=reference)
    missing, unexpected = unet.load_state_dict(formula_weights(file), strict=False)
    return file, unet.eval(), missing, unexpected


class AniPortraitNetworks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.set_grad_enabled(False)
        cls.file, cls.unet, cls.missing, cls.unexpected = build("denoising_unet", False)
        cls.outputs, _ = safetensors_file.read(GOLDEN / "denoising_unet.safetensors")

    @classmethod
    def tearDownClass(cls):
        torch.set_grad_enabled(True)

    def test_keys_are_those_of_the_checkpoint(self):
        self.assertEqual((self.missing, self.unexpected), ([], []))

    def run_case(self, name):
        case = next(c for c in self.file["cases"] if c["name"] == name)
        read = lambda i: stream(i["stream"], i["shape"], i.get("offset", 0), i.get("scale", 1))  # noqa: E731
        inputs = {k: read(v) for k, v in case["inputs"].items() if isinstance(v, dict)}
        frames = inputs["latents"].shape[2]
        flat = lambda x: x.transpose(1, 2).flatten(0, 1)  # noqa: E731
        image = inputs["encoder_hidden_states"]
        banks = None
        if "reference_latents" in inputs:
            _, reference, _, unexpected = build("reference_unet", True)
            # The reference UNet's output layers are trained with it and used by nobody.
            self.assertTrue(all(key.startswith("conv_") for key in unexpected), unexpected)
            banks = reference(inputs["reference_latents"], torch.zeros(1), image=image)
            banks = [bank.repeat_interleave(frames, 0) for bank in banks]
        pose = [flat(inputs[key]) for key in sorted(inputs) if key.startswith("pose.")] or None
        timesteps = torch.full((frames,), case["inputs"]["timestep"])
        output = self.unet(flat(inputs["latents"]), timesteps, pose, banks, frames, image=image.repeat_interleave(frames, 0))
        expected = flat(self.outputs[f"{name}.sample"])
        error = (output - expected).abs() / (1 + expected.abs())
        self.assertLess(float(error.max()), TOLERANCE, name)

    def test_frames_alone(self):
        self.run_case("plain_f5")

    def test_with_pose_features(self):
        self.run_case("pose_f5")

    def test_with_reference_and_pose(self):
        self.run_case("ref_pose_f8")

    def test_odd_sizes(self):
        self.run_case("odd_f5")


class LoraFileTest(unittest.TestCase):
    def test_a_lora_that_was_written_merges_as_before_when_it_is_read(self):
        torch.manual_seed(0)
        network = torch.nn.ModuleDict({"to_q": torch.nn.Linear(6, 5), "conv1": torch.nn.Conv2d(3, 4, 3)})
        weights = dict(network.state_dict())
        written, read = Lora(network, 2, 4), Lora(network, 2, 2)
        with torch.no_grad():
            for up in written.up:
                up.normal_()
        read.restore(written.export())
        expected, actual = written.merged(weights), read.merged(weights)
        for name in ("to_q.weight", "conv1.weight"):
            self.assertGreater((expected[name] - weights[name]).abs().max(), 0.1)
            # Half precision on the way.
            torch.testing.assert_close(actual[name], expected[name], rtol=0, atol=0.01)


if __name__ == "__main__":
    unittest.main()
