"""A bundle's denoiser and LCM sampler in eager PyTorch, to be timed with this program's on equal inputs.

Arguments: folder with a job.json and the arrays that it names (raw float32), number of threads. Answers each line on
standard input: `run FORM` denoises one window and prints the seconds, leaving the latents in FORM.bin; `flops` prints
the operations of one evaluation as PyTorch counts them. Forms, all with PyTorch's own attention:

    plain          as networks.py has it: every frame projects the reference's tokens at every step
    channels_last  the same, with convolutions' tensors and weights in that layout
    projected      plain, but keys and values of the reference projected once, as this program does
    projected_cl   both
"""
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "train"))
import safetensors_file  # noqa: E402
from networks import Attention, UNet  # noqa: E402

SIGMA_DATA = 0.5
TIMESTEP_SCALING = 10
TRAIN_STEPS = 1000


class ReferenceAttention(Attention):
    """Self-attention that appends keys and values of the reference, [1, tokens, channels], projected before."""

    reference = None

    def forward(self, x, keys=None):
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        own = lambda y, added: split(torch.cat([y, added.expand(len(x), -1, -1)], dim=1))  # noqa: E731
        key, value = self.reference
        out = F.scaled_dot_product_attention(
            split(self.to_q(x)), own(self.to_k(x), key), own(self.to_v(x), value)
        )
        return self.to_out[0](out.transpose(1, 2).flatten(2))


def merge_lora(weights, path, scale):
    """Adds kohya's factors: W + scale · alpha / rank · up · down."""
    factors, _ = safetensors_file.read(path)
    for name in list(weights):
        key = "lora_unet_" + name.removesuffix(".weight").replace(".", "_")
        if f"{key}.lora_up.weight" not in factors:
            continue
        up, down = (factors[f"{key}.lora_{part}.weight"].float().flatten(1) for part in ("up", "down"))
        factor = scale * float(factors[f"{key}.alpha"]) / len(down)
        weights[name] = weights[name] + factor * (up @ down).view(weights[name].shape)


def signal_and_noise(schedule):
    """√ᾱ and √(1 − ᾱ) over training time, linear betas rescaled to zero terminal SNR (arXiv:2305.08891)."""
    betas = torch.linspace(schedule["betaStart"], schedule["betaEnd"], TRAIN_STEPS, dtype=torch.float64)
    signal = torch.cumprod(1 - betas, 0).sqrt()
    first, last = signal[0].item(), signal[-1].item()
    signal = (signal - last) * first / (first - last)
    return signal, (1 - signal**2).sqrt()


folder, threads = pathlib.Path(sys.argv[1]), int(sys.argv[2])
# Processor time counts all threads, and nothing while other programs have the cores.
clock = {"wall": time.perf_counter, "processor": time.process_time}[sys.argv[3]]
torch.set_num_threads(threads)
job = json.loads((folder / "job.json").read_text())
arrays = {
    name: torch.from_numpy(np.fromfile(folder / entry["file"], dtype=np.float32).reshape(entry["dims"]))
    for name, entry in job["arrays"].items()
}
schedule = job["schedule"]
assert schedule["betaSchedule"] == "linear" and schedule["zeroTerminalSnr"]
assert schedule["predictionType"] == "v_prediction"
SIGNAL, NOISE = signal_and_noise(schedule)


def images(frames):
    """[1, C, F, h, w], or what is [F, C, h, w] already, to the latter."""
    return frames if frames.dim() == 4 else frames[0].transpose(0, 1).contiguous()


def build():
    weights, _ = safetensors_file.read(job["weights"])
    weights = {name: value.float() for name, value in weights.items()}
    for lora in job["loras"]:
        merge_lora(weights, lora["path"], lora["scale"])
    unet = UNet(job["config"])
    unet.load_state_dict(weights)
    return unet.eval()


def attentions(unet):
    """Self-attentions of the spatial transformers, by the paths of their transformers."""
    return {path: unet.get_submodule(path).transformer_blocks[0] for path in job["sites"]}


class Form:
    def __init__(self, projected, channels_last):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        laid_out = lambda x: x.contiguous(memory_format=layout)  # noqa: E731
        self.unet = build().to(memory_format=layout)
        self.frames = arrays["latents"].shape[2]
        self.latents = laid_out(images(arrays["latents"]))
        self.noise = [laid_out(images(arrays[f"noise.{i}"])) for i in range(len(job["timesteps"]) - 1)]
        self.pose = [laid_out(images(arrays[f"pose.{i}"])) for i in range(len(job["config"]["blockOutChannels"]) + 1)]
        # What a program that keeps the reference's tokens does: a copy for every frame.
        self.banks = [arrays[f"bank:{path}"].expand(self.frames, -1, -1) for path in job["sites"]]
        if projected:
            for block, bank in zip(attentions(self.unet).values(), self.banks):
                block.attn1.reference = [block.attn1.to_k(bank[:1]), block.attn1.to_v(bank[:1])]
                block.attn1.__class__ = ReferenceAttention
            self.banks = None

    def evaluate(self, latents, timestep):
        timesteps = torch.full((self.frames,), float(timestep))
        return self.unet(latents, timesteps, self.pose, self.banks, self.frames)

    def denoise(self):
        latents = self.latents
        for i, timestep in enumerate(job["timesteps"]):
            output = self.evaluate(latents, timestep)
            alpha, sigma = SIGNAL[timestep].item(), NOISE[timestep].item()
            predicted = alpha * latents - sigma * output
            scaled = timestep * TIMESTEP_SCALING
            skip = SIGMA_DATA**2 / (scaled**2 + SIGMA_DATA**2)
            out = scaled / (scaled**2 + SIGMA_DATA**2) ** 0.5
            denoised = skip * latents + out * predicted
            if i + 1 == len(job["timesteps"]):
                return denoised
            following = job["timesteps"][i + 1]
            latents = SIGNAL[following].item() * denoised + NOISE[following].item() * self.noise[i]


with torch.inference_mode():
    forms = {
        "plain": Form(False, False),
        "channels_last": Form(False, True),
        "projected": Form(True, False),
        "projected_cl": Form(True, True),
    }
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "flops":
            # The fused attention of CPUs is not counted: as matrix products it is.
            with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
                forms["projected"].evaluate(forms["projected"].latents, job["timesteps"][0])
            print(counter.get_total_flops(), flush=True)
            continue
        form = forms[rest[0]]
        begin = clock()
        result = form.denoise()
        seconds = clock() - begin
        result.transpose(0, 1)[None].contiguous().numpy().tofile(folder / f"{rest[0]}.bin")
        print(seconds, flush=True)
