"""The decoder's last layers, on differences that were through the codec, a little disturbed."""
import torch
import torch.nn.functional as F

from windows import Loader

# Predicted differences are smoother than true ones: up to this much is damped, and disturbed.
DISTURBANCE = 0.25
EDGE_WEIGHT = 0.5


def train_refiner(run):
    """settings: from, windows, frames, shares."""
    model, settings = run.model, run.settings
    state = run.load("refiner")
    if state:
        model.refiner.load_state_dict(state["networks"]["refiner"])
        model.average["refiner"] = state["average"]["refiner"]
        run.history = state["history"]
    elif any((run.out / f"{name}.pt").exists() for name in settings["from"]):
        run.load_model(settings["from"])
        model.refiner.load_state_dict(model.average["refiner"])
    optimiser = torch.optim.AdamW(
        model.refiner.parameters(), lr=settings["learningRate"], betas=(0.9, 0.99), weight_decay=0, fused=True
    )
    if state:
        optimiser.load_state_dict(state["optimiser"])
    start = state["step"] if state else 0
    data = run.windows("train")
    draw = lambda rng: (rng, data.batch(rng, settings["windows"], settings["frames"], settings["shares"], False))  # noqa: E731
    loader = Loader(draw, [run.seed, 3], start)

    def step_function(step):
        rng, batch = loader.next()
        _, _, latents, weights, base, targets = run.prepared(batch, rng)
        scale = DISTURBANCE * torch.from_numpy(rng.random((len(latents), 1, 1, 1))).float().to(run.device)
        disturbed = latents * (1 - scale) + scale * torch.randn_like(latents)
        decoded = (base + model.codec.synthesise(disturbed)).clamp(-1, 1)
        with run.autocast():
            refined = model.refiner(decoded.contiguous(memory_format=torch.channels_last), base)
        pixel_weights = F.interpolate(weights, scale_factor=model.codec.patch, mode="nearest").sqrt()
        error = ((refined - targets).abs() * pixel_weights).mean()
        edges = sum(((refined - targets).diff(dim=d).abs()).mean() for d in (2, 3))
        return error + EDGE_WEIGHT * edges

    run.loop("refiner", start, optimiser, step_function, ["refiner"])
