"""
Gives a motion network other gains than it was exported with, without training: opening, width and protrusion of all that it says are
multiplied, as train_motion.py does when it ends. What the file says of measurements keeps the gains that it was measured with.

    python3 regain_motion.py --work WORK --init MOTION.safetensors --gains 1.2,1.5,1 --output MOTION.safetensors

WORK has motion-data.npz. Tensors that do not change stay as they are, bit for bit.
"""
import argparse
import json
import os
import types

import numpy as np

import safetensors_file
import torch
from motion_people import lift_of, mouth_measures
from train_motion import stretch, write_safetensors


def main():
    parser = argparse.ArgumentParser()
    for name in ('work', 'init', 'gains', 'output'):
        parser.add_argument(f'--{name}', required=True)
    args = parser.parse_args()
    gains = [float(gain) for gain in args.gains.split(',')]
    motion = np.load(os.path.join(args.work, 'motion-data.npz'))
    ends = np.cumsum(motion['lengths'])
    train = [motion['coefficients'][end - length:end] for end, length, split in zip(ends, motion['lengths'], motion['splits']) if split == 'train']
    measures = mouth_measures(motion['basis'].astype(np.float64))
    tensors, about = safetensors_file.read(args.init)
    head = {part: tensors[f'network.head.{part}'].float() for part in ('weight', 'bias')}
    before = json.loads(about.get('gains', '[1, 1, 1]'))
    # The facts in the file stay those of the training that wrote them.
    measured_at = about.get('measured_at_gains', json.dumps(before))
    stretch(types.SimpleNamespace(head=types.SimpleNamespace(**head)), measures, lift_of(np.concatenate(train), measures),
            np.array(gains) / np.array(before))
    for part, value in head.items():
        tensors[f'network.head.{part}'] = value.to(torch.float16)
    write_safetensors(args.output, {name: value.numpy() for name, value in tensors.items()}, {**about, 'gains': json.dumps(gains), 'measured_at_gains': measured_at})
    print(f'gains {before} -> {gains}')


if __name__ == '__main__':
    main()
