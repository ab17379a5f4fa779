"""Few-step students of the teacher: consistency distillation into a LoRA or into whole weights, fine-tuning without a
teacher, and the phased variant. The steps themselves are in consistency.py.
"""
import copy

import torch
from torch import nn
from torch.func import functional_call

import consistency
import diffusion
from lora import Lora
from windows import Loader

# The student's slow average: over a hundred steps, faster while there are few.
AVERAGE = 0.01
FIRST_AVERAGE, FIRST_STEPS = 0.2, 40


class Student:
    """What is trained: a LoRA over frozen weights, or a copy of the weights that may be told the guidance."""

    def __init__(self, unet, settings, device):
        self.unet, self.frozen = unet, dict(unet.state_dict())
        self.embedding = settings.get("guidanceEmbedding")
        if settings["train"] == "lora":
            rank = settings["rank"]
            self.module = Lora(unet, rank, rank).to(device)
            if self.embedding:
                raise SystemExit("a LoRA has one guidance baked in: guidanceEmbedding needs train = weights")
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

    def weights(self, module):
        return module.merged(self.frozen) if isinstance(module, Lora) else None

    def predict(self, module, z, t, w, pose, banks, frames):
        """The network's output; `w` [batch] reaches it only through a guidance embedding."""
        arguments = (z, t, pose, banks, frames)
        if isinstance(module, Lora):
            return functional_call(self.unet, module.merged(self.frozen), arguments)
        condition = consistency.guidance_embedding(w, self.embedding) if self.embedding else None
        return module(*arguments, time_condition=condition)

    @torch.no_grad()
    def update_average(self, share):
        for kept, value in zip(self.average.state_dict().values(), self.module.state_dict().values()):
            if value.is_floating_point():
                kept.lerp_(value, share)


def train_consistency(run):
    """settings: from, continueFrom, train (lora, weights), rank, method (distil, finetune), solver, gridSteps, phases,
    guidance [low, high], guidanceEmbedding, targetAverage, loss {name, c}, dataWeight, windows, frames, consecutive,
    shares.
    """
    settings, model, stage = run.settings, run.model, run.settings["stage"]
    windows, frames, phases = settings["windows"], settings["frames"], settings["phases"]
    whole = frames if settings["consecutive"] else None
    run.load_model(settings["from"])
    model.use_average()
    for network in model.networks().values():
        network.requires_grad_(False)
    student = Student(model.unet, settings, run.device)
    optimiser = torch.optim.AdamW(student.parameters(), lr=settings["learningRate"], betas=(0.9, 0.99), weight_decay=0, fused=True)
    state = run.load(stage)
    if state:
        student.module.load_state_dict(state["student"])
        student.average.load_state_dict(state["student_average"])
        optimiser.load_state_dict(state["optimiser"])
        run.history = state["history"]
    else:
        for earlier in (run.load(name) for name in settings.get("continueFrom", [])):
            if earlier:
                student.module.load_state_dict(earlier["student_average"])
                student.average.load_state_dict(earlier["student_average"])
                run.history = earlier["history"]
                break
    start = state["step"] if state else 0
    data = run.windows("train")
    draw = lambda rng: (rng, data.batch(rng, windows, frames, settings["shares"], settings["consecutive"]))  # noqa: E731
    loader = Loader(draw, [run.seed, 2], start)
    shared = run.config["noise"]["sharedFraction"]
    schedule, grid = run.schedule, consistency.Grid(settings["gridSteps"])
    solve = consistency.SOLVERS[settings["solver"]]
    kind = run.config["schedule"]["predictionType"]
    low, high = settings["guidance"]

    def split(output, z, t):
        return consistency.x0_and_eps(output, z, *schedule.at(t, z), kind)

    def end_point(output, z, t, edge):
        """What the student says of z at t: the clean latents, or in phases the trajectory at the phase's edge."""
        x0, eps = split(output, z, t)
        return consistency.consistency_function(z, x0, t) if phases == 1 else consistency.jump(x0, eps, schedule, edge, z)

    def step_function(step):
        rng, batch = loader.next()
        reference, conditions, latents, weights, _, _ = run.prepared(batch, rng)
        with run.autocast():
            with torch.no_grad():
                pose, banks = model.guider(conditions), model.banks(reference, frames)
                # The frames of a window share what the frames of a clip share; single frames share nothing.
                draws = windows if whole else len(latents)
                each = lambda x: torch.from_numpy(x).to(run.device).repeat_interleave(len(latents) // draws)  # noqa: E731
                j = each(rng.integers(0, grid.steps, draws))
                scale = each(rng.uniform(low, high, draws).astype("float32"))
                w = scale - 1
                t1, t0, edge = grid.start(j), grid.end(j), grid.phase_edge(j, phases)
                noise = diffusion.window_noise(latents, whole, shared)
                z1 = consistency.jump(latents, noise, schedule, t1, latents)

                def teacher(z, t):
                    halves = [split(model.unet(z, t, pose, use, whole), z, t) for use in (banks, None)]
                    return consistency.guided(*halves, consistency.spread(w, z))

                if settings["method"] == "distil":
                    z0 = solve(teacher, z1, t1, t0, schedule)
                else:
                    z0 = consistency.jump(latents, noise, schedule, t0, latents)
                other = student.average if settings["targetAverage"] else student.module
                target = end_point(student.predict(other, z0, t0, w, pose, banks, whole), z0, t0, edge)
                target = torch.where(consistency.spread(t0 == 0, z0).bool(), z0, target)
            output = student.predict(student.module, z1, t1, w, pose, banks, whole)
            f1 = end_point(output, z1, t1, edge)
        name, c = settings["loss"]["name"], settings["loss"].get("c", 0)
        if name not in ("pseudo_huber", "l2"):
            raise SystemExit(f"loss must be pseudo_huber or l2, got {name}")
        distance = lambda x, y: consistency.squared(x, y, weights) if name == "l2" else consistency.pseudo_huber(x, y, c, weights)  # noqa: E731
        loss = distance(f1, target)
        if settings.get("dataWeight"):
            loss = loss + settings["dataWeight"] * distance(split(output, z1, t1)[0], latents)
        average = settings["targetAverage"]
        student.update_average(1 - average if average else AVERAGE if step > FIRST_STEPS else FIRST_AVERAGE)
        return loss

    facts = {key: settings[key] for key in ("train", "method", "solver", "phases", "guidance")}
    run.loop(stage, start, optimiser, step_function, [], lambda: {
        "student": student.module.state_dict(), "student_average": student.average.state_dict(),
        "rank": settings.get("rank"), "facts": facts,
    })
