"""Writes test/golden/motion/network.json: what PyTorch makes of the bundle's motion weights.

    python3 scripts/golden/motion.py assets/bundles/tiny/motion.safetensors motion-config.json test/golden/motion
"""
import json
import os
import struct
import sys

import numpy as np
import torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'train'))
from motion_network import MotionNetwork, loudness_gain, samples_before, samples_for  # noqa: E402

OUTPUTS = 6


def read_safetensors(path):
    data = open(path, 'rb').read()
    size = struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop('__metadata__', None)
    return {name: np.frombuffer(data[8 + size:][slice(*item['data_offsets'])],
                                {'F16': np.float16, 'F32': np.float32}[item['dtype']]).reshape(item['shape'])
            for name, item in header.items()}


def voice(count):
    """Something like a vowel that glides: pulses at 110 to 150 Hz through moving resonances, in a little noise."""
    t = np.arange(count) / 16000
    phase = np.cumsum(110 + 60 * t) / 16000
    out = np.random.default_rng(5).standard_normal(count) * 0.003
    for harmonic in range(1, 40):
        frequency = harmonic * (110 + 60 * t)
        level = sum(gain / (1 + ((frequency - centre) / width) ** 2)
                    for centre, width, gain in ((400 + 600 * t, 90, 1.0), (1500 - 700 * t, 120, 0.6), (2600, 200, 0.3)))
        out += 0.1 * level * np.cos(2 * np.pi * harmonic * phase)
    return out


def main():
    weights_path, config_path, folder = sys.argv[1:]
    config = json.load(open(config_path, encoding='utf-8'))
    network = MotionNetwork(config)
    weights = {k[len('network.'):]: torch.from_numpy(v.astype(np.float32)) for k, v in
               read_safetensors(weights_path).items() if k.startswith('network.')}
    network.load_state_dict(weights)
    pcm = np.round(np.clip(voice(samples_for(config, OUTPUTS)), -1, 1) * 32767).astype(int)
    samples = (pcm / 32768).astype(np.float32)
    with torch.no_grad():
        features = network.features(torch.from_numpy(samples)[None])[0].numpy()
        coefficients = network(torch.from_numpy(samples)[None])[0].numpy()
        closures = torch.sigmoid(network.both(torch.from_numpy(features)[None])[1])[0].numpy()
    golden = {
        'project': 'lcm-portrait', 'symbol': 'scripts/train/motion_network.py MotionNetwork',
        'script': 'scripts/golden/motion.py', 'torch': torch.__version__, 'config': config,
        'samplesBefore': samples_before(config), 'gain': loudness_gain(samples, config), 'pcm': pcm.tolist(),
        'firstWindow': [float(f'{v:.7g}') for v in features[:, 0]],
        'coefficients': [[float(f'{v:.7g}') for v in row] for row in coefficients],
        'closures': [float(f'{v:.7g}') for v in closures],
    }
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'network.json'), 'w', encoding='utf-8') as file:
        json.dump(golden, file, separators=(',', ':'))
        file.write('\n')


if __name__ == '__main__':
    main()
