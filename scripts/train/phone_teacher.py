"""What the mouth does for a sequence of phones: linear in the phones around, learnt from the filmed speaker.

Gives other speakers' labelled speech target curves, so that the network hears more voices than were filmed.
"""
import numpy as np

RATE = 100  # curves are sampled at 10 ms
CLASSES = ['SIL', 'AA', 'AE', 'AH', 'AO', 'AW', 'AY', 'B', 'CH', 'D', 'DH', 'EH', 'EY', 'F', 'G', 'IH', 'IY', 'K', 'L',
           'M', 'N', 'OW', 'P', 'R', 'S', 'T', 'TH', 'UW', 'V', 'W', 'Y', 'Z']
# Phones that the filmed speaker never says, as mixtures of those that look alike.
MIXTURES = {
    'SH': {'CH': 1}, 'ZH': {'CH': 1}, 'JH': {'CH': 1}, 'NG': {'N': 0.6, 'K': 0.4}, 'UH': {'UW': 0.6, 'AH': 0.4},
    'ER': {'R': 0.6, 'AH': 0.4}, 'HH': {'AH': 0.5, 'K': 0.5}, 'SP': {'SIL': 1},
}
HALVES = {'OY': ('AO', 'IY')}
# All phones that the network is asked to tell apart while it is trained.
PHONES = [*CLASSES, 'SH', 'ZH', 'JH', 'NG', 'UH', 'ER', 'HH', 'OY']
LAGS = np.arange(-6, 7) * 4  # in 10 ms
BILABIAL = ('P', 'B', 'M')
VOWELS = ('AA', 'AE', 'AH', 'AO', 'AW', 'AY', 'EH', 'ER', 'EY', 'IH', 'IY', 'OW', 'OY', 'UH', 'UW')
# A closure is looked for from this much before its label, in seconds; quieter by less than this, in decibels, it is none.
DIP_REACH, LEAST_DIP = 0.06, 8
# Inner lips are at least this far apart in a vowel, in cm.
LEAST_VOWEL = 0.36
# Lips are asked to pass each other by this much, in cm: what is learnt falls short, and rendering lets them meet.
PRESSED = 0.02
# The mouth begins to rest this long after speech, and takes this long, in seconds: it is closed in the middle of a pause of 0.25.
REST_AFTER, REST_TAKES = 0.04, 0.085

# The opening grows with this power of the voice's amplitude, within these limits.
STRESS, STRESS_RANGE = 0.35, (0.55, 1.5)


def read_phones(path):
    """[(start, end, phone)] of a label file; pauses shorter than 40 ms are the aligner's habit and dropped."""
    rows = []
    for line in open(path, encoding='utf-8'):
        start, end, phone = line.split()
        if phone not in ('SIL', 'SP') or float(end) - float(start) >= 0.04:
            rows.append((float(start), float(end), phone))
    return rows


def phone_features(phones, count):
    """[count, classes * lags] at 100 Hz: the phones, blurred by 20 ms, at times around."""
    onehot = np.zeros((count + 80, len(CLASSES)))
    fine = np.zeros(((count + 80) * 2, len(CLASSES)))

    def paint(start, end, phone, weight=1.0):
        a, b = round(start * 200) + 80, round(end * 200) + 80
        for name, share in MIXTURES.get(phone, {phone: 1}).items():
            fine[a:b, CLASSES.index(name)] += share * weight

    for start, end, phone in phones:
        if phone in HALVES:
            middle = (start + end) / 2
            paint(start, middle, HALVES[phone][0])
            paint(middle, end, HALVES[phone][1])
        else:
            paint(start, end, phone)
    fine[:, 0] += np.maximum(0, 1 - fine.sum(1))  # unlabelled time is silence
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4.0) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(fine, ((12, 12), (0, 0)), mode='edge')
    blurred = sum(w * padded[i:i + len(fine)] for i, w in enumerate(kernel))
    onehot = blurred[::2]
    return np.concatenate([onehot[40 + lag:40 + lag + count] for lag in LAGS], 1)


def phone_classes(phones, count):
    """[count] at 100 Hz: index in PHONES; silence where no label is."""
    out = np.zeros(count, np.int64)
    for start, end, phone in phones:
        out[max(0, round(start * RATE)):max(0, round(end * RATE))] = PHONES.index('SIL' if phone == 'SP' else phone)
    return out


def stress(audio, count):
    """
    [count] at 100 Hz: how much wider than usual the mouth opens, by how much louder than usual the voice is (over 200 ms). Audio at
    16 kHz.
    """
    hop = 160
    power = np.square(audio[:len(audio) // hop * hop].astype(np.float64)).reshape(-1, hop).mean(1)
    kernel = np.hanning(23)[1:-1]
    level = 10 * np.log10(np.convolve(power, kernel / kernel.sum(), 'same') + 1e-9)
    spoken = level > level.max() - 25
    usual = level[spoken].mean() if spoken.any() else 0
    factor = np.clip(10 ** (STRESS * (level - usual) / 20), *STRESS_RANGE)
    return np.interp(np.arange(count), np.arange(len(factor)), factor)


def bumps(phones, count, names, reach):
    """[count] at 100 Hz: 1 in the core of the phones of these names, falling to 0 until `reach` seconds next to them."""
    t = np.arange(count) / RATE
    inside = np.zeros(count)
    for start, end, phone in phones:
        if phone in names:
            middle, half = (start + end) / 2, max((end - start) / 2, 0.03)
            inside = np.maximum(inside, np.clip(1.35 - np.abs(t - middle) / (half + reach), 0, 1))
    return inside * inside * (3 - 2 * inside)


def closures(phones, count):
    """[count] at 100 Hz: 1 where lips meet for P, B and M, falling to 0 on both sides."""
    return bumps(phones, count, BILABIAL, 0.035)


def centre_on_dips(phones, audio):
    """
    The phones with each P and B moved to where the sound is weakest: lips are closed before the burst, and labels begin with the
    closure, in its middle or at the burst, by who made them. Audio at 16 kHz.
    """
    hop = 80  # 5 ms
    power = np.square(audio[:len(audio) // hop * hop].astype(np.float64)).reshape(-1, hop).mean(1)
    level = 10 * np.log10(np.convolve(power, np.ones(3) / 3, 'same') + 1e-9)
    moved = []
    for start, end, phone in phones:
        first, last = max(round((start - DIP_REACH) * 16000 / hop), 0), round(end * 16000 / hop)
        around = level[max(first - 12, 0):last + 12]
        inside = level[first:last]
        if phone in ('P', 'B') and len(inside) and around.max() - inside.min() >= LEAST_DIP:
            # The middle of the time around the bottom that is nearer to it than to the edge.
            left = right = int(np.argmin(inside))
            low = inside < (inside.min() + around.max()) / 2
            while left > 0 and low[left - 1]:
                left -= 1
            while right + 1 < len(low) and low[right + 1]:
                right += 1
            shift = (first + (left + right + 1) / 2) * hop / 16000 - (start + end) / 2
            if abs(shift) <= DIP_REACH:
                start, end = start + shift, end + shift
        moved.append((start, end, phone))
    return moved


class PhoneTeacher:
    def __init__(self, examples, gap, ridge=30.0):
        """examples: [(phones, coefficients [n, K] at 100 Hz, weight)]; gap [K]: lip opening per unit of each coefficient."""
        x = np.concatenate([phone_features(phones, len(c))[::2] for phones, c, _ in examples])
        y = np.concatenate([c[::2] for _, c, _ in examples])
        weight = np.concatenate([np.full((len(c) + 1) // 2, weight) for _, c, weight in examples])
        x = np.concatenate([x, np.ones((len(x), 1))], 1)
        weighted = (x * weight[:, None]).T
        self.weights = np.linalg.solve(weighted @ x + ridge * np.eye(x.shape[1]), weighted @ y)
        self.gap = gap
        opening = y @ gap
        # How the coefficients change with the opening of the lips, for closing them.
        self.close = (y - y.mean(0)).T @ (opening - opening.mean()) / ((opening - opening.mean()) ** 2).sum()

    def curves(self, phones, count, sharpen=True):
        """[count, K] coefficients at 100 Hz; with `sharpen` bilabials close the lips and long silence rests them."""
        x = phone_features(phones, count)
        y = np.concatenate([x, np.ones((count, 1))], 1) @ self.weights
        if not sharpen:
            return y
        t = np.arange(count) / RATE
        # A linear map of phones draws short vowels towards their neighbours: lips part in all of them.
        short = np.maximum(LEAST_VOWEL - y @ self.gap, 0) * bumps(phones, count, VOWELS, 0)
        y = y + short[:, None] * self.close
        pressed = np.maximum(y @ self.gap, 0) + PRESSED
        y = y - (pressed * closures(phones, count))[:, None] * self.close
        loud = np.zeros(count, bool)
        for start, end, phone in phones:
            if phone not in ('SIL', 'SP'):
                loud |= (t >= start) & (t <= end)
        if not loud.any():
            return y * 0
        times = t[loud]
        nearest = np.abs(t[:, None] - times[np.clip(np.searchsorted(times, t)[:, None] + [-1, 0], 0, len(times) - 1)]).min(1)
        rest = np.clip((nearest - REST_AFTER) / REST_TAKES, 0, 1)
        return y * (1 - rest * rest * (3 - 2 * rest))[:, None]
