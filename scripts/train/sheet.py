"""Held-out windows as a picture, and how far each sampler is from the truth and from the original sampler."""
import numpy as np
import torch
import torch.nn.functional as F
from torch.func import functional_call

import diffusion
from lora import Lora
from pictures import save_png
from run import around_faces, face_mask

# Noises for a few-step sampler: the start, and one after each step.
NOISES = 9
ORIGINAL = "ddim25 g3.5"
# Pictures of each window, and those of the students with these numbers of steps.
SHOWN, SHOWN_STEPS = ("warp", "codec", ORIGINAL, "teacher lcm4"), (4, 1)
# SSIM: Wang et al. 2004, Gaussian window, values in a range of 2.
WINDOW, SIGMA, RANGE = 11, 1.5, 2.0
LEVELS = 127.5
COLUMNS = (
    "PSNR and SSIM to the truth in the face, PSNR in eyes and mouth; PSNR and SSIM to the original sampler in the face, "
    "PSNR in eyes and mouth; jitter (levels: a frame against its neighbours' mean), the same over the original's"
)


def psnr(x, y, mask):
    """Decibels over [n, 3, H, W] in [−1, 1], where `mask` [n, 1, H, W] counts."""
    error = ((x - y) ** 2 * mask).sum() / (mask.sum() * 3)
    return float(10 * torch.log10(RANGE**2 / error.clamp(min=1e-12)))


def ssim(x, y, mask):
    """Structural similarity of the luminance, which begins at 0 here; mean over `mask`."""
    x, y = (p.mul(torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1).to(p)).sum(1, keepdim=True) + 1 for p in (x, y))
    line = torch.exp(-((torch.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2)).to(x)
    line = line / line.sum()
    kernel = (line[:, None] * line[None])[None, None]
    blur = lambda p: F.conv2d(F.pad(p, [WINDOW // 2] * 4, mode="reflect"), kernel)  # noqa: E731
    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    value = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float((value * mask).sum() / mask.sum())


def jitter(x, mask):
    """What is not smooth motion, in levels of 255."""
    change = (x[1:-1] - (x[:-2] + x[2:]) / 2).abs() * mask[1:-1]
    return float(change.sum() / (mask[1:-1].sum() * 3) * LEVELS)


def samplers(settings, students):
    """Name to (weights, sampler, steps, guidance)."""
    table = {ORIGINAL: ("teacher", "ddim", 25, 3.5)} if settings["original"] else {}
    for steps in settings["steps"]:
        for guidance in settings["guidance"]:
            for sampler in ("ddim", "lcm"):
                name = f"teacher {sampler}{steps}" + ("" if guidance == 1 else f" g{guidance:g}")
                table[name] = ("teacher", sampler, steps, guidance)
    for stage in students:
        for steps in settings["studentSteps"]:
            for sampler in settings["studentSamplers"]:
                table[f"{stage} {sampler}{steps}"] = (stage, sampler, steps, 1)
    return table


@torch.no_grad()
def draw_sheet(run):
    """settings: from (stages, the first that there is), students (stages, all LoRAs that there are), split, count, steps and
    guidance of the teacher, studentSteps, studentSamplers, original (whether the original's 25 guided steps are drawn too, which takes most of the time).
    """
    model, settings = run.model, run.settings
    run.load_model(settings["from"])
    model.use_average()
    refiner = run.load("refiner")
    if refiner:
        model.refiner.load_state_dict(refiner["average"]["refiner"])
    frames = run.config["contextFrames"]
    base = {k: v for k, v in model.unet.state_dict().items()}
    weights = {"teacher": base}
    students = []
    for stage in settings["students"]:
        trained = run.load(stage)
        if trained and trained["facts"]["train"] == "lora":
            lora = Lora(model.unet, trained["rank"], trained["rank"]).to(run.device)
            lora.load_state_dict(trained["student_average"])
            weights[stage] = lora.merged(base)
            students.append(stage)
    names = samplers(settings, students)
    shown = [*SHOWN, *(f"{stage} lcm{steps}" for stage in students for steps in SHOWN_STEPS)]
    data = run.windows(settings["split"])
    shared = run.config["noise"]["sharedFraction"]
    count = settings["count"]
    rows, scores = [], {}
    for index in range(count):
        part = index % 2
        kind, layout = data.layouts()[part]
        record = (index // 2) * max(1, layout["records"] // (count // 2 + 1)) % layout["records"]
        batch = tuple(torch.from_numpy(x)[None] for x in data.read(part, record, range(frames)))
        batch = (batch[0], *around_faces(*batch[1:], settings["cells"]))
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
        for name, (which, sampler, steps, guidance) in names.items():
            if sampler == "ddim":
                results[name] = diffusion.sample_ddim(predict(which, guidance), run.schedule, noises[0], steps)
            else:
                results[name] = diffusion.sample_lcm(predict(which, guidance), run.schedule, noises, steps)
        patch = model.codec.patch
        levels = batch[3].flatten(0, 1).float()[:, None].to(run.device) / 16
        mask = F.interpolate(face_mask(levels), scale_factor=patch, mode="bilinear")
        enlarge = lambda cells: F.interpolate(cells.float(), scale_factor=patch)  # noqa: E731
        face, features = enlarge(levels > 1), enlarge(levels > 2)
        pictures = {"truth": targets}
        for name, sampled in results.items():
            picture = base_picture
            if sampled is not None:
                picture = model.refiner((base_picture + model.codec.synthesise(sampled)).clamp(-1, 1), base_picture)
            pictures[name] = (base_picture + mask * (picture - base_picture)).clamp(-1, 1)
        original = pictures.get(ORIGINAL)
        for name, picture in pictures.items():
            values = [np.nan] * 3 if name == "truth" else [psnr(picture, targets, face), ssim(picture, targets, face), psnr(picture, targets, features)]
            if original is None or picture is original:
                values += [np.nan] * 3
            else:
                values += [psnr(picture, original, face), ssim(picture, original, face), psnr(picture, original, features)]
            jitter_of_face = jitter(picture, face)
            values += [jitter_of_face, np.nan if original is None else jitter_of_face / jitter(original, face)]
            scores.setdefault((kind, name), []).append(values)
        for f in (0, frames // 2):
            rows.append(torch.cat([*(pictures[n][f] for n in shown if n in pictures), targets[f]], dim=2))
        print(f"window {index + 1} of {count}", flush=True)
    text = [f"{count} windows of {frames} frames, split {settings['split']}", COLUMNS]
    for (kind, name), values in sorted(scores.items()):
        text.append(f"{kind:10s} {name:20s} " + " ".join(f"{v:7.3f}" if i in (1, 4, 7) else f"{v:6.2f}" for i, v in enumerate(np.mean(values, axis=0))))
    print("\n".join(text), flush=True)
    (run.out / f"sheet-{settings['split']}.txt").write_text("\n".join(text) + "\n")
    sheet = (torch.cat(rows, dim=1).clamp(-1, 1) + 1) * LEVELS
    save_png(run.out / f"sheet-{settings['split']}.png", sheet.permute(1, 2, 0).byte().cpu().numpy())
