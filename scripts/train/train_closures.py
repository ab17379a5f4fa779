"""Trains the part of the motion network that knows when lips are shut for a P, B or M, beside the trunk of a finished one.

    python3 train_closures.py --data DATA --work WORK --spoken SPOKEN --init motion.safetensors --minutes 15 --output new.safetensors

Needs what train_motion.py needs, and SPOKEN of `speak-languages.py SPOKEN val`. Coefficients stay as they are: the trunk is not
trained, so that a step is cheap. WORK/motion-closures.pt goes on where it was stopped. Minutes are of computing.
"""
import argparse
import collections
import json
import os
import time

import numpy as np
import torch

import safetensors_file
from check_motion import SHUT, padded, read_recorded, read_spoken
from motion_batches import Batches
from motion_network import CONFIG, MotionNetwork, load_grown, predict_closures
from motion_recordings import load_more, load_people, load_recordings, read_decoded
from more_speech import EMODB_VAL, list_emodb
from phone_teacher import BILABIAL, VOWELS
from train_motion import closure_loss, write_safetensors

CHECKPOINT_SECONDS = 120
# Steps on pieces that were seen before for each step on new ones, and how many pieces are kept.
REPLAYS, KEPT = 3, 1600
LABEL_REACH = 0.04


def found(network, items):
    """[values] at P, B, M (the most near the label), in the middles of vowels, and of other consonants away from closed lips."""
    bilabial, vowels, others = [], [], []
    for _, audio, phones in items:
        curve = predict_closures(network, audio)
        for i, (start, end, phone) in enumerate(phones):
            middle = curve[min(round((start + end) / 2 * CONFIG['outputRate']), len(curve) - 1)]
            if phone in BILABIAL:
                near = curve[max(0, round((start - LABEL_REACH) * 50)):round((end + LABEL_REACH) * 50) + 1]
                bilabial.append(near.max())
            elif phone in VOWELS:
                vowels.append(middle)
            elif phone not in SHUT and phones[i - 1][2] not in SHUT and phones[i + 1][2] not in SHUT:
                others.append(middle)
    return [np.array(values) for values in (bilabial, vowels, others)]


def describe(network, groups, levels=(0.3, 0.5)):
    lines = []
    for name, items in groups.items():
        values = found(network, items)
        shares = [' '.join(f'{np.mean(part > level):.3f}' for part in values) for level in levels]
        lines.append(f'{name} ({len(values[0])}): {", ".join(shares)}')
    return '; '.join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--spoken', required=True)
    parser.add_argument('--init', required=True)
    parser.add_argument('--minutes', type=float, default=15)
    parser.add_argument('--rate', type=float, default=2e-3)
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--seed', type=int, default=5)
    parser.add_argument('--output', required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    tensors, metadata = safetensors_file.read(args.init)
    network = MotionNetwork(CONFIG)
    load_grown(network, {k.removeprefix('network.'): v.float() for k, v in tensors.items() if k.startswith('network.')})
    for name, part in network.named_parameters():
        part.requires_grad_(name.startswith('closures.'))

    seen, more = load_people(args), load_more(args)
    same, others, _, _, synthetic = load_recordings(args, {r.name for split in seen['s1'].values() for r in split})
    groups = [([r for r in [*seen['s1']['train'], *same] if r.phones], 0.08), ([r for r in seen['people']['train'] if r.phones], 0.07),
              (others, 0.15), (more['emodb']['train'], 0.15), (more['ocean']['train'] + more['vctk']['train'], 0.15), (synthetic, 0.4)]
    for recordings, _ in groups:
        for recording in recordings:
            recording.curve = np.zeros((len(recording.closed) + 1, 1), np.float32)
    batches = Batches([group for group in groups if group[0]], args.seed, args.batch)
    batches.components = 1
    emotional = [(s, read_decoded(args, path), phones) for _, path, s, phones in list_emodb(args.data) if s in EMODB_VAL]
    groups = {'synthetic': [padded(*item) for item in read_spoken(args.spoken)], 'recorded': [padded(*item) for item in read_recorded(args)],
              'emotional': [padded(*item) for item in emotional]}

    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, args.rate, weight_decay=0.02)
    mean = {k: v.clone() for k, v in network.closures.state_dict().items()}
    step, used, running, path = 0, 0.0, None, os.path.join(args.work, 'motion-closures.pt')
    if os.path.exists(path):
        state = torch.load(path, weights_only=False)
        network.closures.load_state_dict(state['closures']), optimizer.load_state_dict(state['optimizer'])
        mean, step, used = state['mean'], state['step'], state['used']
        batches.random = np.random.default_rng([args.seed, step])
    kept, random = collections.deque(maxlen=KEPT), np.random.default_rng(args.seed + step)
    begin = kept_at = time.process_time()
    begin -= used

    def report(label):
        now = {k: v.clone() for k, v in network.closures.state_dict().items()}
        network.closures.load_state_dict(mean)
        print(f'{label}: {describe(network, groups)}', flush=True)
        network.closures.load_state_dict(now)

    def save():
        torch.save({'closures': network.closures.state_dict(), 'optimizer': optimizer.state_dict(), 'mean': mean, 'step': step,
                    'used': time.process_time() - begin}, f'{path}.partial')
        os.replace(f'{path}.partial', path)

    while (progress := (time.process_time() - begin) / (args.minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group['lr'] = args.rate * min(1, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * progress)))
        batch = batches.next()
        network.eval()
        with torch.no_grad():
            features = network.features(batch.pcm, batch.filters)
            if step % 3 == 0:  # other microphones still: a random offset for each band
                features = features + 0.1 * torch.randn(features.shape[0], features.shape[1], 1)
            middle = network.trunk(features, blocks=CONFIG['closures']['after'])
            end = network.through(middle, first=CONFIG['closures']['after'])
        network.train()
        # Making pieces and what the trunk says of them costs most of the time: they are learnt from more than once.
        kept.extend(zip(middle.half(), end.half(), batch.shut, batch.classes))
        for again in range(1 + REPLAYS if len(kept) > 8 * args.batch else 1):
            if again:
                chosen = [kept[i] for i in random.choice(len(kept), args.batch, replace=False)]
                middle, end, shut, classes = (torch.stack(part) for part in zip(*chosen))
                batch = batch._replace(shut=shut, classes=classes)
            loss = closure_loss(network.closures(middle.float(), end.float(), 0.1), batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        with torch.no_grad():
            decay = min(0.99, step / (step + 20))
            for key, value in network.closures.state_dict().items():
                mean[key].lerp_(value, 1 - decay)
        running = loss.item() if running is None else 0.99 * running + 0.01 * loss.item()
        step += 1
        if step % 100 == 0:
            print(f'{time.process_time() - begin:.0f} s, step {step}, loss {running:.4f}', flush=True)
        if time.process_time() - kept_at > CHECKPOINT_SECONDS:
            kept_at = time.process_time()
            save()
            report(f'step {step}')
    save()
    network.closures.load_state_dict(mean)
    facts = describe(network, groups)
    print('as it ships:', facts)
    tensors = {name: value.numpy() for name, value in tensors.items() if not name.startswith('network.closures.')}
    tensors.update({f'network.closures.{k}': v.numpy().astype(np.float16) for k, v in network.closures.state_dict().items()})
    measured = {**json.loads(metadata.get('measured', '{}')), 'shut at P B M, in vowels, in other consonants, above 0.3 and 0.5': facts}
    write_safetensors(args.output, tensors, {**metadata, 'measured': json.dumps(measured)})


if __name__ == '__main__':
    main()
