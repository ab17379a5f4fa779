"""Other voices, rooms and lines out of one recording: changes of a piece of speech before the network hears it."""
import numpy as np

RATE = 16000


def stretch(signal, ratio, count):
    """The first `count` samples of `signal` played `ratio` times as fast, which raises pitch and formants alike."""
    return np.interp(np.arange(count) * ratio, np.arange(len(signal)), signal).astype(np.float32)


def random_noise(random, count):
    """Noise of unit power with a random spectral slope, now and then with hum or slow swells."""
    spectrum = random.standard_normal(count // 2 + 1) + 1j * random.standard_normal(count // 2 + 1)
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 30)
    noise = np.fft.irfft(spectrum * (frequency / 1000) ** -random.uniform(-0.2, 1.2), count)
    if random.random() < 0.28:
        t = np.arange(count) / RATE
        base = random.choice([50.0, 60.0, random.uniform(80, 1000)])
        hum = sum(np.sin(2 * np.pi * base * k * t + random.uniform(0, 6.3)) / k for k in range(1, 6))
        noise = noise / noise.std() + hum * random.uniform(0.3, 3)
    if random.random() < 0.3:
        points = np.exp(random.normal(0, 0.7, 12))
        noise = noise * np.interp(np.arange(count), np.linspace(0, count, 12), points)
    return (noise / (np.sqrt(np.mean(noise ** 2)) + 1e-9)).astype(np.float32)


def bursts(random, count):
    """Breaths, knocks and clicks: a few short noises, of unit power while they last."""
    out = np.zeros(count, np.float32)
    for _ in range(random.integers(1, 5)):
        length = int(RATE * np.exp(random.uniform(np.log(0.005), np.log(0.35))))
        at = random.integers(-length // 2, count - length // 2)
        rise = random.uniform(0.02, 0.6) * length
        t = np.arange(length)
        shape = np.minimum(t / rise, 1) * np.exp(-random.uniform(1, 5) * np.maximum(t - rise, 0) / length)
        noise = random_noise(random, length + 64)[:length] * shape * 10 ** (random.uniform(-12, 6) / 20)
        add_at(out, noise, at)
    return out


def coloured(random, count, peaks, floor):
    """Noise of unit power through resonances: [(Hz, width in Hz, height)] above `floor`, falling from some 5 kHz on."""
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    gain = floor + sum(height / (1 + ((frequency - centre) / width) ** 2) for centre, width, height in peaks)
    gain = gain / (1 + (frequency / random.uniform(3500, 7500)) ** 6)
    noise = np.fft.irfft((random.standard_normal(len(gain)) + 1j * random.standard_normal(len(gain))) * gain, count)
    return noise / (noise.std() + 1e-9)


def breath(random):
    """One breath, in or out: air through an open mouth or the nose, that swells and fades; of unit power at its loudest."""
    count = int(RATE * random.uniform(0.15, 1.1))
    peaks = [(random.uniform(250, 1000), random.uniform(80, 300), random.uniform(0, 1)),
             (random.uniform(900, 2200), random.uniform(150, 500), random.uniform(0.3, 1)),
             (random.uniform(2200, 4500), random.uniform(300, 900), random.uniform(0, 1))]
    swell = np.sin(np.pi * np.linspace(0, 1, count) ** random.uniform(0.35, 1.6)) ** random.uniform(0.6, 2)
    return coloured(random, count, peaks, random.uniform(0.02, 0.3)) * swell


def cough(random):
    """One to four coughs: a burst, a rush of air, in most of them a short voiced end; of about unit power at its loudest."""
    parts = []
    for _ in range(random.integers(1, 5)):
        tract = [(random.uniform(350, 1200), random.uniform(150, 500), 1), (random.uniform(1200, 2800), random.uniform(300, 900), random.uniform(0.3, 1))]
        burst = coloured(random, int(RATE * random.uniform(0.03, 0.09)), tract, 0.2)
        burst = burst * np.exp(-np.linspace(0, random.uniform(1, 4), len(burst))) * random.uniform(1, 2.5)
        rush = coloured(random, int(RATE * random.uniform(0.06, 0.3)), tract, 0.1)
        parts += [burst, rush * np.linspace(random.uniform(0.5, 1), random.uniform(0.1, 0.4), len(rush))]
        if random.random() < 0.7:
            t = np.arange(int(RATE * random.uniform(0.05, 0.2))) / RATE
            hertz = random.uniform(90, 380) * np.exp(-random.uniform(0, 4) * t)
            phase = 2 * np.pi * np.cumsum(hertz) / RATE
            voiced = sum(np.sin(k * phase) / k * (0.2 + sum(h / (1 + ((k * hertz - c) / w) ** 2) for c, w, h in tract)) for k in range(1, 16))
            parts.append(voiced / (np.abs(voiced).max() + 1e-9) * np.hanning(len(t)) * random.uniform(0.2, 1))
        parts.append(np.zeros(int(RATE * random.uniform(0.02, 0.25))))
    return np.concatenate(parts)


def mouth_noise(random, count, length=None):
    """[count] with breaths or coughs of the speaker's somewhere in the first `length` samples, relative to the voice as one hears them."""
    out, length = np.zeros(count, np.float32), length or count
    breathes = random.random() < 0.6
    for _ in range(random.integers(1, 2 + length // (RATE // 2))):
        # Breaths lie far beneath the voice; coughs are as loud, or louder.
        noise = breath(random) * 10 ** (-random.uniform(4, 34) / 20) if breathes else cough(random) * 10 ** (random.uniform(-16, 8) / 20)
        noise = noise[:length]
        add_at(out, noise, random.integers(length - len(noise) + 1))
    return out


# Semitones from the key note that tunes are made of.
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 7, 10))
CHORD = (0, 2, 4, 6)  # steps of the scale


def note(random, instrument, hertz, seconds):
    """One tone of an instrument: harmonics that fade each at their own rate, or are held, with vibrato or none."""
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * hertz * t
    if instrument['vibrato']:
        phase = phase + instrument['vibrato'] * hertz / 40 * np.sin(2 * np.pi * instrument['wobble'] * t)
    tone = np.zeros(len(t))
    for k, level in enumerate(instrument['harmonics'], 1):
        if k * hertz < 7600:
            tone += level * np.exp(-instrument['fade'] * k ** 0.6 * t) * np.sin(k * phase + random.uniform(0, 6.3))
    attack = min(instrument['attack'], seconds / 3)
    return tone * np.minimum(1, np.minimum(t / attack, (seconds - t) / 0.04)) * random.uniform(0.5, 1)


def drum(random):
    t = np.arange(int(0.25 * RATE)) / RATE
    skin = np.sin(2 * np.pi * (random.uniform(45, 180) * t + np.exp(-t * 30)))
    noise = random.standard_normal(len(t)) * random.uniform(0, 1.2)
    return (skin * random.uniform(0, 1) + noise) * np.exp(-t * random.uniform(8, 60))


def music(random, count):
    """A tune without a voice, of unit power: one to three instruments of random sound, chords now and then, drums in a third."""
    out, beat = np.zeros(count), 60 / random.uniform(55, 170)
    scale, key = SCALES[random.integers(len(SCALES))], 55 * 2 ** random.uniform(0, 2)
    for _ in range(random.integers(1, 4)):
        slope, odd = random.uniform(0.3, 2), random.random() < 0.25
        harmonics = [(0.1 if odd and k % 2 == 0 else 1) * k ** -slope * np.exp(random.normal(0, 0.5)) for k in range(1, random.integers(2, 13))]
        held = random.random() < 0.5
        instrument = {'harmonics': harmonics, 'fade': 0.2 if held else random.uniform(1, 8), 'attack': random.choice([0.004, 0.02, 0.15]),
                      'vibrato': random.choice([0, 0, 0.2, 0.5]), 'wobble': random.uniform(4, 7)}
        chords, step, octave = random.random() < 0.4, random.integers(7), 2 ** random.integers(0, 3)
        at, level = random.uniform(-beat, beat), 10 ** (-random.uniform(0, 9) / 20)
        while at * RATE < count:
            length = beat * random.choice([0.5, 1, 1, 2, 4])
            step = int(np.clip(step + random.integers(-2, 3), 0, 2 * len(scale)))
            if random.random() < 0.9:
                for above in CHORD[:random.integers(2, 5)] if chords else (0,):
                    place = step + above
                    hertz = key * octave * 2 ** ((scale[place % len(scale)] + 12 * (place // len(scale))) / 12)
                    add_at(out, level * note(random, instrument, hertz, length), int(at * RATE))
            at += length
    if random.random() < 0.35:
        sounds = [drum(random) for _ in range(3)]
        for i, at in enumerate(np.arange(0, count / RATE, beat / random.choice([1, 2]))):
            add_at(out, 0.7 * sounds[random.integers(3) if i % 4 else 0], int(at * RATE))
    return (out / (np.sqrt(np.mean(out ** 2)) + 1e-9)).astype(np.float32)


def add_at(out, part, at):
    """Adds `part` to `out` from sample `at` on, as far as it lies within."""
    first, last = max(at, 0), min(at + len(part), len(out))
    if first < last:
        out[first:last] += part[first - at:last - at]


def transfer(random, count):
    """Spectrum of a random microphone, room and line, for rfft of length `count`."""
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    log_frequency = np.log2(np.maximum(frequency, 40) / 40)
    strength = random.choice([0, 3, 6, 9])
    gains = random.normal(0, strength, 7)
    response = 10 ** (np.interp(log_frequency, np.linspace(0, 7.65, 7), gains) / 20)
    choice = random.random()
    if choice < 0.15:  # telephone
        response = response / (1 + (random.uniform(200, 350) / np.maximum(frequency, 1)) ** 6)
        response = response / (1 + (frequency / random.uniform(3000, 3700)) ** 12)
    elif choice < 0.35:
        response = response / (1 + (frequency / np.exp(random.uniform(np.log(1500), np.log(7000)))) ** random.choice([4, 8, 16]))
    if random.random() < 0.45:
        tail = int(RATE * random.uniform(0.08, 0.5))
        decay = random.standard_normal(tail) * np.exp(-6.9 * np.arange(tail) / tail)
        decay *= 10 ** (-random.uniform(2, 18) / 20) / np.sqrt(np.sum(decay ** 2))
        impulse = np.zeros(count)
        impulse[:tail] = decay[:count]
        impulse[0] += 1
        response = response * np.fft.rfft(impulse)
    return response


def degrade(random, speech, babble=None, tune=None):
    """Speech through a random transfer function, with noise, other voices or music beneath it; the level is kept."""
    count = len(speech)
    padded = 1 << int(np.ceil(np.log2(count + RATE // 4)))
    out = np.fft.irfft(np.fft.rfft(speech, padded) * transfer(random, padded), padded)[:count]
    level = np.sqrt(np.mean(speech ** 2) + 1e-12)
    out *= level / np.sqrt(np.mean(out ** 2) + 1e-12)
    reference = max(level, 0.02)
    kind = random.random()
    if kind < 0.6 and tune is None:
        out = out + random_noise(random, count) * reference * 10 ** (-random.uniform(-2, 42) / 20)
    elif tune is not None:
        out = out + tune * reference * 10 ** (-random.uniform(6, 30) / 20)
    elif kind < 0.7 and babble is not None:
        out = out + babble / (np.sqrt(np.mean(babble ** 2)) + 1e-6) * reference * 10 ** (-random.uniform(12, 30) / 20)
    else:
        out = out + random.standard_normal(count) * 10 ** random.uniform(-6, -3)
    if random.random() < 0.15:
        out = out + bursts(random, count) * reference * 10 ** (-random.uniform(3, 30) / 20)
    if random.random() < 0.1:
        limit = random.uniform(1, 4) * reference
        out = limit * np.tanh(out / limit)
    return (out * 10 ** (random.normal(0, 2.5) / 20)).astype(np.float32)
