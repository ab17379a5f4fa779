"""Writes checkpoints of AniPortrait's published sizes, layouts and types, with deterministic weights, to a folder:

    python3 scripts/bench/make-full-size-checkpoints.py /tmp/full-aniportrait

12 GB, two to four minutes, up to 4.5 GB of memory; needs torch. The weights follow the formula of test/golden/networks,
so they mean nothing, but activations stay in range and every value can be recomputed from its name alone. The LCM-LoRA
next to them, lcm-lora-sdv1-5.safetensors, has the published one's header to the byte, which is checked, and changes weights
by about a tenth.
"""
import argparse
import gzip
import hashlib
import json
import math
import pathlib
import struct

import numpy as np
import torch

GOLDEN = pathlib.Path(__file__).parents[2] / 'test/golden'
KEYS = GOLDEN / 'networks/full_size'
LORA_LAYOUT = GOLDEN / 'lora/lcm_lora_sdv1_5_layout.json'

# What is published: path, key list, namespace of the formula.
FILES = [
    ('denoising_unet.pth', 'denoising_unet', 'denoising_unet'),
    ('motion_module.pth', 'motion_module', 'denoising_unet'),
    ('reference_unet.pth', 'reference_unet', 'reference_unet'),
    ('pose_guider.pth', 'pose_guider', 'pose_guider'),
    ('audio2mesh.pt', 'audio2mesh', 'audio2mesh'),
    ('audio2pose.pt', 'audio2pose', 'audio2pose'),
    ('image_encoder/pytorch_model.bin', 'image_encoder', 'clip'),
    ('sd-vae-ft-mse/diffusion_pytorch_model.safetensors', 'sd_vae_ft_mse', 'vae'),
]
OLD_VAE_NAMES = {'to_q': 'query', 'to_k': 'key', 'to_v': 'value', 'to_out.0': 'proj_attn'}
# Rank 64 and alpha 8: a merged weight then changes by this share of its spread.
LORA_UP_SCALE = 0.8
# The largest piece of a tensor that is computed at a time.
PIECE = 1 << 22


def fnv1a(text):
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def units(seed, start, count):
    """Values of [-1, 1) number `start` and following of a stream."""
    a = (np.arange(start + 1, start + count + 1, dtype=np.uint64) * 0x9E3779B9 + seed).astype(np.uint32)
    a ^= a >> 16
    a *= np.uint32(0x21F0AAAD)
    a ^= a >> 15
    a *= np.uint32(0x735A2D97)
    a ^= a >> 15
    return (a >> 8).astype(np.float64) / 8388608 - 1


def positional_table(shape):
    _, length, channels = shape
    rate = np.exp(-math.log(10000) * np.arange(0, channels, 2) / channels)
    table = np.zeros((length, channels), np.float32)
    table[:, 0::2] = np.sin(np.arange(length)[:, None] * rate)
    table[:, 1::2] = np.cos(np.arange(length)[:, None] * rate)
    return torch.from_numpy(table[None])


def weight(namespace, key, shape):
    last = key.rsplit('.', 1)[-1]
    if last == 'num_batches_tracked':
        return torch.zeros(shape, dtype=torch.int64)
    if last == 'pe':
        return positional_table(shape)
    if last in ('weight_g', 'running_var', 'scale') or (len(shape) == 1 and last == 'weight'):
        offset, scale = 1, 0.1
    elif len(shape) == 1:
        offset, scale = 0, 0.1
    else:
        offset, scale = 0, math.sqrt(3 / math.prod(shape[1:]))
    seed = fnv1a(f'{namespace}:{key}')
    values = np.empty(math.prod(shape), np.float32)
    for start in range(0, values.size, PIECE):
        piece = values[start:start + PIECE]
        piece[:] = offset + scale * units(seed, start, piece.size)
    return torch.from_numpy(values.reshape(shape))


def old_vae_name(key):
    for new, old in OLD_VAE_NAMES.items():
        key = key.replace(f'attentions.0.{new}.', f'attentions.0.{old}.')
    return key


def write_safetensors(path, keys, namespace, rename):
    header, end = {'__metadata__': {'format': 'pt'}}, 0
    for key, shape in keys:
        begin, end = end, end + 4 * math.prod(shape)
        header[rename(key)] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [begin, end]}
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        for key, shape in keys:
            file.write(weight(namespace, key, shape).numpy().tobytes())


def write_lora(path):
    """The published LCM-LoRA's names, types, shapes and places."""
    layout = json.loads(LORA_LAYOUT.read_text())
    rank = layout['rank']
    shapes = {}
    for module, (out, inputs, *kernel) in layout['modules']:
        name = 'lora_unet_' + module.replace('.', '_')
        shapes[f'{name}.alpha'] = []
        shapes[f'{name}.lora_down.weight'] = [rank, inputs, *kernel]
        shapes[f'{name}.lora_up.weight'] = [out, rank] + [1] * len(kernel)
    header, end = {'__metadata__': layout['metadata']}, 0
    for key in sorted(shapes):
        begin, end = end, end + 2 * math.prod(shapes[key])
        header[key] = {'dtype': 'F16', 'shape': shapes[key], 'data_offsets': [begin, end]}
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    # Some digests of headers count the length before it.
    whole = struct.pack('<Q', len(text)) + text
    assert layout['header_sha256'] in {hashlib.sha256(part).hexdigest() for part in (text, whole)}
    with open(path, 'wb') as file:
        file.write(whole)
        for key in sorted(shapes):
            if key.endswith('.alpha'):
                values = torch.tensor(layout['alpha_expected'])
            else:
                values = weight('lora', key, shapes[key]) * (LORA_UP_SCALE if '.lora_up.' in key else 1)
            file.write(values.to(torch.float16).numpy().tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--keys', type=pathlib.Path, default=KEYS)
    arguments = parser.parse_args()
    for name, list_name, namespace in FILES:
        path = arguments.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        keys = json.loads(gzip.decompress((arguments.keys / f'{list_name}.json.gz').read_bytes()))
        if path.suffix == '.safetensors':
            write_safetensors(path, keys, namespace, old_vae_name)
        else:
            state = {key: weight(namespace, key, shape) for key, shape in keys}
            if list_name == 'image_encoder':
                state['vision_model.embeddings.position_ids'] = torch.arange(257)[None]
            torch.save(state, path)
            del state
        print(f'{path}: {path.stat().st_size} bytes, {len(keys)} keys', flush=True)
    path = arguments.folder / 'lcm-lora-sdv1-5.safetensors'
    write_lora(path)
    print(f'{path}: {path.stat().st_size} bytes', flush=True)


if __name__ == '__main__':
    main()
