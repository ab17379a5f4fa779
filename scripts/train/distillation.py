"""One step of a few-step student's training, for any denoiser with AniPortrait's inputs; see consistency.py for the maths."""
import copy

import torch
from torch import nn
from torch.func import functional_call

import consistency
import diffusion
from lora import Lora

# The student's slow average: over a hundred steps, faster while there are few.
AVERAGE = 0.01
FIRST_AVERAGE, FIRST_STEPS = 0.2, 40
METHODS = ("distil", "finetune", "trajectory")


class Student:
    """What is trained: a LoRA over frozen weights, or a copy of the weights that may take the guidance as an input."""

    def __init__(self, unet, settings, device):
        self.unet, self.frozen = unet, dict(unet.state_dict())
        self.embedding = settings.get("guidanceEmbedding")
        if settings["train"] == "lora":
            if self.embedding:
                raise SystemExit("a LoRA has one guidance baked in: guidanceEmbedding needs train = weights")
            self.module = Lora(unet, settings["rank"], settings["rank"]).to(device)
        elif settings["train"] == "weights":
            self.module = copy.deepcopy(unet).requires_grad_(True)
            if self.embedding:
                width = self.module.time_embedding.linear_1.in_features
                projection = nn.Linear(self.embedding, width, bias=False, device=device)
                # From zero, so that the student begins as its teacher.
                nn.init.zeros_(projection.weight)
                self.module.time_embedding.cond_proj = projection
        else:
            raise SystemExit(f"train must be lora or weights, got {settings['train']}")
        self.average = copy.deepcopy(self.module)

    def parameters(self):
        return list(self.module.parameters())

    def predict(self, module, w, *arguments, **named):
        """The network's output; `w` [batch] reaches it only through a guidance embedding."""
        if isinstance(module, Lora):
            return functional_call(self.unet, module.merged(self.frozen), arguments, named)
        condition = consistency.guidance_embedding(w, self.embedding) if self.embedding else None
        return module(*arguments, **named, time_condition=condition)

    @torch.no_grad()
    def update_average(self, share):
        for kept, value in zip(self.average.state_dict().values(), self.module.state_dict().values()):
            if value.is_floating_point():
                kept.lerp_(value, share)


class Distillation:
    """settings: method (distil, finetune, trajectory), solver, gridSteps, phases, guidance [low, high], targetAverage, loss
    {name, c}, dataWeight, rollout (share of windows that begin at the student's own one-step result instead of the truth);
    trajectories (numbers of sampling steps, one of which is drawn) and steadiness (weight of the error's change from frame to
    frame), both of method trajectory alone; and the student's: train, rank, guidanceEmbedding.
    """

    def __init__(self, teacher, student, settings, schedule, prediction_type):
        self.teacher, self.student, self.settings = teacher, student, settings
        self.schedule, self.kind = schedule, prediction_type
        self.grid = consistency.Grid(settings["gridSteps"])
        self.solve = consistency.SOLVERS[settings["solver"]]
        name, c = settings["loss"]["name"], settings["loss"].get("c", 0)
        if name not in ("pseudo_huber", "l2"):
            raise SystemExit(f"loss must be pseudo_huber or l2, got {name}")
        if settings["method"] not in METHODS:
            raise SystemExit(f"method must be one of {', '.join(METHODS)}, got {settings['method']}")
        self.distance = consistency.squared if name == "l2" else lambda x, y, w: consistency.pseudo_huber(x, y, c, w)

    def split(self, output, z, t):
        return consistency.x0_and_eps(output, z, *self.schedule.at(t, z), self.kind)

    def end_point(self, output, z, t, edge):
        """What the student says of z at t: the clean latents, or in phases the trajectory at the phase's edge."""
        x0, eps = self.split(output, z, t)
        if self.settings["phases"] == 1:
            return consistency.consistency_function(z, x0, t)
        return consistency.jump(x0, eps, self.schedule, edge, z)

    def loss(self, latents, pose, banks, frames, rng, draws, shared_noise, weights=None, image=None):
        """latents: [batch·frames, C, h, w]; `frames` of a window, None for single ones. draws: how many timesteps and
        guidance scales are drawn for the batch. shared_noise: as diffusion.window_noise. image: [conditional,
        unconditional] tokens of the image encoder, where the denoiser has them.
        """
        settings, schedule, student = self.settings, self.schedule, self.student
        if settings["method"] == "trajectory":
            return self.trajectory_loss(latents, pose, banks, frames, rng, draws, shared_noise, weights, image)
        with torch.no_grad():
            each = lambda x: torch.from_numpy(x).to(latents.device).repeat_interleave(len(latents) // draws)  # noqa: E731
            j = each(rng.integers(0, self.grid.steps, draws))
            w = each(rng.uniform(*settings["guidance"], draws).astype("float32")) - 1
            t1, t0, edge = self.grid.start(j), self.grid.end(j), self.grid.phase_edge(j, settings["phases"])
            noise = diffusion.window_noise(latents, frames, shared_noise)
            seen, unseen = ({"image": tokens} for tokens in image) if image else ({}, {})
            clean = latents
            if settings["rollout"]:
                # Sampling resumes from what the student said before, not from true latents: neither does this.
                last = torch.full_like(t1, self.grid.steps * self.grid.k - 1)
                start = consistency.jump(latents, diffusion.window_noise(latents, frames, shared_noise), schedule, last, latents)
                said = self.split(student.predict(student.module, w, start, last, pose, banks, frames, **seen), start, last)[0]
                clean = torch.where(each(rng.random(draws) < settings["rollout"]).view(-1, 1, 1, 1), said, latents)
            z1 = consistency.jump(clean, noise, schedule, t1, latents)

            def guided(z, t):
                halves = ((banks, seen), (None, unseen))
                outputs = [self.split(self.teacher(z, t, pose, bank, frames, **more), z, t) for bank, more in halves]
                return consistency.guided(*outputs, consistency.spread(w, z))

            if settings["method"] == "distil":
                z0 = self.solve(guided, z1, t1, t0, schedule)
            else:
                z0 = consistency.jump(clean, noise, schedule, t0, latents)
            other = student.average if settings["targetAverage"] else student.module
            target = self.end_point(student.predict(other, w, z0, t0, pose, banks, frames, **seen), z0, t0, edge)
            target = torch.where(consistency.spread(t0 == 0, z0).bool(), z0, target)
        output = student.predict(student.module, w, z1, t1, pose, banks, frames, **seen)
        loss = self.distance(self.end_point(output, z1, t1, edge), target, weights)
        if settings["dataWeight"]:
            loss = loss + settings["dataWeight"] * self.distance(self.split(output, z1, t1)[0], latents, weights)
        return loss

    def trajectory_loss(self, latents, pose, banks, frames, rng, draws, shared_noise, weights, image):
        """The student samples as LCM does, up to a step that is drawn for each window; what it says there is compared with
        the truth. It thereby sees its own errors and the sampler's noise exactly as when it is used.
        """
        schedule, student = self.schedule, self.student
        w = torch.from_numpy(rng.uniform(*self.settings["guidance"], draws).astype("float32")).to(latents.device) - 1
        timesteps = diffusion.lcm_timesteps(int(rng.choice(self.settings["trajectories"])))
        last = torch.from_numpy(rng.integers(0, len(timesteps), draws)).to(latents.device)
        each = lambda x: x.repeat_interleave(len(latents) // draws)  # noqa: E731
        w, last = each(w), each(last)

        def said(rows, z, t):
            arguments = (w[rows], z[rows], t[rows], [p[rows] for p in pose], [bank[rows] for bank in banks], frames)
            named = {"image": image[0][rows]} if image else {}
            return self.split(student.predict(student.module, *arguments, **named), z[rows], t[rows])[0]

        z, t = torch.empty_like(latents), torch.empty_like(last)
        with torch.no_grad():
            rows, x0 = torch.ones_like(last, dtype=torch.bool), latents
            for index, timestep in enumerate(timesteps):
                t[rows] = timestep
                noise = diffusion.window_noise(x0, frames, shared_noise)
                z[rows] = consistency.jump(x0, noise, schedule, t[rows], x0)
                remaining = last > index
                if not remaining.any():
                    break
                x0, rows = said(remaining, z, t).to(latents.dtype), remaining
        x0 = said(torch.ones_like(rows), z, t)
        loss = self.distance(x0, latents, weights)
        if self.settings["steadiness"] and frames:
            changes = [consistency.frame_changes(x, frames) for x in (x0, latents)]
            later = None if weights is None else weights.unflatten(0, (-1, frames))[:, 1:]
            loss = loss + self.settings["steadiness"] * self.distance(*changes, later)
        return loss

    def after_step(self, step):
        average = self.settings["targetAverage"]
        self.student.update_average(1 - average if average else AVERAGE if step > FIRST_STEPS else FIRST_AVERAGE)
