"""Trains the tiny bundle's networks, a stage at a time. See README.md beside this file.

    python3 train.py codec|spatial|temporal|lcm|refiner|sheet --data build/train --out build/weights [--minutes 30]

Every stage goes on from its last checkpoint; checkpoints are written every few minutes and at the end.
"""
import argparse
import contextlib
import json
import math
import os
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch.func import functional_call

import codec as codecs
import diffusion
import safetensors_file
from lora import Lora
from networks import PoseGuider, Refiner, UNet
from windows import Loader, Windows, plain, vary_colours

HERE = pathlib.Path(__file__).parent
# Probability of a window without its reference, so that guidance has an unconditional half.
REFERENCE_DROPOUT = 0.1
GUIDANCE = 3.5
EMA = 0.999
# Robust, but not the absolute error: its median would leave out teeth that are not certain.
HUBER = 0.3
# Side of what training sees of a window, in latent cells; a face fits.
TRAINING_CELLS = 24
PREDICTION_HUBER = 0.3


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


def atomic_save(value, path):
    torch.save(value, f"{path}.partial")
    os.replace(f"{path}.partial", path)


class Run:
    """What all stages share: configuration, data, checkpoints, log, time."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.config = json.loads((HERE / "architecture.json").read_text())
        self.device = torch.device(arguments.device)
        self.out = pathlib.Path(arguments.out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.model = Model(self.config, self.device)
        self.schedule = diffusion.Schedule(self.config["schedule"], self.device)
        self.deadline = time.monotonic() + arguments.minutes * 60
        self.autocast = (
            (lambda: torch.autocast("cuda", torch.bfloat16)) if self.device.type == "cuda" else contextlib.nullcontext
        )
        if arguments.init:
            self.init_from_bundle(pathlib.Path(arguments.init))
        if (self.out / "codec.pt").exists():
            self.model.codec = codecs.Codec(torch.load(self.out / "codec.pt"), self.device)
        # Talking clips show one person: more weight than their share would make everybody that person.
        self.shares = [0.25, 0.75]

    def init_from_bundle(self, bundle):
        """Makes checkpoints of a bundle's codec and teacher, to go on from; what is in `out` already stays."""
        codec, _ = safetensors_file.read(bundle / "codec.safetensors")
        refiner = {k.removeprefix("refiner."): v.float() for k, v in codec.items() if k.startswith("refiner.")}
        if not (self.out / "codec.pt").exists():
            atomic_save(codecs.with_analysis({k: v.float() for k, v in codec.items() if not k.startswith("refiner.")}), self.out / "codec.pt")
        if (self.out / "spatial.pt").exists():
            return
        parts = {"unet": "denoising_unet", "reference": "reference_unet", "guider": "pose_guider"}
        states = {"refiner": refiner}
        for name, file in parts.items():
            states[name] = {k: v.float() for k, v in safetensors_file.read(bundle / f"{file}.safetensors")[0].items()}
        for name, network in self.model.networks().items():
            # A bundle leaves out what no graph reads: position tables, and the reference UNet after its last bank.
            missing, unexpected = network.load_state_dict(states[name], strict=False)
            if unexpected or (missing and name in ("guider", "refiner")):
                raise SystemExit(f"{bundle} does not fit architecture.json: {name}: {(unexpected or missing)[:3]}")
            self.model.average[name] = {k: v.clone() for k, v in network.state_dict().items()}
        atomic_save({"step": 0, "networks": {n: m.state_dict() for n, m in self.model.networks().items()}, "average": self.model.average, "optimiser": None}, self.out / "spatial.pt")

    def windows(self, split):
        return Windows(self.arguments.data, ["talking", "portraits"], split)

    def load(self, stage):
        path = self.out / f"{stage}.pt"
        return torch.load(path, map_location=self.device) if path.exists() else None

    def load_model(self, stages):
        """The newest of these stages' weights."""
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

    def save(self, stage, step, optimiser, extra=None):
        atomic_save(
            {
                "step": step,
                "networks": {n: m.state_dict() for n, m in self.model.networks().items()},
                "average": self.model.average,
                "optimiser": optimiser.state_dict(),
                **(extra or {}),
            },
            self.out / f"{stage}.pt",
        )

    def loop(self, stage, start, optimiser, step_function, learning_rate, names, total, extra=lambda: {}):
        """Calls step_function(step) until time or steps run out; cosine decay over the planned time or steps."""
        log = open(self.out / f"{stage}.log", "a")
        begun = saved = time.monotonic()
        window = []
        step = start
        while step < total and time.monotonic() < self.deadline:
            used = (time.monotonic() - begun) / max(1.0, self.deadline - begun)
            progress = max(used, step / total)
            rate = learning_rate * min(1, (step + 1 - start) / 60) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1, progress))))
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
            loss = step_function(step)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], 1.0)
            optimiser.step()
            step += 1
            self.model.update_average(min(EMA, (1 + step) / (10 + step)), names)
            window.append(loss.item())
            if step % 50 == 0:
                line = f"{stage} step {step} loss {np.mean(window):.5f} lr {rate:.2e} {time.monotonic() - begun:.0f} s"
                print(line, flush=True)
                print(line, file=log, flush=True)
                window = []
            if time.monotonic() - saved > 180:
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


def stage_codec(run):
    tensors = codecs.fit(run.windows("train"), np.random.default_rng(0), run.shares, run.config["codec"]["patchSize"], run.config["codec"]["latentChannels"])
    atomic_save(tensors, run.out / "codec.pt")


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
    """What moves behind the head cannot be told from the conditions: there the warped portrait stands."""
    return F.avg_pool2d(F.max_pool2d((weights > 1).float(), 3, 1, 1), 3, 1, 1, count_include_pad=False)


def prepared(run, batch, rng, train=True):
    """A batch on the device: reference, conditions [n, 7, S, S], target latents, cell weights, base, targets."""
    reference, conditions, targets, weights = batch
    if train:
        conditions, targets, weights = around_faces(conditions, targets, weights, TRAINING_CELLS)
        batch = reference, conditions, targets, weights
    reference, conditions, targets = (vary_colours(rng, *batch[:3]) if train else plain(*batch[:3]))
    move = lambda x: x.to(run.device, non_blocking=True)  # noqa: E731
    reference, conditions, targets = move(reference), move(conditions.flatten(0, 1)), move(targets.flatten(0, 1))
    base = conditions[:, 3:6]
    weights = move(weights.flatten(0, 1)).float()[:, None] / 16
    latents = run.model.codec.analyse(targets - base) * face_mask(weights)
    weights = torch.where(weights > 1, weights, 0.2)
    return reference, conditions.to(memory_format=torch.channels_last), latents, weights / weights.mean(), base, targets


def stage_diffusion(run, stage, windows_per_batch, frames, consecutive, learning_rate, total):
    model = run.model
    state = run.load(stage)
    if state:
        run.restore(state)
    elif stage == "temporal":
        run.load_model(["spatial"])
        model.use_average()
    names = ["unet", "reference", "guider"]
    optimiser = torch.optim.AdamW(model.parameters(names), lr=learning_rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
    if state and state["optimiser"]:
        optimiser.load_state_dict(state["optimiser"])
    start = state["step"] if state else 0
    data = run.windows("train")

    def draw(rng):
        return rng, data.batch(rng, windows_per_batch, frames, run.shares, consecutive)

    loader = Loader(draw, 1 if consecutive else 0, start)

    def step_function(step):
        rng, batch = loader.next()
        reference, conditions, latents, weights, _, _ = prepared(run, batch, rng)
        with run.autocast():
            t, noisy, target = run.noised(latents, rng, frames if consecutive else None, 3.0)
            keep = torch.from_numpy(rng.random(len(reference)) >= REFERENCE_DROPOUT).to(run.device)
            pose = model.guider(conditions)
            banks = model.banks(reference, frames)
            rows = keep.repeat_interleave(frames)
            prediction = torch.empty_like(target)
            for selected, use in ((rows, True), (~rows, False)):
                if not selected.any():
                    continue
                prediction[selected] = model.unet(
                    noisy[selected].contiguous(memory_format=torch.channels_last),
                    t[selected],
                    [p[selected] for p in pose],
                    [bank[selected] for bank in banks] if use else None,
                    frames if consecutive else None,
                ).to(prediction.dtype)
        # In units of the clean latents, and robust: a few cells hold most of the difference to the warped portrait.
        noise_level = run.schedule.at(t, prediction)[1].clamp(min=0.3)
        error = noise_level * (prediction - target)
        return (weights * ((error**2 + PREDICTION_HUBER**2).sqrt() - PREDICTION_HUBER)).mean()

    run.loop(stage, start, optimiser, step_function, learning_rate, names, total)


def stage_lcm(run, windows_per_batch, frames, learning_rate, total, rank=16):
    """Latent consistency distillation into a LoRA: the teacher's guided 25 steps in a few unguided ones."""
    model = run.model
    run.load_model(["temporal", "spatial"])
    model.use_average()
    for network in model.networks().values():
        network.requires_grad_(False)
    base = {k: v for k, v in model.unet.state_dict().items()}
    lora = Lora(model.unet, rank, rank).to(run.device)
    state = run.load("lcm")
    optimiser = torch.optim.AdamW(lora.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0, fused=True)
    average = Lora(model.unet, rank, rank).to(run.device)
    if state:
        lora.load_state_dict(state["lora"])
        average.load_state_dict(state["lora_average"])
        optimiser.load_state_dict(state["optimiser"])
    else:
        average.load_state_dict(lora.state_dict())
    start = state["step"] if state else 0
    data = run.windows("train")
    loader = Loader(lambda rng: (rng, data.batch(rng, windows_per_batch, frames, run.shares, True)), 2, start)
    shared = run.config["noise"]["sharedFraction"]
    sched = run.schedule

    def step_function(step):
        rng, batch = loader.next()
        reference, conditions, latents, weights, _, _ = prepared(run, batch, rng)
        with run.autocast():
            with torch.no_grad():
                pose = model.guider(conditions)
                banks = model.banks(reference, frames)
                j = torch.from_numpy(rng.integers(0, 50, windows_per_batch)).to(run.device).repeat_interleave(frames)
                t1 = 20 * (j + 1) - 1
                t0 = (t1 - 20).clamp(min=0)
                a1, b1 = sched.at(t1, latents)
                a0, b0 = sched.at(t0, latents)
                z1 = a1 * latents + b1 * diffusion.window_noise(latents, frames, shared)

                def teacher(use):
                    v = model.unet(z1, t1, pose, banks if use else None, frames)
                    return a1 * z1 - b1 * v, a1 * v + b1 * z1

                (xc, ec), (xu, eu) = teacher(True), teacher(False)
                w = GUIDANCE - 1
                x0, eps = xc + w * (xc - xu), ec + w * (ec - eu)
                z0 = a0 * x0 + b0 * eps

                def boundary(t):
                    s = 10.0 * t.float().view(-1, 1, 1, 1)
                    return 0.25 / (s**2 + 0.25), s / (s**2 + 0.25).sqrt()

                skip0, out0 = boundary(t0)
                v0 = functional_call(model.unet, lora.merged(base), (z0, t0, pose, banks, frames))
                target = torch.where((t1 == 19).view(-1, 1, 1, 1), z0, skip0 * z0 + out0 * (a0 * z0 - b0 * v0))
                skip1, out1 = boundary(t1)
            v1 = functional_call(model.unet, lora.merged(base), (z1, t1, pose, banks, frames))
            f1 = skip1 * z1 + out1 * (a1 * z1 - b1 * v1)
        with torch.no_grad():
            for key, value in lora.state_dict().items():
                average.state_dict()[key].lerp_(value, 0.01 if step > 100 else 0.2)
        return (weights * (((f1 - target) ** 2 + HUBER**2).sqrt() - HUBER)).mean()

    run.loop("lcm", start, optimiser, step_function, learning_rate, [], total,
             lambda: {"lora": lora.state_dict(), "lora_average": average.state_dict(), "rank": rank})


def stage_refiner(run, windows_per_batch, learning_rate, total):
    """Trains the decoder's last layers on differences that were through the codec, a little disturbed."""
    model = run.model
    state = run.load("refiner")
    if state:
        model.refiner.load_state_dict(state["networks"]["refiner"])
        model.average["refiner"] = state["average"]["refiner"]
    optimiser = torch.optim.AdamW(model.refiner.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0, fused=True)
    start = state["step"] if state else 0
    data = run.windows("train")
    loader = Loader(lambda rng: (rng, data.batch(rng, windows_per_batch, 2, run.shares, False)), 3, start)

    def step_function(step):
        rng, batch = loader.next()
        _, _, latents, weights, base, targets = prepared(run, batch, rng)
        scale = torch.from_numpy(rng.uniform(0, 0.5, (len(latents), 1, 1, 1))).float().to(run.device)
        # Predicted differences are smoother than true ones: damp some, disturb some.
        disturbed = latents * (1 - 0.5 * scale) + 0.5 * scale * torch.randn_like(latents)
        decoded = (base + model.codec.synthesise(disturbed)).clamp(-1, 1)
        with run.autocast():
            refined = model.refiner(decoded.contiguous(memory_format=torch.channels_last), base)
        pixel_weights = F.interpolate(weights, scale_factor=model.codec.patch, mode="nearest").sqrt()
        error = ((refined - targets).abs() * pixel_weights).mean()
        edges = sum(((refined - targets).diff(dim=d).abs()).mean() for d in (2, 3))
        return error + 0.5 * edges

    run.loop("refiner", start, optimiser, step_function, learning_rate, ["refiner"], total)


def psnr(x, y, mask=None):
    error = (x - y) ** 2
    mean = error.mean() if mask is None else (error * mask).sum() / (mask.sum() * 3)
    return float(10 * torch.log10(4 / mean))


@torch.no_grad()
def stage_sheet(run, split="val", count=10):
    """Held-out windows as a picture: portrait, warped, sampled with each sampler, truth; and their distances."""
    from PIL import Image

    model = run.model
    run.load_model(["temporal", "spatial"])
    model.use_average()
    refiner = run.load("refiner")
    if refiner:
        model.refiner.load_state_dict(refiner["average"]["refiner"])
    lcm = run.load("lcm")
    frames = run.config["contextFrames"]
    base = {k: v for k, v in model.unet.state_dict().items()}
    weights = {"teacher": base}
    if lcm:
        lora = Lora(model.unet, lcm["rank"], lcm["rank"]).to(run.device)
        lora.load_state_dict(lcm["lora_average"])
        weights["student"] = lora.merged(base)
    data = run.windows(split)
    shared = run.config["noise"]["sharedFraction"]
    rows, scores = [], {}
    for index in range(count):
        part = index % 2
        layout = data.parts[part][1]
        record = (index // 2) * max(1, layout["records"] // (count // 2 + 1)) % layout["records"]
        batch = tuple(torch.from_numpy(x)[None] for x in data.read(part, record, range(frames)))
        reference, conditions, latents, cells, base_picture, targets = prepared(run, batch, None, train=False)
        pose, banks = model.guider(conditions), model.banks(reference, frames)
        generator = torch.Generator().manual_seed(index)
        noises = [diffusion.window_noise(latents.cpu(), frames, shared, generator).to(run.device) for _ in range(8)]

        def predict(which, guidance):
            def call(x, t):
                ts = torch.full((frames,), t, device=run.device)
                conditional = functional_call(model.unet, weights[which], (x, ts, pose, banks, frames))
                if guidance == 1:
                    return conditional
                unconditional = functional_call(model.unet, weights[which], (x, ts, pose, None, frames))
                return unconditional + guidance * (conditional - unconditional)
            return call

        results = {"warp": None, "codec": latents}
        results["ddim25 g3.5"] = diffusion.sample_ddim(predict("teacher", 3.5), run.schedule, noises[0], 25)
        results["ddim25 g1"] = diffusion.sample_ddim(predict("teacher", 1), run.schedule, noises[0], 25)
        results["teacher lcm4"] = diffusion.sample_lcm(predict("teacher", 1), run.schedule, noises, 4)
        if lcm:
            for steps in (1, 2, 4):
                results[f"student lcm{steps}"] = diffusion.sample_lcm(predict("student", 1), run.schedule, noises, steps)
        inside = face_mask(batch[3].flatten(0, 1).float()[:, None].to(run.device) / 16)
        mask = F.interpolate((cells > cells.min() * 15).float(), scale_factor=model.codec.patch)
        pictures = {}
        for name, sampled in results.items():
            picture = base_picture if sampled is None else model.refiner((base_picture + model.codec.synthesise(sampled)).clamp(-1, 1), base_picture)
            shown = F.interpolate(inside, scale_factor=model.codec.patch, mode="bilinear")
            pictures[name] = (base_picture + shown * (picture - base_picture)).clamp(-1, 1)
        for name, picture in pictures.items():
            kind = ("talking", "portraits")[part]
            change = (picture[1:] - picture[:-1]) - (targets[1:] - targets[:-1])
            scores.setdefault((kind, name), []).append(
                (psnr(picture, targets), psnr(picture, targets, mask), psnr(picture, pictures["ddim25 g3.5"]), float(change.abs().mean() * 127.5))
            )
        shown = [0, frames // 2]
        for f in shown:
            cells_row = [reference[0]] + [pictures[n][f] for n in pictures if n in ("warp", "codec", "ddim25 g3.5", "student lcm4", "student lcm1", "ddim25 g1")] + [targets[f]]
            rows.append(torch.cat(cells_row, dim=2))
    print("kind / sampler: PSNR all, PSNR eyes and mouth, PSNR to original sampler, wrong change between frames (levels)")
    for (kind, name), values in sorted(scores.items()):
        print(f"{kind:10s} {name:14s} " + " ".join(f"{v:6.2f}" for v in np.mean(values, axis=0)), flush=True)
    sheet = (torch.cat(rows, dim=1).clamp(-1, 1) + 1) * 127.5
    Image.fromarray(sheet.permute(1, 2, 0).byte().cpu().numpy()).save(run.out / f"sheet-{split}.png")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("stage", choices=["codec", "spatial", "temporal", "lcm", "refiner", "sheet"])
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--init", help="folder of a bundle to go on from")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--count", type=int, default=10, help="windows of a sheet")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    run = Run(arguments)
    {
        "codec": lambda: stage_codec(run),
        "spatial": lambda: stage_diffusion(run, "spatial", 4, 4, False, 3e-4, arguments.steps),
        "temporal": lambda: stage_diffusion(run, "temporal", 2, 12, True, 2e-4, arguments.steps),
        "lcm": lambda: stage_lcm(run, 2, 8, 1e-4, arguments.steps),
        "refiner": lambda: stage_refiner(run, 4, 1e-3, arguments.steps),
        "sheet": lambda: stage_sheet(run, count=arguments.count),
    }[arguments.stage]()


if __name__ == "__main__":
    main()
