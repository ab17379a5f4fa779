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
        first, last = max(at, 0), min(at + length, count)
        out[first:last] += noise[first - at:last - at]
    return out


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


def degrade(random, speech, babble=None):
    """Speech through a random transfer function, with noise or other voices beneath it; the level is kept."""
    count = len(speech)
    padded = 1 << int(np.ceil(np.log2(count + RATE // 4)))
    out = np.fft.irfft(np.fft.rfft(speech, padded) * transfer(random, padded), padded)[:count]
    level = np.sqrt(np.mean(speech ** 2) + 1e-12)
    out *= level / np.sqrt(np.mean(out ** 2) + 1e-12)
    reference = max(level, 0.02)
    kind = random.random()
    if kind < 0.6:
        out = out + random_noise(random, count) * reference * 10 ** (-random.uniform(-2, 42) / 20)
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
