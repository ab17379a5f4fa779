"""Draws pieces of recordings for the motion network, as other voices, rooms and lines would give them, with pauses put in."""
from typing import NamedTuple

import numpy as np
import torch

from motion_data import smoothstep
from motion_network import CONFIG, mel_filters, samples_before, samples_for
from phone_teacher import REST_TAKES
from speech_augment import RATE, bursts, degrade, mouth_noise, music, random_noise, stretch, transfer

OUTPUTS = 112
# Share of the pieces that a pause is put into; seconds until the mouth begins to rest, and how much the rest counts next to a closure.
PAUSES = 0.15
PAUSE_REST_AFTER, PAUSE_STRESS = 0.03, 0.5
# Share of pauses in which the speaker breathes or coughs, in which somebody else is heard, and the longest, in outputs.
PAUSE_BREATHES, PAUSE_OTHERS, LONG_PAUSE = 0.25, 0.4, 90
# Share of the pieces in which the speaker says nothing; of these music, voices in the background, and breaths and coughs; the rest is
# noise. Of the other pieces that have music beneath, or somebody else.
SPEECHLESS, MUSIC, BACKGROUND, BREATHS, MUSIC_BENEATH, OTHERS_BENEATH = 0.24, 0.32, 0.3, 0.16, 0.05, 0.06
# How far voices in the background are beneath the speaker, in decibels.
BENEATH = (11, 30)
# Tunes that pieces are cut from.
TUNES = 80
WARPS = [0.82, 0.87, 0.92, 0.96, 1.0, 1.0, 1.05, 1.1, 1.16, 1.22, 1.28]


def shares_of(recordings):
    """How often each is drawn: by its length, and many recordings of one speaker less often than their sum."""
    seconds = np.array([len(r.raw) / RATE for r in recordings])
    speakers = [r.speaker for r in recordings]
    of_speaker = np.array([seconds[[other == speaker for other in speakers]].sum() for speaker in speakers])
    shares = seconds / (1 if speakers[0] is None else np.sqrt(of_speaker))
    return shares / shares.sum()


def insert_pause(random, audio, target, closed, shut, before, fill=None):
    """
    The same with a pause somewhere, in which the mouth comes to rest; `audio` begins `before` samples ahead of the target. `fill(samples)` is
    what is heard in the pause.
    """
    step = RATE // CONFIG['outputRate']
    length = random.integers(8, 32 if fill is None or random.random() < 0.4 else LONG_PAUSE)  # outputs
    at = random.integers(5, OUTPUTS - 8)
    cut, fade = before + at * step, random.integers(80, 960)
    silence = np.zeros(length * step, np.float32) if fill is None else fill(length * step).astype(np.float32)
    first, second = audio[:cut].copy(), audio[cut:].copy()
    first[-fade:] *= np.linspace(1, 0, fade)
    fade = min(random.integers(80, 480), len(second))
    second[:fade] *= np.linspace(0, 1, fade)
    audio = np.concatenate([first, silence, second])[:len(audio)]
    target = np.concatenate([target[:at], np.repeat(target[at - 1:at], length, 0), target[at:]])[:OUTPUTS]
    closed = np.concatenate([closed[:at], np.zeros(length), closed[at:]])[:OUTPUTS]
    # A pause may cut a sound in two: what the lips do there is not asked.
    shut = np.concatenate([shut[:max(at - 2, 0)], np.full(length + 4, -1.0), shut[at + 2:]])[:OUTPUTS]
    t = np.arange(OUTPUTS)
    inside = np.minimum(t - at + 0.5, at + length - 0.5 - t) / CONFIG['outputRate']
    rest = smoothstep((inside - PAUSE_REST_AFTER) / REST_TAKES)
    return audio, target * (1 - rest)[:, None], np.maximum(closed, PAUSE_STRESS * rest), shut


class Batch(NamedTuple):
    """Pieces of OUTPUTS vectors each."""
    pcm: torch.Tensor  # [B, samples]
    target: torch.Tensor  # [B, OUTPUTS, components]
    closed: torch.Tensor  # [B, OUTPUTS] 1 where lips must meet
    shut: torch.Tensor  # [B, OUTPUTS] 1 where they meet for a P, B or M; -1 where it is not known
    classes: torch.Tensor  # [B, OUTPUTS] index in PHONES; -1 where it is not known
    weight: torch.Tensor  # [B]
    mouth: torch.Tensor  # [B] whose way of opening the target is, see mouths_of; -1 where nobody speaks
    filters: torch.Tensor | None  # [B, bins, bands]


class Batches:
    """Draws augmented pieces of recordings with their target curves."""

    def __init__(self, groups, seed, size, bystanders=None):
        """`groups` [(recordings, share)]; `bystanders` [samples] of voices that are heard in the background alone."""
        self.groups, self.size, self.bystanders = groups, size, bystanders
        self.drawn = [shares_of(recordings) for recordings, _ in groups]
        self.seed, self.random = seed, np.random.default_rng(seed)
        self.filters = torch.from_numpy(np.stack([mel_filters(CONFIG, w) for w in WARPS]))
        self.count, self.before = samples_for(CONFIG, OUTPUTS), samples_before(CONFIG)
        tunes = np.random.default_rng([seed, 1])
        self.tunes = [music(tunes, 3 * self.count) for _ in range(TUNES)]
        self.components = CONFIG['components']
        self.mouths = mouths_of(groups)

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
        shut = recording.closed[np.minimum(index, len(recording.closed) - 1)]
        closed = shut ** 2
        if not recording.phones:
            shut = np.full(OUTPUTS, -1.0)
        classes = recording.classes[np.minimum(index, len(recording.classes) - 1)]
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
            classes = np.where(np.arange(OUTPUTS) / rate < cut, classes, -1)
            shut = np.where(np.arange(OUTPUTS) / rate < cut - 0.02, shut, -1)
        return audio, target, closed, shut, classes

    def tune(self):
        """A piece of music of unit power, at another pitch and speed each time."""
        random, ratio = self.random, np.exp(self.random.uniform(-0.3, 0.3))
        start = random.integers(int(len(self.tunes[0]) - self.count * ratio))
        tune = stretch(self.tunes[random.integers(TUNES)][start:], ratio, self.count)
        return tune / (np.sqrt(np.mean(tune ** 2)) + 1e-6)

    def others(self, count):
        """[count] samples of one or two voices in the background, at the speaker's level: of anybody, as a room brings them."""
        random, out = self.random, np.zeros(count)
        for _ in range(1 if random.random() < 0.75 else 2):
            group = self.groups[random.integers(len(self.groups))][0] if self.bystanders is None or random.random() < 0.5 else self.bystanders
            voice = group[random.integers(len(group))]
            voice = voice.audio if hasattr(voice, 'audio') else voice
            ratio = np.exp(random.uniform(-0.2, 0.2))
            start = random.integers(max(1, len(voice) - int(count * ratio)))
            piece = stretch(np.resize(voice[start:], int(count * ratio) + 2), ratio, count)
            padded = 1 << int(np.ceil(np.log2(count + RATE // 4)))
            piece = np.fft.irfft(np.fft.rfft(piece, padded) * transfer(random, padded), padded)[:count]
            out += piece * CONFIG['targetLevel'] / (np.sqrt(np.mean(piece ** 2)) + 1e-6)
        return out

    def beneath(self):
        return 10 ** (-self.random.uniform(*BENEATH) / 20)

    def fill(self):
        """What is heard in a pause, as a function of its samples, or None."""
        drawn = self.random.random()
        if drawn < PAUSE_BREATHES:
            return lambda count: mouth_noise(self.random, count) * CONFIG['targetLevel']
        if drawn < PAUSE_BREATHES + PAUSE_OTHERS:
            return lambda count: self.others(count) * self.beneath()
        return None

    def speechless(self):
        """A piece in which the speaker says nothing."""
        random, drawn = self.random, self.random.random()
        if drawn < MUSIC:
            # As loud as speech is made, whatever it was.
            audio = self.tune() * 10 ** random.uniform(-2, -1)
        elif drawn < MUSIC + BACKGROUND:
            audio = self.others(self.count) * self.beneath()
        elif drawn < MUSIC + BACKGROUND + BREATHS:
            audio = mouth_noise(random, self.count) * CONFIG['targetLevel'] + random.standard_normal(self.count) * 10 ** random.uniform(-6, -2.5)
        elif drawn < 0.97:
            audio = random_noise(random, self.count) * 10 ** random.uniform(-4, -0.8)
        else:
            audio = np.zeros(self.count)
        if random.random() < 0.3:
            audio = audio + bursts(random, self.count) * 10 ** random.uniform(-3, -1)
        if random.random() < 0.5:  # what sets in and stops is not speech either
            on, off = np.sort(random.integers(-self.count // 2, self.count * 3 // 2, 2))
            audio[:max(on, 0)] = 0
            audio[max(off, 0):] = 0
        return audio

    def next(self):
        random = self.random
        shares = np.array([share for _, share in self.groups])
        audios, targets, closed, shut, classes, weights, mouths, warps = [], [], [], [], [], [], [], []
        for _ in range(self.size):
            warps.append(random.integers(len(WARPS)))
            if random.random() < SPEECHLESS:
                audio = self.speechless()
                audios.append(audio.astype(np.float32))
                targets.append(np.zeros((OUTPUTS, self.components)))
                closed.append(np.zeros(OUTPUTS))
                shut.append(np.zeros(OUTPUTS))
                classes.append(np.zeros(OUTPUTS))  # silence
                weights.append(0.7)
                mouths.append(-1)
                continue
            chosen = random.choice(len(shares), p=shares / shares.sum())
            recording = self.groups[chosen][0][random.choice(len(self.drawn[chosen]), p=self.drawn[chosen])]
            audio, target, closes, shuts, said = self.piece(recording, np.exp(random.uniform(-0.2, 0.2)))
            if random.random() < PAUSES:
                audio, target, closes, shuts = insert_pause(random, audio, target, closes, shuts, self.before, self.fill())
                said = np.full(OUTPUTS, -1)  # not known any more
            if random.random() < 0.9:
                babble, tune = None, self.tune() if random.random() < MUSIC_BENEATH else None
                if random.random() < OTHERS_BENEATH:
                    audio = audio + self.others(self.count) * self.beneath()
                if random.random() < 0.15:
                    other = self.groups[-1][0][random.integers(len(self.groups[-1][0]))]
                    babble = np.resize(other.audio, self.count)
                audio = degrade(random, audio, babble, tune)
            audios.append(audio.astype(np.float32))
            targets.append(target)
            closed.append(closes)
            shut.append(shuts)
            classes.append(said)
            weights.append(recording.weight)
            mouths.append(self.mouths[recording.speaker] if hasattr(recording, 'frames') else 0)
        return Batch(
            torch.from_numpy(np.stack(audios)), torch.from_numpy(np.stack(targets).astype(np.float32)),
            torch.from_numpy(np.stack(closed).astype(np.float32)), torch.from_numpy(np.stack(shut).astype(np.float32)),
            torch.from_numpy(np.stack(classes).astype(np.int64)),
            torch.tensor(weights, dtype=torch.float32), torch.tensor(mouths), self.filters[torch.tensor(np.array(warps))])


def mouths_of(groups):
    """Numbers for everybody who was filmed: name by name from 1 on; 0 is what phones ask of the mouth."""
    speakers = sorted({r.speaker for recordings, _ in groups for r in recordings if hasattr(r, 'frames')})
    return {speaker: i for i, speaker in enumerate(speakers, 1)}


class FrozenPieces:
    """Pieces with what the first blocks of a network make of them, so that the others are trained without these."""

    def __init__(self, network, batches, count, blocks):
        self.random, self.seed, self.size, self.first, self.mouths = batches.random, batches.seed, batches.size, blocks, batches.mouths
        hidden, parts = [], []
        network.eval()
        for _ in range(-(-count // batches.size)):
            batch = batches.next()
            with torch.no_grad():
                hidden.append(network.trunk(network.features(batch.pcm, batch.filters), 0.0, blocks).half())
            parts.append(batch._replace(pcm=batch.pcm[:, :0], filters=None))
        self.hidden = torch.cat(hidden)
        self.parts = Batch(*(None if part[0] is None else torch.cat(part) for part in zip(*parts)))

    def next(self):
        """(hidden [B, channels, n], batch)"""
        chosen = torch.from_numpy(self.random.choice(len(self.hidden), self.size, replace=False))
        return self.hidden[chosen].float(), Batch(*(None if part is None else part[chosen] for part in self.parts))
