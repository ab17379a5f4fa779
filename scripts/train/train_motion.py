"""Trains the speech-to-expression network and writes the bundle's motion weights.

    python3 train_motion.py --data DATA --work WORK --minutes 20 --output motion.safetensors --config motion.json

Needs WORK/motion-data.npz of motion_data.py, WORK/people-data.npz of motion_people.py, WORK/phn of align_speech.py and WORK/tts.npz
of speech_corpus.py. Goes on from a bundle's network: phone curves are learnt from the filmed people; blocks that the network lacks
are trained alone on pieces that the others have heard once (--frozen); then all, on all voices together.
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
from motion_batches import Batches, FrozenPieces
from motion_data import LIPS, smoothstep
from motion_network import CONFIG, MotionNetwork, config_of, load_grown, loudness_gain, predict
from motion_people import lift_of, mouth_measures, with_corners
from motion_recordings import coded, load_bystanders, load_more, load_people, load_recordings, rested
from phone_teacher import BILABIAL, PHONES, VOWELS, PhoneTeacher, stress
from speech_augment import RATE

VIDEO_FPS = 25
# Weights of the loss: of the time of P, B and M above other times; of openings on a logarithmic scale.
CLOSURE_STRESS = 2.0
TOUCH = 0.1
# Weights of opening, width and protrusion relative to those of all vertices; of phones, which the network tells apart in training alone.
MEASURE_STRESS = (1.2, 0.8, 0.3)
PHONES_SHARE = 0.06
# What phones ask of the mouth, in addition to what the filmed speaker's flat delivery made of them.
OPEN_SPEECH = 1.2
CHECKPOINT_SECONDS = 180
# Share of what the layers say that a step does without; of the pieces in which some bands stand still, and how many at most.
DROPOUT, BANDS_STILL, MOST_BANDS = 0.08, 0.3, 8
# Weights of what opening and width lack of a correlation of 1 within a piece; and their deviation in cm under which they hardly count.
TOGETHER_SHARES, TOGETHER_FLOOR = (0.2, 0.08), 0.1
# Share of the pieces in which a filmed person's own way of opening is not told: then everybody's mean is asked for, as in use.
MOUTH_UNTOLD = 0.35
# How much more a frame of other filmed people counts than one of the filmed speaker when phone curves are learnt.
PEOPLE_WEIGHT = 4.0
# Weight of closures in the loss of all, and in it of moments at which lips are shut, and of vowels, in which they never are.
CLOSURES_SHARE = 0.3
SHUT_STRESS, VOWEL_STRESS = 3.0, 2.0
# After training opening, width and protrusion are made larger by these factors, so that people and voices to choose by move them as far as
# lively speakers do on film, as the attention mesh sees it (openings deviate by 6.5 mm, widths by 3 to 4).
GAINS = (1.2, 1.5, 1.0)


def apart(opening):
    """Openings in cm as the eye judges them: steep where lips part, and hardly changing where they pass each other."""
    return torch.log1p(F.relu(opening) / 0.1) + torch.clamp(opening, max=0)


def together(predicted, wanted):
    """[B] correlation of [B, n] in cm over time, drawn towards 0 where hardly anything moves."""
    predicted, wanted = predicted - predicted.mean(1, keepdim=True), wanted - wanted.mean(1, keepdim=True)
    floor = TOGETHER_FLOOR ** 2
    spread = torch.sqrt((predicted.square().mean(1) + floor) * (wanted.square().mean(1) + floor))
    return (predicted * wanted).mean(1) / spread


class MotionLoss:
    """
    Errors of all vertices, of the lips, of opening, width and protrusion, and of their change over time; what opening and width lack of a
    correlation of 1 where `correlates` is set, for speakers differ in size more than in time; and what the network cannot tell of the phones.
    """

    correlates = False

    def __init__(self, basis, coefficients):
        variance = coefficients.var(0)
        lips = basis[:, LIPS].reshape(len(basis), -1)
        values, vectors = np.linalg.eigh(lips @ lips.T)
        lips = vectors * np.sqrt(np.maximum(values, 0))
        measures = mouth_measures(basis) / 10
        spreads = (coefficients @ measures).std(0)
        columns = [np.eye(len(basis)) / np.sqrt(variance.sum()), 1.4 * lips / np.sqrt((coefficients @ lips).var(0).sum()),
                   measures * np.array(MEASURE_STRESS) / spreads]
        self.map = torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))
        self.gap, self.width = (torch.from_numpy(measures[:, k].astype(np.float32)) for k in (0, 1))
        self.spread = float(spreads[0])

    def __call__(self, predicted, phones, batch):
        """`predicted` [B, n, components]; `phones` [B, phones, n], logarithms of what is likely up to a constant."""
        error = (predicted - batch.target) @ self.map
        # Closed lips during speech are what the eye notices: they count more.
        opening, wanted = predicted @ self.gap, batch.target @ self.gap
        stress = 1 + torch.clamp(0.6 - wanted / self.spread, 0, 0.6) + CLOSURE_STRESS * batch.closed
        position = F.smooth_l1_loss(error * stress[..., None], torch.zeros_like(error), reduction='none', beta=0.3).mean((1, 2))
        # Whether lips touch is seen, half a millimetre more of a wide mouth is not: openings count by their logarithm, too.
        touch = (apart(opening) - apart(wanted)) * (1 + CLOSURE_STRESS * batch.closed)
        position = position + TOUCH * F.smooth_l1_loss(touch, torch.zeros_like(touch), reduction='none', beta=0.3).mean(1)
        speed = (error[:, 1:] - error[:, :-1]) * 2
        change = F.smooth_l1_loss(speed, torch.zeros_like(speed), reduction='none', beta=0.3).mean((1, 2))
        errors = position + 0.5 * change
        if self.correlates:
            pairs = (F.relu(opening), F.relu(wanted)), (predicted @ self.width, batch.target @ self.width)
            for share, (said, asked) in zip(TOGETHER_SHARES, pairs):
                errors = errors + share * (1 - together(said, asked)) * (asked.std(1) > TOGETHER_FLOOR)
        total = (errors * batch.weight).sum() / batch.weight.sum()
        if (batch.classes >= 0).any():
            total = total + PHONES_SHARE * F.cross_entropy(phones, batch.classes, ignore_index=-1)
        return total


def closure_loss(odds, batch):
    """`odds` [B, n] of shut lips, as logarithms, against soft labels where they are known."""
    known = batch.shut >= 0
    vowels = torch.zeros(len(PHONES), dtype=torch.bool)
    vowels[[PHONES.index(name) for name in VOWELS]] = True
    is_vowel = vowels[batch.classes.clamp(min=0)] & (batch.classes >= 0) & (batch.shut == 0)
    weight = 1 + SHUT_STRESS * batch.shut.clamp(min=0) + VOWEL_STRESS * is_vowel
    errors = F.binary_cross_entropy_with_logits(odds, batch.shut.clamp(min=0), weight=weight, reduction='none')
    return (errors * known).sum() / known.sum().clamp(min=1)


def at_video_rate(curve, frames):
    """[frames, K] at 25 fps of coefficients at 50 Hz."""
    return curve[:2 * frames:2][:frames]


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


def at_frames(curve, recording):
    """[frames, K] at the recording's rate of coefficients at 50 Hz."""
    if recording.fps == VIDEO_FPS:
        return at_video_rate(curve, len(recording.frames))
    at = np.arange(len(recording.frames)) / recording.fps * CONFIG['outputRate']
    return np.stack([np.interp(at, np.arange(len(curve)), curve[:, k]) for k in range(curve.shape[1])], 1)


def follow(network, recordings, measures):
    """Correlation, a mean over recordings, and ratio of deviations of opening and width: `r .. ratio ..` twice."""
    rows = []
    for recording in recordings:
        said, real = at_frames(predict(network, recording.raw), recording) @ measures, recording.frames @ measures
        said[:, 0] = np.maximum(0, said[:, 0])
        rows.append([*(correlation(said[:, k], real[:, k]) for k in (0, 1)), said.std(0)[:2], real.std(0)[:2]])
    ratio = np.mean([row[2] for row in rows], 0) / np.mean([row[3] for row in rows], 0)
    return ', '.join(f'{label} {np.mean([row[k] for row in rows]):.3f} ({ratio[k]:.2f})' for k, label in enumerate(('open', 'wide')))


def evaluate(network, recordings, gap):
    predicted = [at_frames(predict(network, r.raw), r) for r in recordings]
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


def still_bands(random, features):
    """[B, bands, frames] in some of which neighbouring bands are their mean all the time, so that no few of them are relied upon."""
    features = features.clone()
    for piece in np.flatnonzero(random.random(len(features)) < BANDS_STILL):
        count = random.integers(1, MOST_BANDS + 1)
        first = random.integers(features.shape[1] - count + 1)
        part = features[piece, first:first + count]
        part.copy_(part.mean(1, keepdim=True).expand_as(part))
    return features


def train(network, batches, loss_of, seconds, peak, report, path, average=0.998, mean_at=()):
    """
    Trains for `seconds` of computing, from `path` on where it exists; it is written now and then, and at the end. The network becomes the
    running mean of its weights, or the mean of the running means at the seconds of `mean_at`.
    """
    phones = torch.nn.Conv1d(network.config['channels'], len(PHONES), 1)
    # How far and when one opens at a word is one's own: what differs between people is learnt beside the network and left out in use.
    mouths = torch.nn.Embedding(len(batches.mouths) + 1, network.config['channels'])
    torch.nn.init.zeros_(mouths.weight)
    parameters = [p for part in (network, phones, mouths) for p in part.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, peak, weight_decay=0.02)
    after = network.config['closures']['after']
    mean = {k: v.clone() for k, v in network.state_dict().items()}
    step, running, used, means = 0, 0.0, 0.0, []
    if os.path.exists(path):
        state = torch.load(path, weights_only=False)
        network.load_state_dict(state['network']), phones.load_state_dict(state['phones']), mouths.load_state_dict(state['mouths'])
        optimizer.load_state_dict(state['optimizer'])
        mean, step, running, used = state['mean'], state['step'], state['running'], state['used']
        means = state.get('means', [])
        batches.random = np.random.default_rng([batches.seed, step])
    # Computing time: a process that waits or is stopped does not skip the end of the schedule.
    begin, kept_at = time.process_time() - used, used

    def save():
        state = {'network': network.state_dict(), 'phones': phones.state_dict(), 'mouths': mouths.state_dict(), 'optimizer': optimizer.state_dict(), 'mean': mean,
                 'step': step, 'running': running, 'used': time.process_time() - begin, 'means': means}
        torch.save(state, f'{path}.partial')
        os.replace(f'{path}.partial', path)

    while (progress := (time.process_time() - begin) / seconds) < 1:
        rate = peak * min(1, step / 100) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * progress)))
        for group in optimizer.param_groups:
            group['lr'] = rate
        network.train()
        first = after
        if isinstance(batches, FrozenPieces):
            first, (middle, batch) = batches.first, batches.next()
        else:
            batch = batches.next()
            with torch.no_grad():
                features = network.features(batch.pcm, batch.filters)
                if step % 3 == 0:  # other microphones still: a random offset for each band
                    features = features + 0.1 * torch.randn(features.shape[0], features.shape[1], 1)
                features = still_bands(batches.random, features)
            middle = network.trunk(features, DROPOUT, after)
        told = (batch.mouth >= 0) & (torch.rand(len(batch.mouth)) >= MOUTH_UNTOLD)
        own = mouths(batch.mouth.clamp(min=0)) * told[:, None]
        end = network.through(middle + own[..., None], DROPOUT, first)
        hidden, odds = F.silu(end), network.closures(middle, end, DROPOUT) if first == after else None
        loss = loss_of(network.head(hidden).transpose(1, 2), phones(hidden), batch)
        if odds is not None:
            loss = loss + CLOSURES_SHARE * closure_loss(odds, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            decay = min(average, step / (step + 50))
            for key, value in network.state_dict().items():
                mean[key].lerp_(value, 1 - decay)
        running = 0.99 * running + 0.01 * loss.item() if step else loss.item()
        step += 1
        if len(means) < len(mean_at) and time.process_time() - begin >= mean_at[len(means)]:
            means.append({k: v.clone() for k, v in mean.items()})
        if step % 50 == 0:
            print(f'{time.process_time() - begin:.0f} s, step {step}, loss {running:.4f}', flush=True)
        if time.process_time() - begin - kept_at > CHECKPOINT_SECONDS:
            kept_at = time.process_time() - begin
            save()
            now = {k: v.clone() for k, v in network.state_dict().items()}
            network.load_state_dict(mean)
            print(f'{kept_at:.0f} s, step {step}, loss {running:.4f}, {report(network)}', flush=True)
            network.load_state_dict(now)
    save()
    network.load_state_dict({k: torch.stack([each[k] for each in means]).mean(0) for k in mean} if means else mean)


def stretch(network, measures, lift, gains=GAINS):
    """
    Multiplies opening, width and protrusion of all that the network says by `gains`; what else moves with them follows. What is not
    sure is said small by every network that is trained on errors.
    """
    matrix = torch.from_numpy((np.eye(len(measures)) + (lift.T * (np.array(gains) - 1)) @ measures.T).astype(np.float32))
    with torch.no_grad():
        network.head.weight.copy_(torch.einsum('ij,jck->ick', matrix, network.head.weight))
        network.head.bias.copy_(matrix @ network.head.bias)


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
    parser.add_argument('--init', required=True, help="a bundle's motion.safetensors to go on from; it may have fewer blocks")
    parser.add_argument('--frozen', type=int, default=0, help='pieces on which the upper blocks are trained alone first')
    parser.add_argument('--frozen-blocks', type=int, help='blocks that are not trained then, if not all that --init has; 4 train closures, too')
    parser.add_argument('--frozen-minutes', type=float, default=2)
    parser.add_argument('--frozen-mean', default='', help='minutes, such as 1,2, of that training whose weights are averaged, in place of its end')
    parser.add_argument('--synthetic', type=int, default=2000, help='synthetic utterances to take')
    parser.add_argument('--rate', type=float, default=1.5e-3, help='highest learning rate')
    parser.add_argument('--seed', type=int, default=2, help='of what the last step draws')
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--output', required=True)
    parser.add_argument('--config', required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    motion = np.load(os.path.join(args.work, 'motion-data.npz'))
    basis = motion['basis'].astype(np.float64)
    measures = mouth_measures(basis)
    gap = measures[:, 0] / 10
    seen, more = load_people(args), load_more(args)
    talking = seen['s1']
    same, others, vals, tests, synthetic = load_recordings(args, {r.name for split in talking.values() for r in split})
    synthetic = [synthetic[i] for i in np.random.default_rng(3).permutation(len(synthetic))[:args.synthetic]]
    for name, group in {**seen, **more}.items():
        print(name, {split: len(recordings) for split, recordings in group.items()})
    print(len(same), 'more of the filmed speaker,', len(others), 'others,', len(tests), 'tests,', len(synthetic), 'synthetic')
    coefficients = np.concatenate([r.frames for r in talking['train']])
    loss_of, lift = MotionLoss(basis, coefficients), lift_of(coefficients, measures)
    network = MotionNetwork(CONFIG)
    watched = {'s1': talking['val'], 'people': seen['people']['val'], 'takes': seen['takes']['val']}
    labelled = [*vals, *more['emodb']['val']]

    def report(net):
        text = '; '.join(f'{name}: {follow(net, recordings, measures)}' for name, recordings in watched.items())
        if vals[0].curve is not None:
            # Lips do not pass through each other: what presses them counts as closed.
            pairs = [(np.maximum(0, predict(net, r.raw)[::2][:len(r.curve) // 4] @ gap), np.maximum(0, r.curve[::4] @ gap)) for r in labelled]
            text += f'; labelled r {np.mean([correlation(a, b[:len(a)]) for a, b in pairs]):.3f}'
        return text

    tensors, about = safetensors_file.read(args.init)
    given = {k.removeprefix('network.'): v.float() for k, v in tensors.items() if k.startswith('network.')}
    load_grown(network, given)
    # Weights are trained as they were before they were made larger.
    stretch(network, measures, lift, 1 / np.array(json.loads(about.get('gains', '[1, 1, 1]'))))
    print('to begin with:', report(network), flush=True)

    # Phone curves: of everybody who may be trained on, whose words are known.
    examples = [(r.phones, r.curve, 1.0) for r in talking['train'] if r.phones]
    examples += [(r.phones, r.curve, PEOPLE_WEIGHT) for r in seen['people']['train'] if r.phones]
    teacher = PhoneTeacher(examples, gap)
    held = [r for split in ('val', 'test') for r in talking[split] if r.phones]
    for sharpen in (False, True):
        a = np.concatenate([teacher.curves(r.phones, len(r.curve), sharpen) @ gap for r in held])
        b = np.concatenate([r.curve @ gap for r in held])
        print(f'phone curves, {len(held)} held-out labelled clips, sharpen {sharpen}: gap r {correlation(a, b):.3f}')
    spoken = [r for group in more.values() for split in group.values() for r in split]
    for recording in [*others, *vals, *tests, *synthetic, *spoken]:
        count = round(len(recording.audio) / 160) + 1
        curve = teacher.curves(recording.phones, count) * (OPEN_SPEECH * stress(recording.raw, count))[:, None]
        recording.curve = with_corners(curve, measures, lift)
        recording.weight = 0.7 if recording.speaker else 0.5
    said = np.concatenate([r.curve for r in spoken]) @ gap
    print(f'openings of labelled speech: deviation {said.std():.3f} cm, 5, 50, 95 % {np.round(np.quantile(said, [0.05, 0.5, 0.95]), 2)}')
    # The same recordings as they come from the net or the telephone.
    random = np.random.default_rng(4)
    for recording in [*others, *random.choice(synthetic, min(100, len(synthetic) // 8), replace=False)]:
        other = copy.copy(recording)
        other.raw = coded(recording.raw, random)
        other.audio = other.raw * loudness_gain(other.raw, CONFIG)
        (others if recording.speaker else synthetic).append(other)
    print('before other voices:', report(network), flush=True)

    final = os.path.join(args.work, 'motion-final.pt')
    if args.minutes > 0 or args.frozen:
        groups = [(talking['train'], 0.18), (seen['people']['train'], 0.12), (seen['takes']['train'], 0.15), (others, 0.13),
                  (more['emodb']['train'], 0.08), (more['ocean']['train'] + more['vctk']['train'], 0.12), (synthetic, 0.22)]
        groups = [(recordings, share) for recordings, share in groups if recordings]
        batches = Batches(groups, args.seed, args.batch, load_bystanders(args))
        upper = os.path.join(args.work, 'motion-upper.pt')
        if args.frozen:
            blocks = args.frozen_blocks or len(config_of(given)['dilations'])
            kept = os.path.join(args.work, 'motion-pieces.pt')
            if not os.path.exists(kept):
                torch.save(FrozenPieces(network, batches, args.frozen, blocks), kept)
                print('pieces made', flush=True)
            pieces = torch.load(kept, weights_only=False)
            pieces.size = 32
            parts = [network.stem, *network.blocks[:blocks]]
            for part in parts:
                part.requires_grad_(False)
            mean_at = [60 * float(minutes) for minutes in args.frozen_mean.split(',') if minutes]
            train(network, pieces, loss_of, args.frozen_minutes * 60, args.rate, report, upper, 0.99, mean_at)
            for part in parts:
                part.requires_grad_(True)
            print('upper blocks:', report(network), flush=True)
        if args.minutes > 0:
            loss_of.correlates = True
            for recording in [*talking['train'], *seen['people']['train']]:
                if recording.phones:
                    recording.curve = rested(recording.curve, recording.phones)
            train(network, batches, loss_of, args.minutes * 60, args.rate, report, final)

    stretch(network, measures, lift)
    print('as it ships:', report(network), flush=True)

    # Numbers for the record, on the test split and on speakers that no step has heard.
    facts = {}
    lips, spread, each, explained = evaluate(network, talking['test'], gap)
    facts['test gap r'] = round(lips, 3)
    facts['test gap std ratio'] = round(spread, 3)
    facts['test explained variance'] = round(explained, 3)
    facts['other people on film, opening and width r (std ratio)'] = follow(network, seen['people']['test'], measures)
    facts['Mandarin takes, opening and width r (std ratio)'] = follow(network, seen['takes']['test'], measures)
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
        'trained_on': 'GRID speakers 1, 3, 14, 20, 22 and 26 (CC BY 4.0), FACEGOOD takes (MIT), EmoDB (CC0), speechocean762, VCTK (CC BY 4.0), '
                      'labelled speech of other speakers, flite and espeak-ng voices',
        'attribution': 'GRID audiovisual sentence corpus, Cooke, Barker, Cunningham, Shao (2006), CC BY 4.0',
        'measured': json.dumps(facts),
        'gains': json.dumps(GAINS),
    }
    write_safetensors(args.output, tensors, metadata)
    with open(args.config, 'w', encoding='utf-8') as file:
        json.dump(CONFIG, file, indent=2)


if __name__ == '__main__':
    main()
