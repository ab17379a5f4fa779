"""Latent consistency distillation: grid, solvers of the guided ODE, boundary scaling, phases, losses.

Pure functions over tensors of any shape; the networks come in as functions. Names follow Luo et al. 2023 (LCM,
arXiv:2310.04378), Lu et al. 2022 (DPM-Solver 2206.00927, DPM-Solver++ 2211.01095) and Wang et al. 2024 (PCM,
arXiv:2405.18407). `a` and `b` are the square roots of ᾱ and 1 − ᾱ.
"""
import math

import torch

SIGMA_DATA = 0.5
TIMESTEP_SCALING = 10.0


def spread(values, like):
    """[batch] to a shape that multiplies `like`, [batch, ...]."""
    return values.to(like.dtype).view(-1, *([1] * (like.ndim - 1)))


class Grid:
    """The `steps` training timesteps that consistency is asked on: g_j = k·(j + 1) − 1, k apart."""

    def __init__(self, steps=50, train_steps=1000):
        self.steps, self.k = steps, train_steps // steps

    def start(self, j):
        """t1, where a step of the solver begins."""
        return self.k * (j + 1) - 1

    def end(self, j):
        """t0, where it ends: the grid's point before; 0 for the first."""
        return (self.k * j - 1).clamp(min=0)

    def phase_edge(self, j, phases):
        """Lower edge of the phase that the step's end lies in (PCM); one phase has its edge at 0."""
        edges = torch.tensor([self.steps * m // phases for m in range(phases)], device=j.device)
        # The edge with index i is the end of step i, so the step i itself belongs to the phase above it.
        index = (edges[None] <= j[:, None]).sum(1) - 1
        return self.end(edges[index])


def x0_and_eps(output, z, a, b, prediction_type):
    """What a network's output says about the clean latents and the noise in `z` = a·x0 + b·ε."""
    if prediction_type == "v_prediction":
        return a * z - b * output, a * output + b * z
    if prediction_type == "epsilon":
        return (z - b * output) / a, output
    if prediction_type == "sample":
        return output, (z - a * output) / b
    raise ValueError(f"unknown prediction type {prediction_type}")


def boundary(t, like):
    """c_skip and c_out: the consistency function is the identity at t = 0."""
    s = TIMESTEP_SCALING * t.to(like.dtype)
    c_skip = SIGMA_DATA**2 / (s**2 + SIGMA_DATA**2)
    c_out = s / (s**2 + SIGMA_DATA**2).sqrt()
    return spread(c_skip, like), spread(c_out, like)


def consistency_function(z, x0, t):
    """f(z, t) by skip connection from the predicted clean latents."""
    c_skip, c_out = boundary(t, z)
    return c_skip * z + c_out * x0


def guided(conditional, unconditional, w):
    """(x0, ε) of the augmented ODE: conditional + w·(conditional − unconditional); w is the guidance scale − 1."""
    return tuple(c + w * (c - u) for c, u in zip(conditional, unconditional))


def jump(x0, eps, schedule, t, like):
    """Deterministic (DDIM) step to timestep t."""
    a, b = schedule.at(t, like)
    return a * x0 + b * eps


def solve_ddim(predict, z, t1, t0, schedule):
    """Ψ of order 1, where DDIM, DPM-Solver and DPM-Solver++ are one. predict(z, t) gives guided (x0, ε)."""
    x0, eps = predict(z, t1)
    return jump(x0, eps, schedule, t0, z)


def _half_log_snr(schedule, t, like):
    a, b = schedule.at(t, like)
    return torch.log(a / b)


def _midpoint(schedule, t1, t0, like):
    """a, b and the (whole) timestep whose log signal-to-noise ratio is nearest to the middle between t1 and t0."""
    wanted = (_half_log_snr(schedule, t1, like) + _half_log_snr(schedule, t0, like)) / 2
    a = torch.sigmoid(2 * wanted).sqrt()
    b = torch.sigmoid(-2 * wanted).sqrt()
    table = torch.log(schedule.signal / schedule.noise)
    nearest = (table[None] - wanted.flatten(1)[:, :1]).abs().argmin(1)
    return a, b, nearest


def _second_order(predict, z, t1, t0, schedule, data_prediction):
    """Midpoint rule in log signal-to-noise ratio, over predicted noise (DPM-Solver-2) or data (DPM-Solver++-2S)."""
    # At zero signal the ratio has no logarithm: such steps are of order 1.
    singular = schedule.signal[t1] < 1e-4
    first = predict(z, t1)
    z0 = jump(*first, schedule, t0, z)
    if singular.all():
        return z0
    safe = torch.where(singular, t1 - 1, t1)
    (a1, b1), (a0, b0) = schedule.at(safe, z), schedule.at(t0, z)
    h = _half_log_snr(schedule, t0, z) - _half_log_snr(schedule, safe, z)
    a, b, s = _midpoint(schedule, safe, t0, z)
    if data_prediction:
        u = b / b1 * z - a * torch.expm1(-h / 2) * first[0]
        higher = b0 / b1 * z - a0 * torch.expm1(-h) * predict(u, s)[0]
    else:
        u = a / a1 * z - b * torch.expm1(h / 2) * first[1]
        higher = a0 / a1 * z - b0 * torch.expm1(h) * predict(u, s)[1]
    return torch.where(spread(singular, z).bool(), z0, higher)


def solve_dpm_solver(predict, z, t1, t0, schedule):
    """Ψ of DPM-Solver-2, two evaluations."""
    return _second_order(predict, z, t1, t0, schedule, False)


def solve_dpm_solver_pp(predict, z, t1, t0, schedule):
    """Ψ of DPM-Solver++-2S, two evaluations."""
    return _second_order(predict, z, t1, t0, schedule, True)


SOLVERS = {"ddim": solve_ddim, "dpm_solver": solve_dpm_solver, "dpm_solver++": solve_dpm_solver_pp}


def pseudo_huber(x, y, c, weights=None):
    """Mean of √((x − y)² + c²) − c, weighted."""
    value = ((x - y) ** 2 + c * c).sqrt() - c
    return (value if weights is None else value * weights).mean()


def squared(x, y, weights=None):
    value = (x - y) ** 2
    return (value if weights is None else value * weights).mean()


def frame_changes(x, frames):
    """[batch·frames, ...] to [batch, frames − 1, ...]: what changes from one frame of a window to the next."""
    return x.unflatten(0, (-1, frames)).diff(dim=1)


def guidance_embedding(w, width, dtype=torch.float32):
    """[batch] guidance weights to [batch, width]: the sinusoids of 1000·w, sines first (full LCM checkpoints)."""
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=dtype, device=w.device) * (-math.log(10000.0) / (half - 1)))
    angles = w.to(dtype)[:, None] * 1000.0 * rates[None]
    embedding = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.nn.functional.pad(embedding, (0, width % 2))
