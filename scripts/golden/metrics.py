"""Writes test/golden/metrics/metrics.json and the photographic pair next to it, for test/metrics.

Independent implementations: skimage.metrics for PSNR and SSIM; pytorch_msssim for MS-SSIM, where all sizes down to the
coarsest are even (it pads odd ones with zeros); and for all sizes msssim.m and ssim_index.m of Wang et al., written in
scipy line by line. Series: scipy.stats.

Run with numpy, scipy, scikit-image, Pillow and, for MS-SSIM's second opinion, torch and pytorch_msssim:
python3 scripts/golden/metrics.py
"""
import json
from pathlib import Path

import numpy as np
import scipy
import skimage
from PIL import Image, ImageFilter
from scipy import ndimage, signal, stats
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "test/golden/metrics"
LUMA = np.array([0.299, 0.587, 0.114])
WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def fspecial_gauss(size=11, sigma=1.5):
    y, x = np.mgrid[-(size // 2) : size // 2 + 1, -(size // 2) : size // 2 + 1]
    window = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return window / window.sum()


def ssim_index(a, b):
    """ssim_index_new.m: means of the SSIM and the contrast-structure maps over the valid region."""
    window = fspecial_gauss()
    filt = lambda x: signal.convolve2d(x, window, mode="valid")
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mu1, mu2 = filt(a), filt(b)
    s1, s2, s12 = filt(a * a) - mu1**2, filt(b * b) - mu2**2, filt(a * b) - mu1 * mu2
    cs = (2 * s12 + c2) / (s1 + s2 + c2)
    return ((2 * mu1 * mu2 + c1) / (mu1**2 + mu2**2 + c1) * cs).mean(), cs.mean()


def msssim(a, b):
    """msssim.m: ones(2)/4 with symmetric borders, every second sample; negative scales as 0."""
    values = []
    for scale in range(5):
        whole, structure = ssim_index(a, b)
        values.append(whole if scale == 4 else structure)
        # A window of two has no middle: Matlab's imfilter averages a sample and the next.
        down = lambda x: ndimage.correlate(x, np.ones((2, 2)) / 4, mode="reflect", origin=-1)[::2, ::2]
        a, b = down(a), down(b)
    return float(np.prod(np.maximum(values, 0) ** WEIGHTS))


def second_opinion(a, b):
    try:
        import torch
        from pytorch_msssim import ms_ssim
    except ImportError:
        return None
    as_tensor = lambda x: torch.from_numpy(x)[None, None].double()
    return float(ms_ssim(as_tensor(a), as_tensor(b), data_range=255))


def triangle(k):
    return np.abs(k % 510 - 255)


def noise(width, height, seed):
    """Bytes from a multiplicative hash of the sample's index; test/metrics/pictures.ts has the same."""
    i = np.arange(width * height * 3, dtype=np.uint64)
    h = ((i + np.uint64(seed)) * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(15)
    h = (h * np.uint64(2246822519)) & np.uint64(0xFFFFFFFF)
    return ((h >> np.uint64(13)) & np.uint64(255)).astype(np.int64).reshape(height, width, 3)


def waves(width, height, shift=0):
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return (triangle(7 * (x + shift) + 3 * y + 90 * c) + triangle(2 * (x + shift) * (c + 1) + 11 * y)) // 2


def degrade(kind, width, height):
    base = waves(width, height)
    if kind == "noise":
        return np.clip(base + (noise(width, height, 17) - 128) // 4, 0, 255)
    if kind == "shifted":
        return waves(width, height, 2)
    if kind == "flat":
        return (base * 3) // 5 + 60
    if kind == "dark":
        return base // 16
    if kind == "inverted":
        return 255 - base
    return noise(width, height, 5)


def measure(a, b):
    a, b = a.astype(np.uint8), b.astype(np.uint8)
    luma_a, luma_b = a @ LUMA, b @ LUMA
    # skimage pads by reflection and then leaves out the border of half a window: the valid region. truncate 3.5 is 11 wide.
    ssim = structural_similarity(
        luma_a, luma_b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert abs(ssim - ssim_index(luma_a, luma_b)[0]) < 1e-9
    big = min(a.shape[:2]) >= 176
    ms = msssim(luma_a, luma_b) if big else None
    other = second_opinion(luma_a, luma_b) if big and a.shape[0] % 16 == a.shape[1] % 16 == 0 else None
    if other is not None:
        # Their window is float32.
        assert abs(other - ms) < 5e-6, (other, ms)
    return {"psnr": peak_signal_noise_ratio(a, b, data_range=255), "ssim": ssim, "msSsim": ms, "secondOpinion": other}


FOLDER.mkdir(parents=True, exist_ok=True)
pairs = []
for kind, width, height in [
    ("noise", 256, 192), ("shifted", 192, 208), ("flat", 187, 181), ("inverted", 256, 192), ("dark", 192, 176),
    ("unrelated", 192, 192), ("noise", 175, 300), ("shifted", 11, 14),
]:
    pairs.append({"kind": kind, "width": width, "height": height, **measure(waves(width, height), degrade(kind, width, height))})

portrait = Image.open(ROOT / "assets/portraits/ada.jpg").convert("RGB").crop((150, 150, 342, 342))
portrait.save(FOLDER / "portrait.png")
blurred = portrait.filter(ImageFilter.GaussianBlur(1.2))
blurred.save(FOLDER / "portrait-blurred.png")
photo = measure(np.asarray(portrait), np.asarray(blurred))

rng = np.random.default_rng(3)
driver = np.round(np.convolve(rng.normal(size=60), np.ones(4), mode="same"), 4)
follower = np.round(0.6 * np.roll(driver, 2) + 0.4 * rng.normal(size=60), 4)
lags = {lag: stats.pearsonr(driver[max(0, -lag) : 60 - max(0, lag)], follower[max(0, lag) : 60 - max(0, -lag)])[0] for lag in range(-5, 6)}
series = {
    "driver": driver.tolist(), "follower": follower.tolist(), "correlation": stats.pearsonr(driver, follower)[0],
    "lag": max(lags, key=lags.get), "deviation": float(np.std(driver)), "median": float(np.median(driver)),
}

frames = [waves(24, 20, s).astype(float) for s in (0, 1, 3, 4, 9)]
seconds = [np.abs(frames[i] - 2 * frames[i + 1] + frames[i + 2]) for i in range(3)]
inside = np.zeros((20, 24), bool)
inside[4:13, 6:19] = True
flicker = {
    "shifts": [0, 1, 3, 4, 9], "width": 24, "height": 20, "box": {"left": 6, "top": 4, "right": 19, "bottom": 13},
    "inside": float(np.mean([s[inside].mean() for s in seconds])),
    "outside": float(np.mean([s[~inside].mean() for s in seconds])),
}
golden = {
    "source": f"scripts/golden/metrics.py: scikit-image {skimage.__version__}, scipy {scipy.__version__}, pytorch_msssim",
    "pairs": pairs, "photo": photo, "series": series, "flicker": flicker,
}
(FOLDER / "metrics.json").write_text(json.dumps(golden, indent=1) + "\n")
print(json.dumps({k: golden[k] for k in ("pairs", "photo", "flicker")}, indent=1))
