"""The recordings that the motion network is trained on, chosen by and measured on."""
import os
import subprocess
import tempfile

import numpy as np

from motion_data import read_audio, read_table
from motion_network import CONFIG, loudness_gain
from phone_teacher import centre_on_dips, closures, read_phones
from speech_augment import RATE

VAL_SPEAKERS = ('sb-spk1', 'libri-1088', 'JFK')
TEST_SPEAKERS = ('sb-spk2', 'libri-61', 'cv-22058264', 'cv-22058266', 'cv-22058267')
SKIPPED_SPEAKERS = ('arctic-slt',)  # the voice of one of the speech synthesisers
CODECS = [('mp3', ['-c:a', 'libmp3lame', '-b:a', '24k']), ('mp3', ['-c:a', 'libmp3lame', '-b:a', '40k']),
          ('ogg', ['-c:a', 'libopus', '-b:a', '10k']), ('ogg', ['-c:a', 'libopus', '-b:a', '20k'])]


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
