"""Reads the windows that prepare.ts wrote, and varies their colours."""
import json
import pathlib
import queue
import threading

import numpy as np
import torch


class Windows:
    """Memory-mapped windows of one or several kinds, of one split."""

    def __init__(self, folder, kinds, split):
        self.parts = []
        for kind in kinds:
            layout = json.loads((pathlib.Path(folder) / f"{kind}-{split}.json").read_text())
            data = np.memmap(
                pathlib.Path(folder) / f"{kind}-{split}.u8", np.uint8, "r", shape=(layout["records"], layout["recordBytes"])
            )
            self.parts.append((data, {**layout, "kind": kind}))
        self.size = self.parts[0][1]["size"]
        self.frames = self.parts[0][1]["frames"]

    def layouts(self):
        """(kind, layout) of each part."""
        return [(layout["kind"], layout) for _, layout in self.parts]

    def read(self, part, record, frames):
        """Reference [3, S, S], conditions [n, 7, S, S], targets [n, 3, S, S], weights [n, S/8, S/8]; uint8."""
        data, layout = self.parts[part]
        size, row = self.size, data[record]
        pixels = size * size
        reference = np.array(row[: 3 * pixels]).reshape(3, size, size)
        conditions, targets, weights = [], [], []
        for frame in frames:
            start = 3 * pixels + frame * layout["frameBytes"]
            conditions.append(row[start : start + 7 * pixels].reshape(7, size, size))
            targets.append(row[start + 7 * pixels : start + 10 * pixels].reshape(3, size, size))
            weights.append(row[start + 10 * pixels : start + layout["frameBytes"]].reshape(size // 8, size // 8))
        return reference, np.stack(conditions), np.stack(targets), np.stack(weights)

    def batch(self, rng, windows, frames, shares, consecutive):
        """A random batch: `windows` references, `frames` frames of each; `shares` are the kinds' probabilities."""
        items = []
        for _ in range(windows):
            part = rng.choice(len(self.parts), p=shares)
            record = rng.integers(self.parts[part][1]["records"])
            if consecutive:
                start = rng.integers(self.frames - frames + 1)
                chosen = range(start, start + frames)
            else:
                chosen = rng.choice(self.frames, frames, replace=False)
            items.append(self.read(part, record, chosen))
        return tuple(torch.from_numpy(np.stack(x)) for x in zip(*items))


def vary_colours(rng, reference, conditions, targets):
    """Bytes to floats in [-1, 1], with one random change of colours for each window.

    The drawing and the reliability keep their values. Shapes as from Windows.batch; returns floats.
    """
    batch = reference.shape[0]
    gain = torch.from_numpy(rng.uniform(0.8, 1.2, (batch, 1)) * rng.uniform(0.92, 1.08, (batch, 3))).float()
    shift = torch.from_numpy(rng.uniform(-0.12, 0.12, (batch, 1)) + rng.uniform(-0.03, 0.03, (batch, 3))).float()
    grey = torch.from_numpy((rng.random(batch) < 0.04)).float()

    def change(x, axes):
        shape = (batch, *([1] * axes), 3, 1, 1)
        x = x.float() / 127.5 - 1
        x = x * gain.view(shape) + shift.view(shape)
        if grey.any():
            mean = x.mean(dim=-3, keepdim=True)
            x = torch.lerp(x, mean.expand_as(x), grey.view(batch, *([1] * (axes + 3))))
        return x.clamp(-1, 1)

    fixed = conditions.float() / 127.5 - 1
    fixed[:, :, 3:6] = change(conditions[:, :, 3:6], 1)
    return change(reference, 0), fixed, change(targets, 1)


def plain(reference, conditions, targets):
    """Bytes to floats in [-1, 1]."""
    return tuple(x.float() / 127.5 - 1 for x in (reference, conditions, targets))


class Loader:
    """Draws batches in a thread of its own; seeded, so that a resumed run goes on where it stopped."""

    def __init__(self, draw, seed, start):
        self.queue = queue.Queue(maxsize=4)

        def work():
            step = start
            while True:
                self.queue.put(draw(np.random.default_rng([*seed, step])))
                step += 1

        threading.Thread(target=work, daemon=True).start()

    def next(self):
        return self.queue.get()
