"""The recordings that the motion network is trained on, chosen by and measured on."""
import os
import subprocess
import tempfile

import numpy as np

from motion_data import read_audio, read_table, smoothstep
from motion_network import CONFIG, loudness_gain
from more_speech import EMODB_TEST, EMODB_VAL, OCEAN_TEST_EACH, list_emodb, list_spoken
from phone_teacher import REST_TAKES, centre_on_dips, closures, phone_classes, read_phones
from speech_augment import RATE

VAL_SPEAKERS = ('sb-spk1', 'libri-1088', 'JFK')
TEST_SPEAKERS = ('sb-spk2', 'libri-61', 'cv-22058264', 'cv-22058266', 'cv-22058267')
SKIPPED_SPEAKERS = ('arctic-slt',)  # the voice of one of the speech synthesisers
CODECS = [('mp3', ['-c:a', 'libmp3lame', '-b:a', '24k']), ('mp3', ['-c:a', 'libmp3lame', '-b:a', '40k']),
          ('ogg', ['-c:a', 'libopus', '-b:a', '10k']), ('ogg', ['-c:a', 'libopus', '-b:a', '20k'])]


# Seconds from the end of a sound until the mouth of a filmed person begins to rest, and before the next by which it has begun to open.
REST_AFTER, OPENS_BEFORE = 0.08, 0.35


def rested(curve, phones):
    """
    [n, K] at 100 Hz with a mouth that rests while nobody speaks. On film many stand open long before they speak, or after: no sound tells
    of it, and whoever hears a pause expects closed lips.
    """
    times = np.arange(len(curve)) / 100
    rest = np.zeros(len(curve))
    for i, (start, end, name) in enumerate(phones):
        if name in ('SIL', 'SP'):
            since = times - start if i > 0 else np.inf
            until = end - times if i < len(phones) - 1 else np.inf
            rest = np.maximum(rest, smoothstep(np.minimum(np.minimum(since - REST_AFTER, until - OPENS_BEFORE) / REST_TAKES, 1)))
    return curve * (1 - rest)[:, None]


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


def read_decoded(args, path):
    """Samples of a recording, kept in WORK/audio once they are decoded."""
    folder, name = os.path.join(args.work, 'audio'), '-'.join(path.split(os.sep)[-3:])
    kept = os.path.join(folder, f'{name}.npy')
    if os.path.exists(kept):
        return np.load(kept)
    audio = read_audio(path)
    os.makedirs(folder, exist_ok=True)
    np.save(f'{kept}.partial.npy', audio)
    os.replace(f'{kept}.partial.npy', kept)
    return audio


class Recording:
    """Audio at the target level, target curves at 100 Hz (or None), phones (or None) with P and B where the sound is weakest."""

    def __init__(self, name, audio, curve=None, phones=None, speaker=None):
        self.name, self.raw, self.curve, self.weight, self.speaker = name, audio, curve, 1.0, speaker
        self.phones = phones and centre_on_dips(phones, audio)
        self.audio = audio * loudness_gain(audio, CONFIG)
        count = round(len(audio) / 160) + 2 if curve is None else len(curve)
        self.closed = closures(self.phones or [], count)
        self.classes = phone_classes(self.phones, count) if self.phones else np.full(count, -1)


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


def at_label_rate(frames, fps):
    """[n, K] at 100 Hz of curves at `fps`."""
    if fps == 25:
        return upsample(frames, 4)
    at = np.arange(int(len(frames) / fps * 100)) / 100 * fps
    return np.stack([np.interp(at, np.arange(len(frames)), frames[:, k]) for k in range(frames.shape[1])], 1)


def load_people(args):
    """{group: {split: recordings}} of everybody whose mouth was seen: `s1`, `people` on film, `takes` of blendshapes."""
    groups = {name: {'train': [], 'val': [], 'test': []} for name in ('s1', 'people', 'takes')}
    more = os.path.join(args.data, 'more')
    with np.load(os.path.join(args.work, 'people-data.npz')) as people:
        starts, coefficients = np.concatenate([[0], np.cumsum(people['lengths'])]), people['coefficients']
        for i, name in enumerate(map(str, people['names'])):
            speaker, fps = str(people['speakers'][i]), float(people['fps'][i])
            frames = coefficients[starts[i]:starts[i + 1]]
            if speaker == 's1':
                group, path = 's1', os.path.join(args.data, 'talking', f'{name}.mkv')
            elif speaker == 'facegood':
                group, path = 'takes', os.path.join(more, 'facegood_mandarin', f'{name}.flac')
            else:
                group, path = 'people', os.path.join(more, 'grid_other_speakers', 'clips', f'{name.removeprefix("grid_")}.mpg')
            phones = find_phones(args, f'grid_{name}' if group == 's1' else name)
            recording = Recording(name, read_decoded(args, path), at_label_rate(frames, fps), phones, speaker)
            recording.frames, recording.fps = frames, fps
            groups[group][str(people['splits'][i])].append(recording)
    return groups


def load_more(args):
    """{corpus: {split: recordings}} of labelled speech of DATA/more that nobody filmed."""
    groups = {name: {'train': [], 'val': [], 'test': []} for name in ('emodb', 'ocean', 'vctk')}
    for name, path, speaker, phones in list_emodb(args.data):
        split = 'test' if speaker in EMODB_TEST else 'val' if speaker in EMODB_VAL else 'train'
        groups['emodb'][split].append(Recording(name, read_decoded(args, path), None, phones, f'emodb-{speaker}'))
    for name, path, _ in list_spoken(args.data):
        corpus, phones = name.split('_')[0], find_phones(args, name)
        if corpus in groups and phones:
            # Every two recordings of this corpus are one person's.
            speaker = name[:11] if corpus == 'ocean' else name.split('_')[1]
            test = corpus == 'ocean' and int(name[6:11]) % OCEAN_TEST_EACH == 0 or corpus == 'vctk' and speaker in ('p228', 'p230', 'p233')
            groups[corpus]['test' if test else 'train'].append(Recording(name, read_decoded(args, path), None, phones, speaker))
    return groups


def load_bystanders(args):
    """[samples at the target level] of readers who are heard in the background: every third of LibriSpeech's, whose words are not known."""
    folder = os.path.join(args.data, 'more', 'librispeech_261_speakers')
    rows = [row for row in read_table(os.path.join(folder, 'index.tsv')) if f'libri-{row["speaker"]}' not in (*VAL_SPEAKERS, *TEST_SPEAKERS)]
    voices = [read_decoded(args, os.path.join(folder, row['file'])) for row in rows[::3]]
    return [audio * loudness_gain(audio, CONFIG) for audio in voices]


def load_recordings(args, seen):
    """The recordings of DATA/speech, and the synthetic ones: more of s1, others, those to choose by, test ones, synthetic ones."""
    same, others, vals, tests = [], [], [], []
    for row in read_table(os.path.join(args.data, 'speech', 'index.tsv')):
        name = row['file'][:-5]
        phones = find_phones(args, name)
        if phones is None or row['speaker'] in SKIPPED_SPEAKERS or name[5:] in seen:
            continue
        recording = Recording(name, read_decoded(args, os.path.join(args.data, 'speech', row['file'])), None, phones, row['speaker'])
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
    return same, others, vals, tests, synthetic
