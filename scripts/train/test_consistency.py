"""Checks consistency.py against numbers of diffusers: python3 -m unittest discover scripts/train"""
import json
import math
import pathlib
import unittest

import numpy as np
import torch

import consistency
from diffusion import Schedule, lcm_timesteps
from distillation import Distillation, Student

GOLDEN = pathlib.Path(__file__).parents[2] / "test" / "golden"
TOLERANCE = 1e-10  # double precision on both sides, sums of 64 values
FLOAT32 = 1e-5  # the reference's stored tensors are float32


def closed_form_network(x, t, i):
    """The goldens' network: [4, 4, 2, 2] and a timestep for each item."""
    flat = x.reshape(len(x), -1)
    k = torch.arange(flat.shape[1], dtype=flat.dtype)
    wave = 0.25 * torch.sin(0.37 * k + 0.011 * t.to(flat.dtype)[:, None]) - 0.15 * torch.cos(0.53 * k - 0.9 * i)
    return (0.8 * flat / (1 + 0.1 * flat**2) + wave).reshape(x.shape)


class ConsistencyGoldens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.golden = json.loads((GOLDEN / "distillation" / "lcd.json").read_text())

    def tensor(self, values):
        """Stored as the shortest decimals of float32 numbers."""
        return torch.tensor(values, dtype=torch.float32).double().view(self.golden["batch_shape"])

    def check(self, run, name, actual):
        expected = run["f64_checks"][name]
        scale = 1 + abs(expected["sumsq"])
        self.assertLess(abs(float(actual.sum()) - expected["sum"]), TOLERANCE * scale, f"{run['id']} {name}")
        self.assertLess(abs(float((actual**2).sum()) - expected["sumsq"]), TOLERANCE * scale, f"{run['id']} {name}")
        stored = self.tensor(run["f32"][name])
        self.assertLess(float(((actual - stored).abs() / (1 + stored.abs())).max()), 3 * FLOAT32, f"{run['id']} {name}")

    def test_one_step_matches_the_reference_for_every_schedule_and_prediction(self):
        for run in self.golden["runs"]:
            config = run["config"]
            schedule = Schedule(
                {
                    "betaSchedule": config["beta_schedule"],
                    "betaStart": config["beta_start"],
                    "betaEnd": config["beta_end"],
                    "zeroTerminalSnr": config.get("rescale_betas_zero_snr", False),
                },
                "cpu",
                torch.float64,
            )
            kind = config["prediction_type"]
            grid = consistency.Grid(50)
            j = torch.tensor(run["index"])
            t1, t0 = grid.start(j), grid.end(j)
            self.assertEqual(t1.tolist(), run["t_start"])
            self.assertEqual(t0.tolist(), run["t_end"])
            z, noise = self.tensor(self.golden["z0"]), self.tensor(self.golden["noise"])
            w = consistency.spread(torch.tensor(run["w"], dtype=torch.float64), z)
            x = consistency.jump(z, noise, schedule, t1, z)
            self.check(run, "x", x)

            def split(output, z, t):
                return consistency.x0_and_eps(output, z, *schedule.at(t, z), kind)

            def teacher(z, t):
                halves = (split(closed_form_network(z, t, i), z, t) for i in (1, 2))
                return consistency.guided(*halves, w)

            student = split(closed_form_network(x, t1, 0), x, t1)
            prediction = consistency.consistency_function(x, student[0], t1)
            self.check(run, "model_pred", prediction)
            teacher_x0, teacher_eps = teacher(x, t1)
            self.check(run, "teacher_x0", teacher_x0)
            self.check(run, "teacher_eps", teacher_eps)
            previous = consistency.solve_ddim(teacher, x, t1, t0, schedule)
            self.check(run, "x_prev", previous)
            other = split(closed_form_network(previous, t0, 3), previous, t0)
            first = consistency.spread(t0 == 0, z).bool()
            target = torch.where(first, previous, consistency.consistency_function(previous, other[0], t0))
            self.check(run, "target", target)
            loss = run["loss"]
            self.assertLess(abs(float(consistency.pseudo_huber(prediction, target, loss["huber_c"])) - loss["huber_f64"]), TOLERANCE)
            self.assertLess(abs(float(consistency.squared(prediction, target)) - loss["l2_f64"]), TOLERANCE * 10)

            edge = grid.phase_edge(j, 4)
            self.assertEqual(edge.tolist(), run["pcm_phase_edges_t"])
            self.check(run, "pcm_model_pred", consistency.jump(*student, schedule, edge, z))
            self.check(run, "pcm_target", torch.where(first, previous, consistency.jump(*other, schedule, edge, z)))

    def test_phases_begin_where_the_reference_says(self):
        grid = consistency.Grid(50)
        for phases, starts in self.golden["pcm_phase_indices"].items():
            j = torch.arange(50)
            edges = grid.phase_edge(j, int(phases))
            expected = sorted({int(grid.end(torch.tensor(s))) for s in starts})
            self.assertEqual(sorted(set(edges.tolist())), expected)


class Solvers(unittest.TestCase):
    """On an ODE with a known solution: data x0 ~ N(0, s²) has the ideal ε = b·z / (a²s² + b²)."""

    SPREAD = 1.7

    def setUp(self):
        self.schedule = Schedule(
            {"betaSchedule": "linear", "betaStart": 0.00085, "betaEnd": 0.012, "zeroTerminalSnr": True}, "cpu", torch.float64
        )

    def ideal(self, z, t):
        a, b = self.schedule.at(t, z)
        variance = a**2 * self.SPREAD**2 + b**2
        return a * self.SPREAD**2 * z / variance, b * z / variance

    def exact(self, z, t1, t0):
        deviation = lambda t: torch.sqrt(self.schedule.signal[t] ** 2 * self.SPREAD**2 + self.schedule.noise[t] ** 2)  # noqa: E731
        return z * (deviation(t0) / deviation(t1)).view(-1, 1)

    def test_second_order_is_nearer_to_the_solution(self):
        t1, t0 = torch.tensor([899, 599, 299]), torch.tensor([699, 399, 99])
        z = torch.linspace(-2, 2, 12, dtype=torch.float64).view(3, 4)
        error = {
            name: float((solve(self.ideal, z, t1, t0, self.schedule) - self.exact(z, t1, t0)).abs().max())
            for name, solve in consistency.SOLVERS.items()
        }
        self.assertLess(error["dpm_solver"], error["ddim"] / 3, error)
        self.assertLess(error["dpm_solver++"], error["ddim"] / 3, error)

    def test_a_start_without_signal_is_of_first_order(self):
        t1, t0 = torch.tensor([999, 999]), torch.tensor([979, 899])
        z = torch.linspace(-2, 2, 8, dtype=torch.float64).view(2, 4)
        first = consistency.solve_ddim(self.ideal, z, t1, t0, self.schedule)
        for name in ("dpm_solver", "dpm_solver++"):
            self.assertTrue(torch.equal(consistency.SOLVERS[name](self.ideal, z, t1, t0, self.schedule), first), name)


class Constant(torch.nn.Module):
    """Says that the clean latents are a constant, and remembers what it was shown."""

    def __init__(self, schedule):
        super().__init__()
        self.value, self.schedule, self.shown = torch.nn.Parameter(torch.tensor(5.0)), schedule, []

    def forward(self, z, t, pose, banks, frames, time_condition=None):
        self.shown.append((t.clone(), z.clone(), pose[0].clone()))
        a, b = self.schedule.at(t, z)
        return (a * z - self.value) / b


class Trajectory(unittest.TestCase):
    """A student that is trained on what it says while it samples."""

    def test_each_window_goes_on_from_what_was_said_before(self):
        torch.manual_seed(0)
        schedule = Schedule({"betaSchedule": "linear", "betaStart": 0.00085, "betaEnd": 0.012, "zeroTerminalSnr": True}, "cpu")
        unet = Constant(schedule)
        settings = {"method": "trajectory", "trajectories": [4], "guidance": [1, 1], "gridSteps": 50, "phases": 1, "train": "weights",
                    "solver": "ddim", "loss": {"name": "l2"}, "steadiness": 3}
        student = Student(unet, settings, "cpu")
        windows, frames = 6, 2
        latents = torch.zeros(windows * frames, 4, 32, 32)
        pose = [torch.arange(windows * frames).view(-1, 1, 1, 1)]
        loss = Distillation(unet, student, settings, schedule, "v_prediction").loss(
            latents, pose, [latents], frames, np.random.default_rng(3), windows, 0.5
        )
        self.assertAlmostEqual(loss.item(), 25, places=4)
        loss.backward()
        self.assertAlmostEqual(float(student.module.value.grad), 10, places=4)
        *before, (last_t, last_z, _) = student.module.shown
        self.assertEqual(len(last_t), windows * frames)
        self.assertGreater(len(set(last_t.tolist())), 1)
        self.assertTrue(set(last_t.tolist()) <= set(lcm_timesteps(4)))
        for row in range(0, windows * frames, frames):
            visited = [int(t[pose_rows.flatten() == row]) for t, _, pose_rows in before if (pose_rows == row).any()]
            expected = lcm_timesteps(4)[: lcm_timesteps(4).index(int(last_t[row])) + 1]
            self.assertEqual([*visited, int(last_t[row])], expected)
            # Signal of what was said before, none at the start; the rest is noise.
            mean = 5 * float(schedule.signal[last_t[row]]) if visited else 0
            self.assertAlmostEqual(float(last_z[row].mean()), mean, delta=0.1)
            self.assertAlmostEqual(float(last_z[row].std()), float(schedule.noise[last_t[row]]), delta=0.05)

    def test_changes_from_frame_to_frame_count_by_their_own_weight(self):
        schedule = Schedule({"betaSchedule": "linear", "betaStart": 0.00085, "betaEnd": 0.012, "zeroTerminalSnr": True}, "cpu")
        unet = Constant(schedule)
        settings = {"method": "trajectory", "trajectories": [1], "guidance": [1, 1], "gridSteps": 50, "phases": 1, "train": "weights",
                    "solver": "ddim", "loss": {"name": "l2"}, "steadiness": 0.5}
        latents = torch.tensor([0.0, 2.0]).repeat(3).view(-1, 1, 1, 1).expand(6, 4, 8, 8)
        loss = Distillation(unet, Student(unet, settings, "cpu"), settings, schedule, "v_prediction").loss(
            latents, [torch.arange(6).view(-1, 1, 1, 1)], [latents], 2, np.random.default_rng(3), 3, 0.5
        )
        # It says 5 of both frames: (25 + 9) / 2, and half of the 4 that it misses of their change.
        self.assertAlmostEqual(loss.item(), 19, places=4)


class Guidance(unittest.TestCase):
    def test_embedding_matches_the_reference(self):
        golden = json.loads((GOLDEN / "schedulers" / "guidance.json").read_text())
        for case in golden["cases"]:
            w = torch.tensor([case["w"]], dtype=torch.float64)
            embedding = consistency.guidance_embedding(w, case["dim"], torch.float64)[0]
            for index, value in zip(case["idx"], case["f64"]):
                self.assertLess(abs(float(embedding[index]) - value), 1e-9)

    def test_weight_of_one_evaluation(self):
        conditional, unconditional = torch.tensor([2.0]), torch.tensor([1.0])
        self.assertEqual(float(consistency.guided((conditional,), (unconditional,), 2.5)[0]), 4.5)
        self.assertTrue(math.isclose(float(consistency.pseudo_huber(torch.zeros(1), torch.zeros(1), 0.3)), 0, abs_tol=1e-7))


if __name__ == "__main__":
    unittest.main()
