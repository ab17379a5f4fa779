"""Trains the speech-to-expression network and writes the bundle's motion weights.

    python3 train_motion.py --data DATA --work WORK --minutes 20 --output motion.safetensors --config motion.json

Needs WORK/motion-data.npz of motion_data.py and WORK/tts.npz of speech_corpus.py.
Three steps: the filmed speaker alone; phone curves learnt from that speaker; then all voices together.
"""
import argparse
import copy
import json
import os
import struct
import time

import numpy as np
import torch
from torch.nn import functional as F

import safetensors_file
from motion_batches import Batches
from motion_data import LIP_BOTTOM, LIP_TOP, LIPS, smoothstep
from motion_network import CONFIG, MotionNetwork, loudness_gain, predict
from motion_recordings import coded, load_recordings, upsample
from phone_teacher import BILABIAL, PhoneTeacher
from speech_augment import RATE

VIDEO_FPS = 25
# Weights of the loss: of the time of P, B and M above other times; of openings on a logarithmic scale.
CLOSURE_STRESS = 2.0
TOUCH = 0.1


def apart(opening):
    """Openings in cm as the eye judges them: steep where lips part, and hardly changing where they pass each other."""
    return torch.log1p(F.relu(opening) / 0.1) + torch.clamp(opening, max=0)


class MotionLoss:
    """Errors of all vertices, of the lips and of the lip opening, and of their change over time."""

    def __init__(self, basis, coefficients):
        variance = coefficients.var(0)
        lips = basis[:, LIPS].reshape(len(basis), -1)
        values, vectors = np.linalg.eigh(lips @ lips.T)
        lips = vectors * np.sqrt(np.maximum(values, 0))
        gap = basis[:, LIP_TOP, 1] - basis[:, LIP_BOTTOM, 1]
        columns = [np.eye(len(basis)) / np.sqrt(variance.sum()), 1.4 * lips / np.sqrt((coefficients @ lips).var(0).sum()),
                   1.2 * gap[:, None] / (coefficients @ gap).std()]
        self.map = torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))
        self.gap = torch.from_numpy(gap.astype(np.float32))
        self.spread = float((coefficients @ gap).std())

    def __call__(self, predicted, target, closed, weight):
        error = (predicted - target) @ self.map
        # Closed lips during speech are what the eye notices: they count more.
        opening, wanted = predicted @ self.gap, target @ self.gap
        stress = 1 + torch.clamp(0.6 - wanted / self.spread, 0, 0.6) + CLOSURE_STRESS * closed
        position = F.smooth_l1_loss(error * stress[..., None], torch.zeros_like(error), reduction='none', beta=0.3).mean((1, 2))
        # Whether lips touch is seen, half a millimetre more of a wide mouth is not: openings count by their logarithm, too.
        touch = (apart(opening) - apart(wanted)) * (1 + CLOSURE_STRESS * closed)
        position = position + TOUCH * F.smooth_l1_loss(touch, torch.zeros_like(touch), reduction='none', beta=0.3).mean(1)
        speed = (error[:, 1:] - error[:, :-1]) * 2
        change = F.smooth_l1_loss(speed, torch.zeros_like(speed), reduction='none', beta=0.3).mean((1, 2))
        return ((position + 0.5 * change) * weight).sum() / weight.sum()


def at_video_rate(curve, frames):
    """[frames, K] at 25 fps of coefficients at 50 Hz."""
    return curve[:2 * frames:2][:frames]


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def evaluate(network, recordings, gap):
    predicted = [at_video_rate(predict(network, r.raw), len(r.frames)) for r in recordings]
    real = np.concatenate([r.frames for r in recordings])
    predicted = np.concatenate(predicted)
    lips = correlation(predicted @ gap, real @ gap)
    each = [correlation(predicted[:, k], real[:, k]) for k in range(real.shape[1])]
    return lips, float((predicted @ gap).std() / (real @ gap).std()), each, float(1 - ((predicted - real) ** 2).sum() / (real ** 2).sum())


def closure_rate(recordings, opening_at, limit):
    """Share of the bilabials whose least lip opening is under `limit` cm, and the mean opening within vowels."""
    closed = []
    for recording in recordings:
        times, opening = opening_at(recording)
        for start, end, phone in recording.phones or []:
            if phone in BILABIAL:
                inside = (times >= start - 0.03) & (times <= end + 0.03)
                if inside.any():
                    closed.append(opening[inside].min() < limit)
    return float(np.mean(closed)), len(closed)


def silence_opening(recordings, opening_at):
    values = []
    for recording in recordings:
        times, opening = opening_at(recording)
        for start, end, phone in recording.phones or []:
            if phone in ('SIL', 'SP') and end - start > 0.3:
                values.append(opening[(times > start + 0.12) & (times < end - 0.15)])
    values = np.concatenate(values)
    return float(np.mean(np.abs(values))), float(np.quantile(np.abs(values), 0.95))


def train(network, batches, loss_of, seconds, peak, report, average=0.998):
    optimizer = torch.optim.AdamW(network.parameters(), peak, weight_decay=0.02)
    mean = {k: v.clone() for k, v in network.state_dict().items()}
    # Computing time: a process that waits or is stopped does not skip the end of the schedule.
    begin, step, running = time.process_time(), 0, 0.0
    while (progress := (time.process_time() - begin) / seconds) < 1:
        rate = peak * min(1, step / 100) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * progress)))
        for group in optimizer.param_groups:
            group['lr'] = rate
        pcm, target, closed, weight, filters = batches.next()
        network.train()
        with torch.no_grad():
            features = network.features(pcm, filters)
            if step % 3 == 0:  # other microphones still: a random offset for each band
                features = features + 0.1 * torch.randn(features.shape[0], features.shape[1], 1)
        predicted = network.temporal(features, dropout=0.08)
        loss = loss_of(predicted, target, closed, weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            decay = min(average, step / (step + 50))
            for key, value in network.state_dict().items():
                mean[key].lerp_(value, 1 - decay)
        running = 0.99 * running + 0.01 * loss.item() if step else loss.item()
        step += 1
        if step % 500 == 0:
            kept = {k: v.clone() for k, v in network.state_dict().items()}
            network.load_state_dict(mean)
            print(f'{time.process_time() - begin:.0f} s, step {step}, loss {running:.4f}, {report(network)}', flush=True)
            network.load_state_dict(kept)
    network.load_state_dict(mean)


def write_safetensors(path, tensors, metadata):
    header, offset, parts = {'__metadata__': metadata}, 0, []
    for name, value in tensors.items():
        data = np.ascontiguousarray(value)
        kind = {'float16': 'F16', 'float32': 'F32'}[str(data.dtype)]
        header[name] = {'dtype': kind, 'shape': list(data.shape), 'data_offsets': [offset, offset + data.nbytes]}
        parts.append(data.tobytes())
        offset += data.nbytes
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + b''.join(parts))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--minutes', type=float, default=20)
    parser.add_argument('--first-minutes', type=float, default=4)
    parser.add_argument('--init', help="a bundle's motion.safetensors to go on from, instead of from nothing")
    parser.add_argument('--rate', type=float, help='highest learning rate of the last step; 2e-3, with --more 1.2e-3')
    parser.add_argument('--more', action='store_true', help='train the finished network for --minutes again')
    parser.add_argument('--seed', type=int, default=2, help='of what the last step draws')
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--output', required=True)
    parser.add_argument('--config', required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    motion = np.load(os.path.join(args.work, 'motion-data.npz'))
    basis = motion['basis'].astype(np.float64)
    gap = basis[:, LIP_TOP, 1] - basis[:, LIP_BOTTOM, 1]
    talking, same, others, vals, tests, synthetic = load_recordings(args, motion)
    print({k: len(v) for k, v in talking.items()}, len(same), 'more of the filmed speaker,', len(others), 'others,',
          len(tests), 'tests,', len(synthetic), 'synthetic')
    coefficients = np.concatenate([r.frames for r in talking['train']])
    loss_of = MotionLoss(basis, coefficients)
    network = MotionNetwork(CONFIG)

    def report(net):
        lips, spread, _, explained = evaluate(net, talking['val'], gap)
        text = f'val gap r {lips:.3f} (std ratio {spread:.2f}), explained {explained:.3f}'
        if vals[0].curve is not None:
            # Lips do not pass through each other: what presses them counts as closed.
            a = np.concatenate([np.maximum(0, predict(net, r.raw)[::2][:len(r.curve) // 4] @ gap) for r in vals])
            b = np.concatenate([np.maximum(0, r.curve[::4][:len(r.curve) // 4] @ gap) for r in vals])
            text += f', others r {correlation(a, b):.3f}'
        return text

    first = os.path.join(args.work, 'motion-first.pt')
    if args.init:
        tensors, _ = safetensors_file.read(args.init)
        weights = {k.removeprefix('network.'): v.float() for k, v in tensors.items() if k.startswith('network.')}
        network.load_state_dict(weights)
    elif os.path.exists(first):
        network.load_state_dict(torch.load(first))
    else:
        train(network, Batches([(talking['train'], 1.0)], 1, args.batch), loss_of, args.first_minutes * 60, 2e-3, report)
        torch.save(network.state_dict(), first)
    print('first step:', report(network))

    # Phone curves: real ones where the clip is labelled, the network's own for more speech of the filmed speaker.
    examples = [(r.phones, r.curve) for r in talking['train'] if r.phones]
    for recording in same:
        curve = upsample(predict(network, recording.raw), 2)[:round(len(recording.raw) / 160)]
        examples.append((recording.phones, curve))
    teacher = PhoneTeacher(examples, gap)
    held = [r for split in ('val', 'test') for r in talking[split] if r.phones]
    for sharpen in (False, True):
        a = np.concatenate([teacher.curves(r.phones, len(r.curve), sharpen) @ gap for r in held])
        b = np.concatenate([r.curve @ gap for r in held])
        print(f'phone curves, {len(held)} held-out labelled clips, sharpen {sharpen}: gap r {correlation(a, b):.3f}')
    for recording in others + vals + tests + synthetic:
        recording.curve = teacher.curves(recording.phones, round(len(recording.audio) / 160) + 1)
        recording.weight = 0.7 if recording.speaker else 0.5
    # The same recordings as they come from the net or the telephone.
    random = np.random.default_rng(4)
    for recording in [*others, *others, *random.choice(synthetic, 150, replace=False)]:
        other = copy.copy(recording)
        other.raw = coded(recording.raw, random)
        other.audio = other.raw * loudness_gain(other.raw, CONFIG)
        (others if recording.speaker else synthetic).append(other)
    for recording in same:
        recording.curve = teacher.curves(recording.phones, round(len(recording.audio) / 160) + 1, False)
        recording.weight = 0.3
    print('before other voices:', report(network))

    final = os.path.join(args.work, 'motion-final.pt')
    if args.more or not os.path.exists(final):
        if args.more:
            network.load_state_dict(torch.load(final))
        groups = [(talking['train'], 0.38), (same, 0.03), (others, 0.26), (synthetic, 0.33)]
        batches = Batches(groups, args.seed, args.batch)
        train(network, batches, loss_of, args.minutes * 60, args.rate or (1.2e-3 if args.more else 2e-3), report)
        torch.save(network.state_dict(), final)
    network.load_state_dict(torch.load(final))

    # Numbers for the record, on the test split and on speakers that no step has heard.
    facts = {}
    lips, spread, each, explained = evaluate(network, talking['test'], gap)
    facts['test gap r'] = round(lips, 3)
    facts['test gap std ratio'] = round(spread, 3)
    facts['test explained variance'] = round(explained, 3)
    print('components r', np.round(each, 2))

    def by_network(recording):
        curve = predict(network, recording.raw) @ gap
        return np.arange(len(curve)) / 50, curve

    def real(recording):
        return np.arange(len(recording.frames)) / VIDEO_FPS, recording.frames @ gap

    def by_teacher(recording):
        return np.arange(len(recording.curve)) / 100, recording.curve @ gap

    a = np.concatenate([predict(network, r.raw)[::2][:len(r.curve) // 4] @ gap for r in tests])
    b = np.concatenate([r.curve[::4][:len(r.curve) // 4] @ gap for r in tests])
    facts['other speakers, r with phone curves'] = round(correlation(a, b), 3)
    for limit in (0.12, 0.2):
        print(f'closure of P B M under {limit} cm: held-out clips', closure_rate(held, by_network, limit), 'really',
              closure_rate(held, real, limit), 'others', closure_rate(tests, by_network, limit), 'their curves',
              closure_rate(tests, by_teacher, limit))
    facts['closed P B M, others'] = round(closure_rate(tests, by_network, 0.15)[0], 3)
    facts['closed P B M, held-out clips'] = round(closure_rate(held, by_network, 0.15)[0], 3)
    facts['closed P B M, held-out clips, filmed'] = round(closure_rate(held, real, 0.15)[0], 3)
    facts['opening in silence, cm, others'] = round(silence_opening(tests, by_network)[0], 3)
    facts['opening in silence, cm, held-out clips'] = round(silence_opening(held, by_network)[0], 3)
    facts['opening in silence, cm, held-out clips, filmed'] = round(silence_opening(held, real)[0], 3)
    quiet = predict(network, np.zeros(RATE, np.float32)) @ gap
    facts['opening in digital silence, cm'] = round(float(np.abs(quiet).max()), 3)
    noise = predict(network, (np.random.default_rng(3).standard_normal(3 * RATE) * 0.02).astype(np.float32)) @ gap
    facts['opening in white noise, cm'] = round(float(np.abs(noise).max()), 3)
    print(json.dumps(facts, indent=1))

    tensors = {f'network.{k}': v.numpy().astype(np.float16) for k, v in network.state_dict().items()}
    tensors['expression.basis'] = motion['basis'].astype(np.float16)
    tensors['expression.std'] = motion['std'].astype(np.float32)
    tensors['expression.blink'] = motion['blink'].astype(np.float16)
    # Share of each vertex that belongs to mouth and jaw, by its height in the speaker's closed-mouth mesh.
    tensors['expression.mouth'] = smoothstep((-2.0 - motion['neutral'][:, 1]) / 1.5).astype(np.float32)
    opening = coefficients @ gap
    centred = opening - opening.mean()
    tensors['expression.opening'] = (centred @ (coefficients - coefficients.mean(0)) / (centred @ centred)).astype(np.float32)
    metadata = {
        'trained_on': 'GRID speaker 1 (CC BY 4.0), labelled speech of other speakers, flite and espeak-ng voices',
        'attribution': 'GRID audiovisual sentence corpus, Cooke, Barker, Cunningham, Shao (2006), CC BY 4.0',
        'measured': json.dumps(facts),
    }
    write_safetensors(args.output, tensors, metadata)
    with open(args.config, 'w', encoding='utf-8') as file:
        json.dump(CONFIG, file, indent=2)


if __name__ == '__main__':
    main()
