"""The speech-to-expression network: log-mel front end and a small temporal convolution net without padding.

Every convolution is "valid": n outputs at 50 Hz need exactly `samples_for(n)` samples, and output i depends on samples
centred on i * 20 ms alone. Long audio can therefore be cut anywhere and gives the same numbers as in one piece.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CONFIG = {
    'sampleRate': 16000,
    'window': 400,
    'hop': 160,
    'fftSize': 512,
    'melBands': 48,
    'melLow': 60,
    'melHigh': 7600,
    'logFloor': 1e-5,
    'featureShift': 4,
    'featureScale': 0.25,
    'stemKernel': 5,
    'stemStride': 2,
    'channels': 160,
    'kernel': 5,
    'dilations': [1, 1, 2, 2, 4, 4],
    # Beside the trunk from this block on, with as much context as the blocks that are left: whether the lips are shut for a P, B or M.
    'closures': {'after': 4, 'channels': 64, 'dilations': [1, 1, 2, 4]},
    'components': 16,
    'outputRate': 50,
    'targetLevel': 0.05,
    'maxGain': 60,
}


def hz_to_mel(hz):
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def mel_to_hz(mel):
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


def mel_filters(config, warp=1.0):
    """[bins, bands] triangles whose weights add up to 1; `warp` > 1 moves the bands up, as for a shorter vocal tract."""
    bins = config['fftSize'] // 2 + 1
    centres = mel_to_hz(np.linspace(hz_to_mel(config['melLow']), hz_to_mel(config['melHigh']), config['melBands'] + 2))
    centres = centres * warp
    if warp > 1:  # squeeze the top so that the last band stays below the Nyquist frequency
        knee = 5500.0
        top, limit = centres[-1], 7900.0
        high = centres > knee
        centres[high] = knee + (centres[high] - knee) * (limit - knee) / (top - knee)
    frequency = np.arange(bins) * config['sampleRate'] / config['fftSize']
    low, mid, high = centres[:-2], centres[1:-1], centres[2:]
    # Bands narrower than a bin are widened, so that none is empty.
    width = 1.05 * config['sampleRate'] / config['fftSize']
    low, high = np.minimum(low, mid - width), np.maximum(high, mid + width)
    rise = (frequency[:, None] - low) / (mid - low)
    fall = (high - frequency[:, None]) / (high - mid)
    filters = np.maximum(0, np.minimum(rise, fall))
    return (filters / filters.sum(0)).astype(np.float32)


def dft_kernels(config):
    """[2 * bins, 1, window] Hann-windowed cosines, then sines."""
    n = np.arange(config['window'])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (n + 0.5) / config['window'])
    angle = 2 * np.pi * np.arange(config['fftSize'] // 2 + 1)[:, None] * n / config['fftSize']
    return np.concatenate([np.cos(angle) * window, np.sin(angle) * window])[:, None].astype(np.float32)


def context_frames(config):
    """Outputs on either side (at 50 Hz) that the dilated convolutions look at."""
    return sum((config['kernel'] // 2) * d for d in config['dilations'])


def samples_for(config, outputs):
    """Samples that give exactly `outputs` outputs; the first is centred on sample `samples_before`."""
    stem = outputs + 2 * context_frames(config)
    features = (stem - 1) * config['stemStride'] + config['stemKernel']
    return (features - 1) * config['hop'] + config['window']


def samples_before(config):
    """Samples before the centre of the first output."""
    features = context_frames(config) * config['stemStride'] + config['stemKernel'] // 2
    return features * config['hop'] + config['window'] // 2


def loudness_gain(pcm, config):
    """Gain that brings speech to the target level: mean power of 100 ms blocks, gated at -60 dB and at -10 dB of itself."""
    block = config['sampleRate'] // 10
    count = max(1, -(-len(pcm) // block))
    power = np.array([np.mean(np.square(pcm[i * block:(i + 1) * block], dtype=np.float64)) for i in range(count)])
    loud = power[power > 1e-6]
    if len(loud) == 0:
        return 1.0
    loud = loud[loud >= 0.1 * loud.mean()]
    return float(min(config['targetLevel'] / np.sqrt(loud.mean()), config['maxGain']))


def residual_blocks(width, kernel, dilations):
    return nn.ModuleList(
        nn.ModuleDict({'conv': nn.Conv1d(width, width, kernel, dilation=d), 'mix': nn.Conv1d(width, width, 1)}) for d in dilations)


def through_blocks(blocks, dilations, kernel, x, dropout=0.0):
    """[B, channels, n] through residual blocks; the shortcut loses at both ends what the convolution needed there."""
    for block, dilation in zip(blocks, dilations):
        trim = dilation * (kernel // 2)
        y = F.silu(block['conv'](x))
        if dropout > 0:
            y = F.dropout1d(y, dropout)
        x = x[..., trim:x.shape[-1] - trim] + block['mix'](y)
    return x


class Closures(nn.Module):
    """How likely the lips are shut for a P, B or M: from the middle of the trunk, where sounds are still distinct, and its end."""

    def __init__(self, config):
        super().__init__()
        own = config['closures']
        self.dilations, self.kernel = own['dilations'], config['kernel']
        self.enter = nn.Conv1d(config['channels'], own['channels'], 1)
        self.blocks = residual_blocks(own['channels'], config['kernel'], own['dilations'])
        self.join = nn.Conv1d(own['channels'] + config['channels'], own['channels'], 1)
        self.head = nn.Conv1d(own['channels'], 1, 1)

    def forward(self, middle, end, dropout=0.0):
        """`middle` [B, channels, n + context], `end` [B, channels, n] of the trunk -> [B, n], logarithms of odds."""
        own = through_blocks(self.blocks, self.dilations, self.kernel, self.enter(F.silu(middle)), dropout if self.training else 0.0)
        return self.head(F.silu(self.join(torch.cat([F.silu(own), F.silu(end)], 1))))[:, 0]


class MotionNetwork(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        width, kernel = config['channels'], config['kernel']
        self.register_buffer('mel', torch.from_numpy(mel_filters(config)), persistent=False)
        n = np.arange(config['window'])
        window = 0.5 - 0.5 * np.cos(2 * np.pi * (n + 0.5) / config['window'])
        self.register_buffer('hann', torch.from_numpy(window.astype(np.float32)), persistent=False)
        self.stem = nn.Conv1d(config['melBands'], width, config['stemKernel'], stride=config['stemStride'])
        self.blocks = residual_blocks(width, kernel, config['dilations'])
        self.head = nn.Conv1d(width, config['components'], 1)
        self.closures = Closures(config) if 'closures' in config else None

    def features(self, pcm, filters=None):
        """pcm [B, N] -> [B, bands, frames] at 100 Hz; `filters` [B, bins, bands] replaces the mel filters."""
        frames = pcm.unfold(1, self.config['window'], self.config['hop']) * self.hann
        power = torch.view_as_real(torch.fft.rfft(frames, self.config['fftSize'])).square().sum(-1)
        mel = power @ (self.mel if filters is None else filters)
        scaled = (torch.log(mel + self.config['logFloor']) + self.config['featureShift']) * self.config['featureScale']
        return scaled.transpose(1, 2)

    def temporal(self, features, dropout=0.0):
        """[B, bands, frames] at 100 Hz -> [B, outputs, components] at 50 Hz."""
        return self.head(F.silu(self.trunk(features, dropout))).transpose(1, 2)

    def trunk(self, features, dropout=0.0, blocks=None):
        """[B, bands, frames] at 100 Hz -> [B, channels, outputs] at 50 Hz: what coefficients are made of; of the first blocks alone."""
        return self.through(F.silu(self.stem(features)), dropout, 0, blocks)

    def through(self, x, dropout=0.0, first=0, last=None):
        """[B, channels, n] through the blocks `first` to `last` - 1."""
        return through_blocks(self.blocks[first:last], self.config['dilations'][first:last], self.config['kernel'], x,
                              dropout if self.training else 0.0)

    def both(self, features, dropout=0.0):
        """The end of the trunk [B, channels, n], and logarithms of the odds of shut lips [B, n]."""
        after = self.config['closures']['after']
        middle = self.trunk(features, dropout, after)
        end = self.through(middle, dropout, after)
        return end, self.closures(middle, end, dropout)

    def forward(self, pcm):
        return self.temporal(self.features(pcm))


def config_of(weights):
    """The architecture of these weights: CONFIG, with as many blocks as they have, and closures if they have any."""
    blocks = sum(name.startswith('blocks.') and name.endswith('.conv.weight') for name in weights)
    config = {**CONFIG, 'dilations': CONFIG['dilations'][:blocks]}
    if not any(name.startswith('closures.') for name in weights):
        del config['closures']
    return config


def load_grown(network, weights):
    """Takes over weights of a network with fewer blocks, which then begin without an effect, or without closures."""
    missing, unexpected = network.load_state_dict(weights, strict=False)
    if unexpected:
        raise ValueError(f'Cannot take over weights: expected those of MotionNetwork, got {", ".join(unexpected)}, too')
    for name in missing:
        if '.mix.' in name:
            nn.init.zeros_(network.get_parameter(name))
        elif not name.startswith(('blocks.', 'closures.')):
            raise ValueError(f'Cannot take over weights: {name} is missing')


def features_of(network, pcm):
    """What the network sees of a whole recording, loudness included: its output i is at i * 20 ms."""
    config = network.config
    outputs = int(np.ceil(len(pcm) / config['sampleRate'] * config['outputRate'])) + 1
    padded = np.zeros(samples_for(config, outputs), np.float32)
    before = samples_before(config)
    part = pcm[:len(padded) - before] * loudness_gain(pcm, config)
    padded[before:before + len(part)] = part
    return network.features(torch.from_numpy(padded)[None])


def predict(network, pcm):
    """Coefficients [outputs, components] at 50 Hz of a whole recording before lips are shut; output i at i * 20 ms."""
    network.eval()
    with torch.no_grad():
        return network.temporal(features_of(network, pcm))[0].numpy()


def predict_closures(network, pcm):
    """[outputs] at 50 Hz: how likely the lips are shut for a P, B or M, 0 to 1."""
    network.eval()
    with torch.no_grad():
        return torch.sigmoid(network.both(features_of(network, pcm))[1])[0].numpy()
