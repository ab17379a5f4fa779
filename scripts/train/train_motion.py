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
import subprocess
import tempfile
import time

import numpy as np
import torch
from torch.nn import functional as F

import safetensors_file
from motion_data import LIP_BOTTOM, LIP_TOP, LIPS, read_audio, read_table, smoothstep
from motion_network import CONFIG, MotionNetwork, context_frames, loudness_gain, mel_filters, predict, samples_before, samples_for
from phone_teacher import BILABIAL, REST_TAKES, PhoneTeacher, centre_on_dips, closures, read_phones
from speech_augment import RATE, bursts, degrade, random_noise, stretch

VIDEO_FPS = 25
OUTPUTS = 80
VAL_SPEAKERS = ('sb-spk1', 'libri-1088', 'JFK')
TEST_SPEAKERS = ('sb-spk2', 'libri-61', 'cv-22058264', 'cv-22058266', 'cv-22058267')
SKIPPED_SPEAKERS = ('arctic-slt',)  # the voice of one of the speech synthesisers
# Weights of the loss: of the time of P, B and M above other times; of openings on a logarithmic scale.
CLOSURE_STRESS = 2.0
TOUCH = 0.1
# Share of the pieces that a pause is put into; seconds until the mouth begins to rest, and how much the rest counts beside a closure.
PAUSES = 0.15
PAUSE_REST_AFTER, PAUSE_STRESS = 0.03, 0.5
CODECS = [('mp3', ['-c:a', 'libmp3lame', '-b:a', '24k']), ('mp3', ['-c:a', 'libmp3lame', '-b:a', '40k']),
          ('ogg', ['-c:a', 'libopus', '-b:a', '10k']), ('ogg', ['-c:a', 'libopus', '-b:a', '20k'])]
WARPS = [0.82, 0.87, 0.92, 0.96, 1.0, 1.0, 1.05, 1.1, 1.16, 1.22, 1.28]


def upsample(values, factor):
    """[F, K] -> [F * factor, K] by Catmull-Rom, first sample kept in place, ends held."""
    p = np.concatenate([values[:1], values, values[-1:], values[-1:]])
    out = []
    for i in range(factor):
        t = i / factor
        w = [(-t + 2 * t * t - t ** 3) / 2, (2 - 5 * t * t + 3 * t ** 3) / 2, (t + 4 * t * t - 3 * t ** 3) / 2,
             (-t * t + t ** 3) / 2]
        out.append(sum(wi * p[k:k + len(values)] for k, wi in enumerate(w)))
    return np.stack(out, 1).reshape(-1, values.shape[1])


class Recording:
    """Audio at the target level, target curves at 100 Hz (or None), phones (or None) with P and B where the sound is weakest."""

    def __init__(self, name, audio, curve=None, phones=None, speaker=None):
        self.name, self.raw, self.curve, self.weight, self.speaker = name, audio, curve, 1.0, speaker
        self.phones = phones and centre_on_dips(phones, audio)
        self.audio = audio * loudness_gain(audio, CONFIG)
        count = round(len(audio) / 160) + 2 if curve is None else len(curve)
        self.closed = closures(self.phones or [], count)


def coded(audio, random):
    """What a lossy codec leaves of a recording, at the same times."""
    suffix, options = CODECS[random.integers(len(CODECS))]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f'coded.{suffix}')
        subprocess.run(['ffmpeg', '-v', 'error', '-f', 'f32le', '-ar', f'{RATE}', '-ac', '1', '-i', '-', *options, path], check=True,
                       input=audio.astype(np.float32).tobytes())
        out = read_audio(path)
    # Some decoders begin with the coder's own delay: the sound is put back to where it was.
    size = 1 << int(np.ceil(np.log2(len(audio) + len(out))))
    lag = int(np.argmax(np.fft.irfft(np.fft.rfft(out, size) * np.conj(np.fft.rfft(audio, size)))[:RATE // 4]))
    return np.pad(out[lag:], (0, len(audio)))[:len(audio)]


def find_phones(args, name):
    """Phones of align_speech.py, else those of the data, else None."""
    for folder in (os.path.join(args.work, 'phn'), os.path.join(args.data, 'speech', 'phn')):
        path = os.path.join(folder, f'{name}.phn')
        if os.path.exists(path):
            return read_phones(path)
    return None


def load_recordings(args, motion):
    starts = np.concatenate([[0], np.cumsum(motion['lengths'])])
    talking = {'train': [], 'val': [], 'test': []}
    for i, name in enumerate(motion['names']):
        coefficients = motion['coefficients'][starts[i]:starts[i + 1]]
        recording = Recording(str(name), read_audio(os.path.join(args.data, 'talking', f'{name}.mkv')),
                              upsample(coefficients, 4), find_phones(args, f'grid_{name}'))
        recording.frames = coefficients
        talking[str(motion['splits'][i])].append(recording)
    held = {r.name for split in ('val', 'test') for r in talking[split]}
    seen = held | {r.name for r in talking['train']}
    same, others, vals, tests = [], [], [], []
    for row in read_table(os.path.join(args.data, 'speech', 'index.tsv')):
        name = row['file'][:-5]
        phones = find_phones(args, name)
        if phones is None or row['speaker'] in SKIPPED_SPEAKERS or name[5:] in seen:
            continue
        recording = Recording(name, read_audio(os.path.join(args.data, 'speech', row['file'])), None, phones, row['speaker'])
        speaker = row['speaker']
        group = tests if speaker in TEST_SPEAKERS else vals if speaker in VAL_SPEAKERS else same if speaker == 'grid-s1' else others
        group.append(recording)
    with np.load(os.path.join(args.work, 'tts.npz')) as tts:
        offset, rows = 0, list(zip(tts['utterance'], tts['start'], tts['end'], tts['phone']))
        phones = [[] for _ in tts['lengths']]
        for i, start, end, phone in rows:
            phones[i].append((float(start), float(end), str(phone)))
        audio = tts['audio'].astype(np.float32) / 32768
        synthetic = []
        for i, length in enumerate(tts['lengths']):
            synthetic.append(Recording(f"{tts['voices'][i]}:{i}", audio[offset:offset + length], None, phones[i]))
            offset += length
    return talking, same, others, vals, tests, synthetic


def shares_of(recordings):
    """How often each is drawn: by its length, and many recordings of one speaker less often than their sum."""
    seconds = np.array([len(r.raw) / RATE for r in recordings])
    speakers = [r.speaker for r in recordings]
    of_speaker = np.array([seconds[[other == speaker for other in speakers]].sum() for speaker in speakers])
    shares = seconds / (1 if speakers[0] is None else np.sqrt(of_speaker))
    return shares / shares.sum()


def insert_pause(random, audio, target, closed, before):
    """The same with a pause somewhere, in which the mouth comes to rest; `audio` begins `before` samples ahead of the target."""
    step = RATE // CONFIG['outputRate']
    length, at = random.integers(8, 32), random.integers(5, OUTPUTS - 8)  # outputs
    cut, fade = before + at * step, random.integers(80, 960)
    silence = np.zeros(length * step, np.float32)
    first, second = audio[:cut].copy(), audio[cut:].copy()
    first[-fade:] *= np.linspace(1, 0, fade)
    fade = min(random.integers(80, 480), len(second))
    second[:fade] *= np.linspace(0, 1, fade)
    audio = np.concatenate([first, silence, second])[:len(audio)]
    target = np.concatenate([target[:at], np.repeat(target[at - 1:at], length, 0), target[at:]])[:OUTPUTS]
    closed = np.concatenate([closed[:at], np.zeros(length), closed[at:]])[:OUTPUTS]
    t = np.arange(OUTPUTS)
    inside = np.minimum(t - at + 0.5, at + length - 0.5 - t) / CONFIG['outputRate']
    rest = smoothstep((inside - PAUSE_REST_AFTER) / REST_TAKES)
    return audio, target * (1 - rest)[:, None], np.maximum(closed, PAUSE_STRESS * rest)


class Batches:
    """Draws augmented pieces of recordings with their target curves."""

    def __init__(self, groups, seed, size):
        self.groups, self.size = groups, size  # [(recordings, share)]
        self.drawn = [shares_of(recordings) for recordings, _ in groups]
        self.random = np.random.default_rng(seed)
        self.filters = torch.from_numpy(np.stack([mel_filters(CONFIG, w) for w in WARPS]))
        self.count, self.before = samples_for(CONFIG, OUTPUTS), samples_before(CONFIG)
        self.components = CONFIG['components']

    def piece(self, recording, ratio):
        random, rate = self.random, CONFIG['outputRate']
        span = self.count * ratio
        start = random.uniform(-0.35, max(0.1, len(recording.audio) / RATE - 1.2)) * RATE - self.before
        first, last = int(np.floor(start)), int(np.ceil(start + span)) + 2
        source = np.zeros(last - first, np.float32)
        a, b = max(first, 0), min(last, len(recording.audio))
        if b > a:
            source[a - first:b - first] = recording.audio[a:b]
        audio = stretch(source, ratio, self.count)
        times = (first + self.before * ratio) / RATE + np.arange(OUTPUTS) / rate * ratio
        curve = recording.curve
        position = np.clip(times * 100, 0, len(curve) - 1.001)
        index = position.astype(int)
        target = curve[index] + (curve[index + 1] - curve[index]) * (position - index)[:, None]
        closed = recording.closed[np.minimum(index, len(recording.closed) - 1)] ** 2
        # Beyond its ends a recording is silent, and the mouth comes to rest.
        end = len(recording.audio) / RATE
        outside = np.maximum(np.maximum(-times, times - end), 0)
        rest = np.clip(outside / 0.15, 0, 1)
        target = target * (1 - rest * rest * (3 - 2 * rest))[:, None]
        if random.random() < 0.06:  # speech that stops dead
            cut = random.uniform(0.3, 1.3)
            audio[self.before + int(cut * RATE):] = 0
            rest = np.clip((np.arange(OUTPUTS) / rate - cut + 0.02) / 0.14, 0, 1)
            target = target * (1 - rest * rest * (3 - 2 * rest))[:, None]
        return audio, target, closed

    def next(self):
        random = self.random
        shares = np.array([share for _, share in self.groups])
        audios, targets, closed, weights, warps = [], [], [], [], []
        for _ in range(self.size):
            warps.append(random.integers(len(WARPS)))
            if random.random() < 0.1:
                level = 10 ** random.uniform(-4, -0.8)
                audio = random_noise(random, self.count) * level if random.random() < 0.9 else np.zeros(self.count)
                if random.random() < 0.3:
                    audio = audio + bursts(random, self.count) * 10 ** random.uniform(-3, -1)
                if random.random() < 0.5:  # noise that sets in and stops is not speech either
                    on, off = np.sort(random.integers(-self.count // 2, self.count * 3 // 2, 2))
                    audio[:max(on, 0)] = 0
                    audio[max(off, 0):] = 0
                audios.append(audio.astype(np.float32))
                targets.append(np.zeros((OUTPUTS, self.components)))
                closed.append(np.zeros(OUTPUTS))
                weights.append(0.7)
                continue
            chosen = random.choice(len(shares), p=shares / shares.sum())
            recording = self.groups[chosen][0][random.choice(len(self.drawn[chosen]), p=self.drawn[chosen])]
            audio, target, closes = self.piece(recording, np.exp(random.uniform(-0.2, 0.2)))
            if random.random() < PAUSES:
                audio, target, closes = insert_pause(random, audio, target, closes, self.before)
            if random.random() < 0.9:
                babble = None
                if random.random() < 0.15:
                    other = self.groups[-1][0][random.integers(len(self.groups[-1][0]))]
                    babble = np.resize(other.audio, self.count)
                audio = degrade(random, audio, babble)
            audios.append(audio.astype(np.float32))
            targets.append(target)
            closed.append(closes)
            weights.append(recording.weight)
        return (torch.from_numpy(np.stack(audios)), torch.from_numpy(np.stack(targets).astype(np.float32)),
                torch.from_numpy(np.stack(closed).astype(np.float32)), torch.tensor(weights, dtype=torch.float32), self.filters[torch.tensor(np.array(warps))])


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
