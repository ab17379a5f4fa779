"""Held-out windows as a picture, and how far each sampler is from the truth and from the original sampler."""
import numpy as np
import torch
import torch.nn.functional as F
from torch.func import functional_call

import diffusion
from lora import Lora
from pictures import save_png
from run import face_mask

# Noises for a few-step sampler: the start, and one after each step.
NOISES = 9
SHOWN = ("warp", "codec", "ddim25 g3.5", "teacher lcm4", "student lcm4", "student lcm1")


def psnr(x, y, mask=None):
    error = (x - y) ** 2
    mean = error.mean() if mask is None else (error * mask).sum() / (mask.sum() * 3)
    return float(10 * torch.log10(4 / mean))


def samplers(settings, has_student):
    """Name to (weights, sampler, steps, guidance)."""
    table = {"ddim25 g3.5": ("teacher", "ddim", 25, 3.5), "ddim25 g1": ("teacher", "ddim", 25, 1)} if settings["original"] else {}
    for steps in settings["steps"]:
        for guidance in settings["guidance"]:
            table[f"teacher ddim{steps} g{guidance:g}"] = ("teacher", "ddim", steps, guidance)
            name = f"teacher lcm{steps}" + ("" if guidance == 1 else f" g{guidance:g}")
            table[name] = ("teacher", "lcm", steps, guidance)
        if has_student:
            table[f"student lcm{steps}"] = ("student", "lcm", steps, 1)
    return table


@torch.no_grad()
def draw_sheet(run):
    """settings: from, student (stages, the first that there is), split, count, steps, guidance, original (whether its 25
    steps are drawn too, which takes most of the time)."""
    model, settings = run.model, run.settings
    run.load_model(settings["from"])
    model.use_average()
    refiner = run.load("refiner")
    if refiner:
        model.refiner.load_state_dict(refiner["average"]["refiner"])
    frames = run.config["contextFrames"]
    base = {k: v for k, v in model.unet.state_dict().items()}
    weights = {"teacher": base}
    trained = next((s for s in map(run.load, settings["student"]) if s and s["facts"]["train"] == "lora"), None)
    if trained:
        lora = Lora(model.unet, trained["rank"], trained["rank"]).to(run.device)
        lora.load_state_dict(trained["student_average"])
        weights["student"] = lora.merged(base)
    data = run.windows(settings["split"])
    shared = run.config["noise"]["sharedFraction"]
    count = settings["count"]
    rows, scores = [], {}
    for index in range(count):
        part = index % 2
        kind, layout = data.layouts()[part]
        record = (index // 2) * max(1, layout["records"] // (count // 2 + 1)) % layout["records"]
        batch = tuple(torch.from_numpy(x)[None] for x in data.read(part, record, range(frames)))
        reference, conditions, latents, cells, base_picture, targets = run.prepared(batch, None, train=False)
        pose, banks = model.guider(conditions), model.banks(reference, frames)
        generator = torch.Generator().manual_seed(index)
        noises = [diffusion.window_noise(latents.cpu(), frames, shared, generator).to(run.device) for _ in range(NOISES)]

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
        for name, (which, sampler, steps, guidance) in samplers(settings, trained is not None).items():
            if sampler == "ddim":
                results[name] = diffusion.sample_ddim(predict(which, guidance), run.schedule, noises[0], steps)
            else:
                results[name] = diffusion.sample_lcm(predict(which, guidance), run.schedule, noises, steps)
        patch = model.codec.patch
        inside = face_mask(batch[3].flatten(0, 1).float()[:, None].to(run.device) / 16)
        shown = F.interpolate(inside, scale_factor=patch, mode="bilinear")
        mask = F.interpolate((cells > cells.min() * 15).float(), scale_factor=patch)
        pictures = {}
        for name, sampled in results.items():
            picture = base_picture
            if sampled is not None:
                picture = model.refiner((base_picture + model.codec.synthesise(sampled)).clamp(-1, 1), base_picture)
            pictures[name] = (base_picture + shown * (picture - base_picture)).clamp(-1, 1)
        original = pictures.get("ddim25 g3.5")
        for name, picture in pictures.items():
            change = (picture[1:] - picture[:-1]) - (targets[1:] - targets[:-1])
            scores.setdefault((kind, name), []).append(
                (
                    psnr(picture, targets),
                    psnr(picture, targets, mask),
                    # A sampler is at no distance from itself.
                    np.nan if original is None or picture is original else psnr(picture, original),
                    np.nan if original is None or picture is original else psnr(picture, original, mask),
                    float(change.abs().mean() * 127.5),
                )
            )
        for f in (0, frames // 2):
            rows.append(torch.cat([reference[0], *(pictures[n][f] for n in SHOWN if n in pictures), targets[f]], dim=2))
    text = ["kind, sampler: PSNR to the truth, the same in eyes and mouth, PSNR to the original sampler, the same in eyes and mouth, "
            "wrong change between frames (levels)"]
    for (kind, name), values in sorted(scores.items()):
        text.append(f"{kind:10s} {name:20s} " + " ".join(f"{v:6.2f}" for v in np.mean(values, axis=0)))
    print("\n".join(text), flush=True)
    (run.out / f"sheet-{settings['split']}.txt").write_text("\n".join(text) + "\n")
    sheet = (torch.cat(rows, dim=1).clamp(-1, 1) + 1) * 127.5
    save_png(run.out / f"sheet-{settings['split']}.png", sheet.permute(1, 2, 0).byte().cpu().numpy())
