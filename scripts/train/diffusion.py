"""Noise schedule, v-prediction and samplers, in float32 on the training device."""
import torch


class Schedule:
    """√ᾱ (`signal`) and √(1 − ᾱ) (`noise`) over 1000 training steps, as a bundle's `schedule` describes them."""

    def __init__(self, config, device, dtype=torch.float32):
        start, end = config["betaStart"], config["betaEnd"]
        if config["betaSchedule"] == "scaled_linear":
            betas = torch.linspace(start**0.5, end**0.5, 1000, dtype=torch.float64) ** 2
        elif config["betaSchedule"] == "linear":
            betas = torch.linspace(start, end, 1000, dtype=torch.float64)
        else:
            raise ValueError(f"unknown beta schedule {config['betaSchedule']}")
        root = torch.cumprod(1 - betas, 0).sqrt()
        if config["zeroTerminalSnr"]:
            root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        self.signal = root.to(device, dtype)
        self.noise = (1 - root**2).clamp(min=0).sqrt().to(device, dtype)

    def at(self, timesteps, like):
        shape = (-1, *([1] * (like.ndim - 1)))
        return self.signal[timesteps].view(shape), self.noise[timesteps].view(shape)


def window_noise(generator_like, frames, shared, generator=None):
    """Noise [batch·frames, ...] whose frames share a part of it; every value is N(0, 1)."""
    own = torch.randn(generator_like.shape, generator=generator, device=generator_like.device)
    if frames is None or shared == 0:
        return own
    batch = own.shape[0] // frames
    common = torch.randn((batch, *own.shape[1:]), generator=generator, device=own.device).repeat_interleave(frames, 0)
    return shared**0.5 * common + (1 - shared) ** 0.5 * own


def trailing(steps):
    return [round(1000 - i * 1000 / steps) - 1 for i in range(steps)]


def lcm_timesteps(steps):
    return [(50 - (i * 50) // steps) * 20 - 1 for i in range(steps)]


@torch.no_grad()
def sample_ddim(predict, schedule, noise, steps):
    """DDIM with trailing spacing; `predict(x, t)` returns v."""
    x = noise
    timesteps = trailing(steps)
    for i, t in enumerate(timesteps):
        a, b = schedule.signal[t], schedule.noise[t]
        v = predict(x, t)
        x0, eps = a * x - b * v, a * v + b * x
        if i + 1 < len(timesteps):
            p = timesteps[i + 1]
            x = schedule.signal[p] * x0 + schedule.noise[p] * eps
        else:
            x = x0
    return x


@torch.no_grad()
def sample_lcm(predict, schedule, noises, steps):
    """LCM; `noises[0]` starts, `noises[i]` is injected after step i."""
    x = noises[0]
    timesteps = lcm_timesteps(steps)
    for i, t in enumerate(timesteps):
        a, b = schedule.signal[t], schedule.noise[t]
        x0 = a * x - b * predict(x, t)
        if i + 1 < len(timesteps):
            p = timesteps[i + 1]
            x = schedule.signal[p] * x0 + schedule.noise[p] * noises[i + 1]
        else:
            x = x0
    return x
