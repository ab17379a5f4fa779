"""Measures motion networks on voices to choose by: synthetic and recorded ones, in noise, and where speech pauses.

    python3 ../speak-languages.py SPOKEN val
    python3 check_motion.py --data DATA --work WORK --spoken SPOKEN motion.safetensors...

WORK/phn is of align_speech.py. Prints a line for each kind of sound: the correlation of the lip opening with what phones say (1 in
vowels, 0 in pauses and at P, B and M), mean over voices and least; P, B and M that come under 1 mm, and their mean least
opening; other consonants under 1 mm in their middle; vowels (mean, and those under 1 mm in their middle), silence (mean, 95th percentile) in mm; shaking (mean second
difference). All at 25 frames a second of a mouth that is closed at rest, with half a second of silence before and after.
"""
import argparse
import glob
import os
import re
import wave

import numpy as np
import torch

import safetensors_file
from motion_data import LIP_BOTTOM, LIP_TOP, read_audio, read_table, smoothstep
from motion_network import CONFIG, MotionNetwork, config_of, predict, predict_closures
from motion_recordings import VAL_SPEAKERS, find_phones
from phone_teacher import BILABIAL, VOWELS

RATE, FPS, AROUND = 16000, 25, 0.5
SHUT = (*BILABIAL, 'SIL', 'SP')
# Kind of noise and how far beneath the speech it is, in decibels.
NOISES = [('white', 10), ('pink', 10), ('pink', 3), ('brown', 5), ('hum', 3), ('room', 15), ('knocks', 6), ('swells', 6)]
PAUSE = 0.25
# How what is likely becomes a closure, as src/motion/shut-lips.ts does it; lips that are SURE to be shut stay so for HELD outputs without a sound.
PEAK, RISE, PEAK_REACH, NEIGHBOUR, SURE, HELD = (0.2, 0.3), (0.8, 1.0), 2, 0.25, 0.8, 3
# What is no sound, against the voice's power: where lips stay shut, and where there may be music.
STOPPED, SOUND = 10 ** -2.5, 0.01
# Who speaks near the microphone, as src/motion/foreground.ts and voicePower tell it: decibels against the voice, outputs around.
BACKGROUND, FOREGROUND, NEAR_PAST, NEAR_FUTURE, NEAR_SMOOTH, NEAR_SPREAD, VOICE_GATE = -9.5, -7, 15, 25, 2, 1, 10 ** -0.6
# Weights of neighbouring outputs, as src/motion/smooth-vectors.ts has them.
SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
# What is music, as src/motion/music.ts tells it: openings in mm, shares of the outputs around that sound.
NARROW, WIDE, ALONE, GOING_ON, MUSIC_AROUND = 8, 10.5, 0.5, 0.7, 50


def load(path):
    """Network, and lip opening per unit of each coefficient in mm."""
    tensors, _ = safetensors_file.read(path)
    weights = {k.removeprefix('network.'): v.float() for k, v in tensors.items() if k.startswith('network.')}
    network = MotionNetwork(config_of(weights))
    network.load_state_dict(weights)
    basis = tensors['expression.basis'].float().numpy()
    return network, 10 * (basis[:, LIP_TOP, 1] - basis[:, LIP_BOTTOM, 1])


def read_spoken(folder):
    """[(voice, audio, phones)] of speak-languages.py; its phones only as vowels, closed lips, silence and others."""
    items = []
    for path in sorted(glob.glob(os.path.join(folder, '*.wav'))):
        with wave.open(path) as file:
            audio = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        phones = []
        for line in open(path[:-3] + 'phn', encoding='utf-8'):
            start, end, name = line.rstrip('\n').split('\t')
            kind = 'SIL' if name == 'SIL' or name[0] == '(' else 'P' if name[0] in 'pbmɓ' else '-'
            if name[0] in 'aeiouyæøœɐɑɒɔəɘɛɜɚɝɞɤɨɪɯɵɶʉʊʌʏᵻ@' or re.match(r'^[EO]\d?$', name):
                kind = 'AA'
            if float(end) > float(start):
                phones.append((float(start), float(end), kind))
        items.append((os.path.basename(path).rsplit('-', 1)[0], audio, phones))
    return items


def read_recorded(args):
    items = []
    for row in read_table(os.path.join(args.data, 'speech', 'index.tsv')):
        phones = find_phones(args, row['file'][:-5])
        if row['speaker'] in VAL_SPEAKERS and phones:
            items.append((row['speaker'], read_audio(os.path.join(args.data, 'speech', row['file'])), phones))
    return items


def shaped(random, count, slope):
    """Noise of unit power whose amplitude falls with frequency to the power of `slope`."""
    spectrum = random.standard_normal(count // 2 + 1) + 1j * random.standard_normal(count // 2 + 1)
    noise = np.fft.irfft(spectrum * np.maximum(np.fft.rfftfreq(count, 1 / RATE), 40) ** -slope, count)
    return noise / noise.std()


def with_noise(audio, phones, kind, decibels):
    random, count = np.random.default_rng(7), len(audio)
    spoken = np.zeros(count, bool)
    for start, end, phone in phones:
        if phone not in ('SIL', 'SP'):
            spoken[int(start * RATE):int(end * RATE)] = True
    level = np.sqrt(np.mean(audio[spoken] ** 2)) * 10 ** (-decibels / 20)
    if kind == 'room':
        t = np.arange(int(0.4 * RATE)) / RATE
        impulse = random.standard_normal(len(t)) * np.exp(-6.9 * t / 0.4)
        impulse *= 0.6 / np.sqrt((impulse ** 2).sum())
        impulse[0] += 1
        size = 1 << int(np.ceil(np.log2(count + len(t))))
        audio = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(impulse, size), size)[:count]
        noise = shaped(random, count, 0.5)
    elif kind == 'hum':
        t = np.arange(count) / RATE
        tone = sum(np.sin(2 * np.pi * 100 * k * t) / k for k in range(1, 9))
        noise = tone / tone.std() + 0.3 * shaped(random, count, 0)
    elif kind == 'knocks':
        noise = np.zeros(count)
        for at in range(2000, count - 4000, 5200):
            length = int(random.integers(100, 2400)) // 2 * 2
            noise[at:at + length] += shaped(random, length, 0.3) * np.hanning(length) * 1.5
    elif kind == 'swells':
        swell = np.interp(np.arange(count), np.arange(count // 3200 + 2) * 3200, random.standard_normal(count // 3200 + 2))
        noise = shaped(random, count, 0.4) * np.exp(0.8 * swell)
    else:
        noise = shaped(random, count, {'white': 0, 'pink': 0.5, 'brown': 1}[kind])
    return (audio + noise * level).astype(np.float32)


def padded(voice, audio, phones):
    rest = np.zeros(int(AROUND * RATE), np.float32)
    audio = np.concatenate([rest, audio, rest])
    phones = [(start + AROUND, end + AROUND, phone) for start, end, phone in phones]
    return voice, audio, [(0, phones[0][0], 'SIL'), *phones, (phones[-1][1], len(audio) / RATE, 'SIL')]


def steady(closures, powers, voice):
    """[outputs] as steadyClosures makes them of how likely the lips are shut."""
    ends = np.pad(closures, 1, 'edge')
    out = (closures + NEIGHBOUR * (ends[:-2] + ends[2:])) / (1 + 2 * NEIGHBOUR)
    held = HELD
    for i in range(1, len(out)):
        if out[i] >= SURE:
            held = 0
        elif held < HELD:
            held += 1
            if powers[i] < STOPPED * voice:
                out[i] = max(out[i], out[i - 1])
    return out


def shut_share(closures):
    """[outputs] how far lips have come together, 0 to 1, where closures are this likely."""
    padded = np.pad(closures, PEAK_REACH)
    peaks = np.max([padded[i:i + len(closures)] for i in range(2 * PEAK_REACH + 1)], 0)
    depth = smoothstep((peaks - PEAK[0]) / (PEAK[1] - PEAK[0]))
    return depth * smoothstep((closures / np.maximum(peaks, 1e-6) - RISE[0]) / (RISE[1] - RISE[0]))


def voice_power(audio):
    blocks = np.array([np.mean(audio[at:at + RATE // 10].astype(np.float64) ** 2) for at in range(0, len(audio), RATE // 10)])
    blocks = blocks[blocks > 1e-6]
    if not len(blocks):
        return CONFIG['targetLevel'] ** 2
    while True:
        louder = blocks[blocks >= VOICE_GATE * blocks.mean()]
        if len(louder) == len(blocks):
            return blocks.mean()
        blocks = louder


def sound_power(audio, count, margin=0):
    """[count + 2 margin] mean power around each output, from `margin` outputs before the audio on."""
    step = RATE // CONFIG['outputRate']
    padded = np.zeros((count + 2 * margin) * step, np.float64)
    start = margin * step + step // 2
    padded[start:start + len(audio)] = audio[:len(padded) - start]
    return np.square(padded).reshape(-1, step).mean(1)


def foreground(audio, count, voice):
    """[count] at 50 Hz: 0 where only the background is heard, 1 where the speaker is."""
    margin = NEAR_FUTURE + NEAR_SMOOTH + NEAR_SPREAD

    def smooth(values, reach):
        return np.convolve(values, np.ones(2 * reach + 1) / (2 * reach + 1), 'same')

    spread = smooth(sound_power(audio, count, margin), NEAR_SPREAD)
    peaks = np.max([np.pad(spread, (NEAR_PAST, NEAR_FUTURE))[i:i + len(spread)] for i in range(NEAR_PAST + NEAR_FUTURE + 1)], 0)
    decibels = 10 * np.log10(np.maximum(peaks, 1e-12) / voice)
    return smooth(smoothstep((decibels - BACKGROUND) / (FOREGROUND - BACKGROUND)), NEAR_SMOOTH)[margin:margin + count]


def speech_share(opening, powers, voice):
    """[outputs] 1 where speech is heard, 0 where music is."""
    reach, count = MUSIC_AROUND, len(opening)
    widest = np.max([np.pad(opening, reach)[i:i + count] for i in range(2 * reach + 1)], 0)
    sounding = np.convolve(powers > SOUND * voice, np.ones(2 * reach + 1) / (2 * reach + 1), 'full')[reach:reach + count]
    goes_on = smoothstep((sounding - ALONE) / (GOING_ON - ALONE))
    return 1 - goes_on * (1 - smoothstep((widest - NARROW) / (WIDE - NARROW)))


def opening_curve(network, gap, audio):
    """[outputs] in mm, and how likely the lips are shut or None."""
    said = np.convolve(np.pad(predict(network, audio) @ gap, 2, 'edge'), SMOOTH, 'valid')
    voice, powers = voice_power(audio), sound_power(audio, len(said))
    said = said * foreground(audio, len(said), voice)
    curve = np.maximum(0, said * speech_share(said, powers, voice))
    if network.closures is None:
        return curve, None
    closures = steady(predict_closures(network, audio), powers, voice)
    return curve * (1 - shut_share(closures)), closures


def openings(network, gap, audio):
    """[frames] at FPS, in mm; a closure that falls between two frames is whole in the nearer one."""
    curve, closures = opening_curve(network, gap, audio)
    count, rate = int(len(audio) / RATE * FPS), CONFIG['outputRate'] / FPS
    opening = np.interp(np.arange(count) * rate, np.arange(len(curve)), curve)
    for i in range(1, len(curve) - 1 if closures is not None else 0):
        peak = closures[i]
        if peak > PEAK[0] and peak >= closures[max(0, i - PEAK_REACH):i + PEAK_REACH + 1].max():
            bend = closures[i - 1] - 2 * peak + closures[i + 1]
            top = i + ((closures[i - 1] - closures[i + 1]) / (2 * bend) if bend < 0 else 0)
            opening[min(round(top / rate), count - 1)] *= 1 - smoothstep((peak - PEAK[0]) / (PEAK[1] - PEAK[0]))
    return opening


def wanted(phones, count):
    target = np.full(count, np.nan)
    for start, end, phone in reversed(phones):
        if phone in VOWELS or phone in SHUT:
            target[int(np.ceil(start * FPS)):int(np.ceil(end * FPS))] = phone in VOWELS
        else:
            target[int(np.ceil(start * FPS)):int(np.ceil(end * FPS))] = np.nan
    return target


def measure(network, gap, items):
    voices, closed, others, vowels, middles, silence, shaking = {}, [], [], [], [], [], []
    for voice, audio, phones in items:
        opening = openings(network, gap, audio)
        voices.setdefault(voice, []).append((wanted(phones, len(opening)), opening))
        shaking.append(np.abs(np.diff(opening, 2)).mean())

        def within(start, end):
            return opening[max(0, int(np.ceil(start * FPS))):int(end * FPS) + 1]

        for i, (start, end, phone) in enumerate(phones):
            if phone in BILABIAL:
                closed.append(within(start - 0.04, end + 0.04).min())
            elif phone in VOWELS:
                middles.append(opening[min(round((start + end) / 2 * FPS), len(opening) - 1)])
                vowels.extend([within(start, end).mean()] if len(within(start, end)) else [])
            elif phone in SHUT:
                silence.extend(within(start + 0.1, end - 0.1) if end - start > 0.3 else [])
            elif phones[i - 1][2] not in SHUT and phones[i + 1][2] not in SHUT:
                others.append(opening[min(round((start + end) / 2 * FPS), len(opening) - 1)])
    follows = []
    for pairs in voices.values():
        target, opening = (np.concatenate(parts) for parts in zip(*pairs))
        known = np.isfinite(target)
        follows.append(np.corrcoef(target[known], opening[known])[0, 1])
    closed, others = np.array(closed), np.array(others)
    return (f'r {np.mean(follows):.3f}, least {min(follows):.2f}; closed {(closed < 1).sum()} of {len(closed)} '
            f'({np.mean(closed < 1):.1%}), at {closed.mean():.2f}; others {np.mean(others < 1):.1%} of {len(others)}; '
            f'vowels {np.mean(vowels):.2f}, closed {np.mean(np.array(middles) < 1):.1%}; silence {np.mean(silence):.2f}, {np.quantile(silence, 0.95):.2f}; '
            f'shaking {np.mean(shaking):.2f}')


def measure_pauses(network, gap, items, noise=None):
    """Speech is stopped for PAUSE seconds at the ends of some long vowels: the least opening in the middle of that."""
    least, before = [], []
    for _, audio, phones in items:
        ends = [(start, end) for start, end, phone in phones[:-1] if phone in VOWELS and end - start > 0.08]
        for start, end in ends[len(ends) // 4::max(1, len(ends) // 3)] if len(ends) > 2 else []:
            cut = int(end * RATE)
            first, second = audio[:cut].copy(), audio[cut:].copy()
            first[-320:] *= np.linspace(1, 0, 320)
            second[:160] *= np.linspace(0, 1, 160)
            whole = np.concatenate([first, np.zeros(int(PAUSE * RATE)), second]).astype(np.float32)
            if noise:
                whole = with_noise(whole, [(0, start, 'AA')], *noise)
            curve, _ = opening_curve(network, gap, whole)
            t = np.arange(len(curve)) / CONFIG['outputRate']
            least.append(curve[(t > end + PAUSE / 2 - 0.05) & (t < end + PAUSE / 2 + 0.07)].min())
            before.append(curve[(t > start - 0.02) & (t < end)].max())
    return f'{np.mean(least):.2f} of {np.mean(before):.2f} mm in {len(least)} pauses'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--spoken', required=True)
    parser.add_argument('weights', nargs='+')
    args = parser.parse_args()
    torch.set_num_threads(1)
    spoken, recorded = read_spoken(args.spoken), read_recorded(args)
    around = [padded(*item) for item in spoken], [padded(*item) for item in recorded]
    for path in args.weights:
        network, gap = load(path)
        print(path, 'synthetic', measure(network, gap, around[0]), sep='\n  ')
        for voice in VAL_SPEAKERS:
            print(f'  {voice}', measure(network, gap, [item for item in around[1] if item[0] == voice]), sep='\n  ')
        for kind, decibels in NOISES:
            noisy = [(voice, with_noise(audio, phones, kind, decibels), phones)
                     for voice, audio, phones in [*around[1], *around[0][::4]]]
            print(f'  {kind}, {decibels} dB', measure(network, gap, noisy), sep='\n  ')
        paused = [*recorded, *spoken[::3]]
        print('  pauses', measure_pauses(network, gap, paused), 'in noise, ' + measure_pauses(network, gap, paused, ('pink', 12)), sep='\n  ')


if __name__ == '__main__':
    main()
