"""The teacher: v-prediction over noisy differences, on single frames or, with motion modules, on windows of frames."""
import torch

from consistency import frame_changes, pseudo_huber
from windows import Loader

PREDICTION_HUBER = 0.3
# Noise below which an error of the prediction is not weighed down any more.
LEAST_NOISE = 0.3
NAMES = ["unet", "reference", "guider"]


def train_teacher(run):
    """settings: from (stages to go on from), windows, frames, consecutive, shares, referenceDropout, noisy; motionRate
    (learning rate of the motion modules over that of the rest) and steadiness (weight of the error's change from frame to
    frame), which windows of frames alone use.
    """
    settings, model, stage = run.settings, run.model, run.settings["stage"]
    windows, frames, consecutive = settings["windows"], settings["frames"], settings["consecutive"]
    state = run.load(stage)
    if state:
        run.restore(state)
    elif settings["from"] and any((run.out / f"{name}.pt").exists() for name in settings["from"]):
        run.load_model(settings["from"])
        model.use_average()
    motion = {id(p) for name, p in model.unet.named_parameters() if "motion_modules" in name}
    groups = [
        {"params": [p for p in model.parameters(NAMES) if id(p) not in motion]},
        {"params": [p for p in model.parameters(NAMES) if id(p) in motion], "scale": settings["motionRate"]},
    ]
    optimiser = torch.optim.AdamW(groups, lr=settings["learningRate"], betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
    if state and state["optimiser"]:
        optimiser.load_state_dict(state["optimiser"])
    start = state["step"] if state else 0
    data = run.windows("train")
    loader = Loader(
        lambda rng: (rng, data.batch(rng, windows, frames, settings["shares"], consecutive)), [run.seed, int(consecutive)], start
    )

    def step_function(step):
        rng, batch = loader.next()
        reference, conditions, latents, weights, _, _ = run.prepared(batch, rng)
        with run.autocast():
            t, noisy, target = run.noised(latents, rng, frames if consecutive else None, settings["noisy"])
            keep = torch.from_numpy(rng.random(len(reference)) >= settings["referenceDropout"]).to(run.device)
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
        noise_level = run.schedule.at(t, prediction)[1].clamp(min=LEAST_NOISE)
        error = noise_level * (prediction - target)
        loss = pseudo_huber(error, 0, PREDICTION_HUBER, weights)
        if consecutive and settings["steadiness"]:
            later = weights.unflatten(0, (windows, frames))[:, 1:]
            loss = loss + settings["steadiness"] * pseudo_huber(frame_changes(error, frames), 0, PREDICTION_HUBER, later)
        return loss

    run.loop(stage, start, optimiser, step_function, NAMES)
