"""Few-step students of the teacher: consistency distillation into a LoRA or into whole weights, fine-tuning without a
teacher, and the phased variant.
"""
import torch

from distillation import Distillation, Student
from windows import Loader


def train_consistency(run):
    """settings: from, continueFrom (stages), windows, frames, consecutive, shares, and those of Distillation."""
    settings, model, stage = run.settings, run.model, run.settings["stage"]
    windows, frames = settings["windows"], settings["frames"]
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
        earlier = next(filter(None, map(run.load, settings["continueFrom"])), None)
        if earlier:
            student.module.load_state_dict(earlier["student_average"])
            student.average.load_state_dict(earlier["student_average"])
            run.history = earlier["history"]
    start = state["step"] if state else 0
    data = run.windows("train")
    draw = lambda rng: (rng, data.batch(rng, windows, frames, settings["shares"], settings["consecutive"]))  # noqa: E731
    loader = Loader(draw, [run.seed, 2], start)
    kind = run.config["schedule"]["predictionType"]
    distillation = Distillation(model.unet, student, settings, run.schedule, kind)
    shared = run.config["noise"]["sharedFraction"]

    def step_function(step):
        rng, batch = loader.next()
        reference, conditions, latents, weights, _, _ = run.prepared(batch, rng)
        with run.autocast():
            with torch.no_grad():
                pose, banks = model.guider(conditions), model.banks(reference, frames)
            # The frames of a window share what the frames of a clip share; single frames share nothing.
            draws = windows if whole else len(latents)
            loss = distillation.loss(latents, pose, banks, whole, rng, draws, shared, weights)
        distillation.after_step(step)
        return loss

    facts = {key: settings[key] for key in ("train", "method", "solver", "phases", "guidance", "dataWeight", "rollout")}
    run.loop(stage, start, optimiser, step_function, [], lambda: {
        "student": student.module.state_dict(), "student_average": student.average.state_dict(),
        "rank": settings.get("rank"), "facts": facts,
    })
