"""What all training stages share: networks, configuration, data, checkpoints, log, time."""
import contextlib
import hashlib
import json
import math
import os
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

import codec as codecs
import diffusion
import safetensors_file
from lora import Lora
from networks import PoseGuider, Refiner, UNet
from pictures import save_curves
from windows import Windows, plain, vary_colours

HERE = pathlib.Path(__file__).parent
EMA = 0.999
# Side of what training sees of a window, in latent cells; a face fits.
TRAINING_CELLS = 24
WARM_UP_STEPS = 60
SAVE_SECONDS = 180
LOG_STEPS = 25


class Model:
    """All networks of a bundle, with a moving average of their weights."""

    def __init__(self, config, device):
        self.config, self.device = config, device
        self.unet = UNet(config["denoisingUnet"])
        self.reference = UNet(config["denoisingUnet"], reference=True)
        self.guider = PoseGuider(config["poseGuider"])
        self.refiner = Refiner(config["codec"]["refiner"])
        for network in self.networks().values():
            network.to(device).to(memory_format=torch.channels_last)
        self.average = {n: {k: v.clone() for k, v in m.state_dict().items()} for n, m in self.networks().items()}
        self.codec = None

    def networks(self):
        return {"unet": self.unet, "reference": self.reference, "guider": self.guider, "refiner": self.refiner}

    def parameters(self, names):
        return [p for n in names for p in self.networks()[n].parameters() if p.requires_grad]

    @torch.no_grad()
    def update_average(self, decay, names):
        for name in names:
            for key, value in self.networks()[name].state_dict().items():
                if value.is_floating_point():
                    self.average[name][key].lerp_(value, 1 - decay)

    def use_average(self):
        for name, network in self.networks().items():
            network.load_state_dict(self.average[name])

    def banks(self, reference, frames):
        latents = self.codec.encode(reference)
        banks = self.reference(latents, torch.zeros(len(latents), device=self.device))
        return [bank.repeat_interleave(frames, 0) for bank in banks]


def mixed_precision(device, wanted=False):
    """A context for evaluations: bfloat16 where there is a GPU, or where it is `wanted`, which processors are slow at."""
    if device.type == "cuda" or wanted:
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext


def atomic_save(value, path):
    torch.save(value, f"{path}.partial")
    os.replace(f"{path}.partial", path)


def code_hash():
    """Of everything in this folder that training depends on."""
    digest = hashlib.sha256()
    for path in sorted(p for pattern in ("*.py", "*.ts", "*.json", "config/*.json") for p in HERE.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Run:
    """One call of a stage: `settings` are its configuration file with what the command line changed."""

    def __init__(self, arguments, settings):
        self.arguments, self.settings = arguments, settings
        self.config = json.loads((HERE / "architecture.json").read_text())
        self.device = torch.device(arguments.device)
        self.out = pathlib.Path(arguments.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.seed = settings.get("seed", 0)
        self.model = Model(self.config, self.device)
        self.schedule = diffusion.Schedule(self.config["schedule"], self.device)
        self.deadline = time.monotonic() + arguments.minutes * 60
        self.autocast = mixed_precision(self.device, arguments.bf16)
        # What has been done to the weights so far, a line for each stage.
        self.history = []
        if arguments.init:
            self.init_from_bundle(pathlib.Path(arguments.init))
        if (self.out / "codec.pt").exists():
            self.model.codec = codecs.Codec(torch.load(self.out / "codec.pt"), self.device)

    def init_from_bundle(self, bundle):
        """Makes checkpoints of a bundle's codec, teacher and LCM-LoRA, to go on from; what is in `out` already stays."""
        codec, _ = safetensors_file.read(bundle / "codec.safetensors")
        codec = {k: v.float() for k, v in codec.items()}
        if not (self.out / "codec.pt").exists():
            bases = {k: v for k, v in codec.items() if not k.startswith("refiner.")}
            atomic_save(codecs.with_analysis(bases), self.out / "codec.pt")
        lora = bundle / "lcm_lora.safetensors"
        if lora.exists() and not any((self.out / f"{stage}.pt").exists() for stage in ("lcm", "lcm-trajectory")):
            self.init_student(lora)
        if (self.out / "bundle.pt").exists():
            return
        states = {"refiner": {k.removeprefix("refiner."): v for k, v in codec.items() if k.startswith("refiner.")}}
        history = []
        for name, file in {"unet": "denoising_unet", "reference": "reference_unet", "guider": "pose_guider"}.items():
            tensors, metadata = safetensors_file.read(bundle / f"{file}.safetensors")
            states[name] = {k: v.float() for k, v in tensors.items()}
            history = [metadata.get("stages") or f"{metadata.get('training_steps', '?')} steps"]
        for name, network in self.model.networks().items():
            # A bundle leaves out what no graph reads: the reference UNet after its last bank.
            missing, unexpected = network.load_state_dict(states[name], strict=False)
            if unexpected or (missing and name != "reference"):
                raise SystemExit(f"{bundle} does not fit architecture.json: {name}: {(unexpected or missing)[:3]}")
            self.model.average[name] = {k: v.clone() for k, v in network.state_dict().items()}
        networks = {n: m.state_dict() for n, m in self.model.networks().items()}
        state = {"step": 0, "networks": networks, "average": self.model.average, "optimiser": None, "history": history}
        atomic_save(state, self.out / "bundle.pt")

    def init_student(self, file):
        """Makes a checkpoint `lcm` of a LoRA's file."""
        tensors, metadata = safetensors_file.read(file)
        rank = next(len(v) for k, v in tensors.items() if k.endswith("lora_down.weight"))
        adapter = Lora(self.model.unet, rank, rank)
        adapter.restore(tensors)
        history = [metadata.get("stages") or "a LoRA without history"]
        names = ("train", "method", "solver", "phases", "guidance", "dataWeight", "rollout")
        facts = {name: metadata[name] for name in names if name in metadata}
        state = {"step": 0, "student_average": adapter.state_dict(), "rank": rank, "history": history, "facts": facts}
        atomic_save(state, self.out / "lcm.pt")

    def windows(self, split):
        return Windows(self.arguments.data, ["talking", "portraits"], split)

    def load(self, stage):
        path = self.out / f"{stage}.pt"
        return torch.load(path, map_location=self.device) if path.exists() else None

    def load_model(self, stages):
        """The first of these stages' weights that there are."""
        for stage in stages:
            state = self.load(stage)
            if state:
                self.restore(state)
                print(f"weights of stage {stage}, step {state['step']}", flush=True)
                return state
        raise SystemExit(f"no checkpoint of {', '.join(stages)} in {self.out}")

    def restore(self, state):
        for name, network in self.model.networks().items():
            network.load_state_dict(state["networks"][name])
            self.model.average[name] = state["average"][name]
        self.history = state.get("history", [])

    def save(self, stage, step, optimiser, extra):
        data = ", ".join(f"{kind} {layout['records']}" for kind, layout in self.windows("train").layouts())
        line = f"{stage}: {step} steps, seed {self.seed}, windows: {data}, code {code_hash()}"
        atomic_save(
            {
                "step": step,
                "networks": {n: m.state_dict() for n, m in self.model.networks().items()},
                "average": self.model.average,
                "optimiser": optimiser.state_dict(),
                "history": [*[h for h in self.history if not h.startswith(f"{stage}: ")], line],
                "settings": self.settings,
                **extra,
            },
            self.out / f"{stage}.pt",
        )
        self.draw_curve(stage)

    def draw_curve(self, stage):
        """The stage's losses, with their running mean, as a picture."""
        path = self.out / f"{stage}.log"
        if not path.exists():
            return
        lines = (line.split() for line in path.read_text().splitlines())
        # After an interruption some steps are there twice: the later ones count.
        points = sorted({int(fields[2]): float(fields[4]) for fields in lines if len(fields) > 4}.items())
        if len(points) < 2:
            return
        mean, smooth = points[0][1], []
        for step, value in points:
            mean += 0.2 * (value - mean)
            smooth.append((step, mean))
        save_curves(self.out / f"{stage}.png", [points, smooth])

    def loop(self, stage, start, optimiser, step_function, names, extra=lambda: {}):
        """Calls step_function(step) until time or steps run out; cosine decay over the planned time or steps."""
        total, learning_rate = self.arguments.steps, self.settings["learningRate"]
        log = open(self.out / f"{stage}.log", "a")
        begun = saved = time.monotonic()
        window = []
        step = start
        while step < total and time.monotonic() < self.deadline:
            used = (time.monotonic() - begun) / max(1.0, self.deadline - begun)
            progress = min(1, max(used, step / total))
            warm = min(1, (step + 1 - start) / WARM_UP_STEPS)
            rate = learning_rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))
            for group in optimiser.param_groups:
                group["lr"] = rate * group.get("scale", 1)
            optimiser.zero_grad(set_to_none=True)
            loss = step_function(step)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], 1.0)
            optimiser.step()
            step += 1
            self.model.update_average(min(EMA, (1 + step) / (10 + step)), names)
            window.append(loss.item())
            if step % LOG_STEPS == 0 or step == total:
                line = f"{stage} step {step} loss {np.mean(window):.5f} lr {rate:.2e} {time.monotonic() - begun:.0f} s"
                print(line, flush=True)
                print(line, file=log, flush=True)
                window = []
            if time.monotonic() - saved > SAVE_SECONDS:
                self.save(stage, step, optimiser, extra())
                saved = time.monotonic()
        self.save(stage, step, optimiser, extra())

    def noised(self, latents, rng, frames, high):
        """One timestep a window; `high` > 1 draws noisy ones more often."""
        windows = len(latents) // frames if frames else len(latents)
        t = torch.from_numpy(np.floor(999.999 * rng.random(windows) ** (1 / high)).astype(np.int64)).to(self.device)
        t = t.repeat_interleave(frames or 1)
        noise = diffusion.window_noise(latents, frames, self.config["noise"]["sharedFraction"])
        a, b = self.schedule.at(t, latents)
        return t, a * latents + b * noise, a * noise - b * latents

    def prepared(self, batch, rng, train=True):
        """A batch on the device: reference, conditions [n, 7, S, S], target latents, cell weights, base, targets."""
        reference, conditions, targets, weights = batch
        if train:
            conditions, targets, weights = around_faces(conditions, targets, weights, TRAINING_CELLS)
        colours = vary_colours if train else (lambda _, *pictures: plain(*pictures))
        reference, conditions, targets = colours(rng, reference, conditions, targets)
        move = lambda x: x.to(self.device, non_blocking=True)  # noqa: E731
        reference, conditions, targets = move(reference), move(conditions.flatten(0, 1)), move(targets.flatten(0, 1))
        base = conditions[:, 3:6]
        weights = move(weights.flatten(0, 1)).float()[:, None] / 16
        latents = self.model.codec.analyse(targets - base) * face_mask(weights)
        weights = torch.where(weights > 1, weights, 0.2)
        conditions = conditions.to(memory_format=torch.channels_last)
        return reference, conditions, latents, weights / weights.mean(), base, targets


def around_faces(conditions, targets, weights, cells):
    """Cuts each window to a square of `cells`² latent cells around its face; little happens outside."""
    patch = targets.shape[-1] // weights.shape[-1]
    cut = [], [], []
    for condition, target, weight in zip(conditions, targets, weights):
        inside = (weight > weight.min()).any(dim=0).nonzero().float()
        centre = (inside.amin(0) + inside.amax(0) + 1) / 2
        y, x = ((centre - cells / 2).round().long().clamp(0, weight.shape[-1] - cells)).tolist()
        rows, columns = slice(y * patch, (y + cells) * patch), slice(x * patch, (x + cells) * patch)
        cut[0].append(condition[..., rows, columns])
        cut[1].append(target[..., rows, columns])
        cut[2].append(weight[..., y : y + cells, x : x + cells])
    return tuple(torch.stack(part) for part in cut)


def face_mask(weights):
    """What moves behind the head cannot be known from the conditions: there the warped portrait stands."""
    return F.avg_pool2d(F.max_pool2d((weights > 1).float(), 3, 1, 1), 3, 1, 1, count_include_pad=False)
