"""The patch transform: 8×8 patches of a picture to channels and back, by principal components.

Two bases: of pictures (what the reference UNet sees) and of differences between a target and its warped portrait (what
the denoiser makes). Both scaled to unit variance by channel, differences over the face only.
"""
import numpy as np
import torch
import torch.nn.functional as F


def to_patches(x, size):
    """[batch, 3, H, W] to [batch·h·w, 3·size²]."""
    return F.pixel_unshuffle(x, size).permute(0, 2, 3, 1).reshape(-1, x.shape[1] * size * size)


def principal_components(samples, channels):
    covariance = samples.T @ samples / len(samples)
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1][:channels]
    return vectors[:, order].T, np.sqrt(values[order]), values[order].sum() / values.sum()


def fit(windows, rng, shares, patch, channels, batches=60):
    """Tensors of the codec, named as in the bundle."""
    pictures, differences, cell_weights = [], [], []
    for _ in range(batches):
        reference, conditions, targets, weights = windows.batch(rng, 4, 2, shares, False)
        pictures.append(to_patches(reference.float() / 127.5 - 1, patch).numpy()[::3])
        difference = (targets.float() - conditions[:, :, 3:6].float()).flatten(0, 1) / 127.5
        differences.append(to_patches(difference, patch).numpy())
        cell_weights.append(weights.reshape(-1).numpy() / 16.0)
    pictures, differences = np.concatenate(pictures), np.concatenate(differences)
    cell_weights = np.concatenate(cell_weights)[:, None]
    mean = pictures.mean(0)
    picture_basis, picture_std, kept = principal_components(pictures - mean, channels)
    print(f"pictures: {kept:.4f} of the variance in {channels} channels")
    basis, _, kept = principal_components(differences * np.sqrt(cell_weights), channels)
    face = cell_weights[:, 0] > 1
    std = np.sqrt(((differences[face] @ basis.T) ** 2).mean(0))
    error = differences - differences @ basis.T @ basis
    print(f"differences: {kept:.4f} of the weighted variance; error {10 * np.log10(4 / (error**2).mean()):.1f} dB "
          f"(unaltered {10 * np.log10(4 / (differences**2).mean()):.1f} dB)")
    shape = lambda m: torch.from_numpy(np.ascontiguousarray(m)).float().view(channels, 3, patch, patch)  # noqa: E731
    return {
        "encoder.weight": shape(picture_basis / picture_std[:, None]),
        "encoder.bias": torch.from_numpy(-(picture_basis / picture_std[:, None]) @ mean).float(),
        "analysis.weight": shape(basis / std[:, None]),
        "synthesis.weight": shape(basis * std[:, None]),
    }


def with_analysis(tensors):
    """A bundle's codec has the way back to pictures only; its basis is orthogonal, so the way there follows."""
    synthesis = tensors["synthesis.weight"]
    return {**tensors, "analysis.weight": synthesis / (synthesis**2).sum(dim=(1, 2, 3), keepdim=True)}


class Codec:
    def __init__(self, tensors, device):
        self.tensors = {k: v.to(device) for k, v in tensors.items()}
        self.patch = self.tensors["encoder.weight"].shape[-1]

    def encode(self, picture):
        """[n, 3, H, W] in [-1, 1] to the reference UNet's latents."""
        return F.conv2d(picture, self.tensors["encoder.weight"], self.tensors["encoder.bias"], stride=self.patch)

    def analyse(self, difference):
        """Target minus warped portrait to the denoiser's latents."""
        return F.conv2d(difference, self.tensors["analysis.weight"], stride=self.patch)

    def synthesise(self, latents):
        """The denoiser's latents to a difference of pictures."""
        return F.conv_transpose2d(latents, self.tensors["synthesis.weight"], stride=self.patch)
