"""Makes speech with phone timings by text-to-speech, for voices and phones that the recordings lack.

    python3 speech_corpus.py --work WORK

Needs the programs flite and libespeak-ng. Writes WORK/tts.npz: audio (int16, 16 kHz, concatenated), lengths, and the
phones of every utterance as rows (utterance, start, end, phone).
"""
import argparse
import ctypes
import os
import subprocess
import tempfile

import numpy as np

RATE = 16000
SENTENCES = '''
A pleasure to measure the garage with usual vision.|Young judges choose fresh cheese for lunch.
The boy enjoyed the noisy toys in the joint.|She sings a long song about spring things.
Good cooks should look at the wooden hook.|Her early bird heard the first word turn.
My mother moved many maps from the farm.|Peter put a big paper boat by the pump.
We were away in the warm western wind.|Five very fine vines have leaves of violet.
Thank them both for this thick cloth.|Yellow onions yield a year of use.
How now would a brown house sound out loud?|Open the old cold road so slowly home.
Eight days of rain made the lake taste strange.|I might try to buy nine kites by July.
Hot coffee pots drop on the rock at noon.|Blue moons bloom over cool pools too soon.
All the tall walls caught the dawn in autumn.|Cats and black bats ran back after the clap.
Ten men went to tell seven friends again.|Six big ships will fill with fish and milk.
See these green trees between the deep streams.|Mum bumped a plum, and Bob mopped it up.
Hello, my name is Emma, and I am happy to meet you.|Please wait a moment, then repeat what you hear.
Maybe we can stop. No? Then go on, but be careful!|What a beautiful, amazing, impossible problem this is!
Oh. Ah! Yes. Hmm, perhaps. Bye!|Zebras zigzag as the breeze is rising.
Welcome to the show, where pictures learn to speak.|The old photograph opened its mouth and told us a story.
Watch your foot, push the bush, and pull the wool.|Who threw the shoe through the new blue room?
Father's car parked far from the market.|Voices echo over the valley every evening.
'''.strip().replace('\n', '|').split('|')
WORDS = '''apple baby map pepper bubble memory number summer family happy paper people become problem probably important
computer company member remember above behind before about time team tomb come home some same lamp jump stamp climb mum
water winter woman wonder one once always away quick quiet queen twelve between language wish watch church shirt chair
judge orange jungle major sugar ocean nation vision usual television treasure beige thing nothing anything young longer
finger singer bring hang voice choice noise point oil join boil royal good book foot could should would woman full bull
bird girl nurse early world learn turn perfect person father calm heart start large yard hot clock body follow caught
law water daughter thought August how now house mouth around about power our open over only nobody shadow goes boat snow
make great table later they rain may cake night light buy find while idea eye fly see free need people each machine key
city busy women build him this milk system red bed head friend ready said any happy man black cat laugh answer camera
but cup love enough country much mother school food group move who true two blue you new few music use beautiful five
leave very never over have give of off fish phone laugh coffee thin think both mouth earth the them breathe weather
yes yellow young year yesterday hello who behind him her'''.split()
LANGUAGES = {
    'es': ['Buenos días, me llamo Pablo y vivo en Madrid.', 'La mesa pequeña está en la ventana abierta.',
           'Mañana por la mañana compramos pan, fruta y vino.', 'El perro corre mucho por el campo verde.'],
    'it': ['Buongiorno, mi chiamo Marco e abito a Roma.', 'La bella famiglia mangia la pasta con il pomodoro.',
           'Domani andiamo tutti insieme al mare.', 'Il gatto dorme sopra il tavolo bianco.'],
    'de': ['Guten Morgen, mein Name ist Paul und ich wohne in Bremen.', 'Die schönen Blumen blühen im warmen Sommer.',
           'Wir fahren heute mit dem Zug nach Hamburg.', 'Bitte bringen Sie mir ein Glas Wasser und etwas Brot.'],
    'fr-fr': ['Bonjour, je m’appelle Paul et j’habite à Paris.', 'Ma petite maison blanche est au bord de la mer.',
              'Nous mangeons du pain et du fromage chaque matin.', 'Vous voulez une tasse de thé ou de café?'],
}
FLITE_VOICES = ['slt', 'slt', 'slt', 'rms', 'awb', 'kal16', 'kal', 'awb_time']
ESPEAK_VARIANTS = ['', '+f1', '+f2', '+f3', '+f4', '+f5', '+m1', '+m2', '+m3', '+m4', '+m5', '+m7', '+steph', '+Annie',
                   '+Alicia', '+linda', '+belinda', '+john', '+max', '+anika', '+Andy', '+boris', '+klatt']
# Phones of the speech synthesisers, as ARPAbet.
FLITE = {'pau': 'SIL', 'ax': 'AH', 'axr': 'ER', 'dx': 'D', 'hv': 'HH', 'el': 'L', 'em': 'M', 'en': 'N', 'nx': 'N'}
ESPEAK = {
    'p': 'P', 'b': 'B', 't': 'T', 't#': 'T', 't2': 'T', 'd': 'D', 'd#': 'D', 'k': 'K', 'g': 'G', 'f': 'F', 'v': 'V',
    'T': 'TH', 'D': 'DH', 's': 'S', 'z': 'Z', 'S': 'SH', 'Z': 'ZH', 'h': 'HH', 'm': 'M', 'n': 'N', 'N': 'NG', 'l': 'L',
    'l^': 'L', 'l#': 'L', 'r': 'R', 'r-': 'R', 'R': 'K', 'R2': 'K', 'j': 'Y', 'w': 'W', 'tS': 'CH', 'dZ': 'JH', '?': 'T',
    'x': 'K', 'C': 'HH', 'Q': 'G', 'B': 'V', 'n^': 'N', '*': 'D', '**': 'D', 'ts': 'S', 'pF': 'F', 'dz': 'Z', 'Ts': 'S',
    ';': 'Y', 'Tj': 'CH', 'J': 'Y', 'w2': 'W', 'Y': 'UW', 'y': 'UW', 'y:': 'UW', 'W': 'UH', 'Y:': 'UW', '_': 'SIL',
    '_:': 'SIL', '_|': 'SIL', '_!': 'SIL', '_::': 'SIL', '_;_': 'SIL',
}
# Espeak's vowels by their beginning; the longest match counts.
ESPEAK_VOWELS = {
    '@': 'AH', '@U': 'OW', '@L': 'L', '3': 'ER', '3:': 'ER', 'a': 'AE', 'a:': 'AA', 'A': 'AA', 'aI': 'AY', 'AI': 'AY',
    'aU': 'AW', 'AU': 'AW', 'E': 'EH', 'E:': 'EH', 'e': 'EH', 'eI': 'EY', 'e:': 'EY', 'I': 'IH', 'i': 'IY', 'i:': 'IY',
    'O': 'AO', 'OI': 'OY', 'OY': 'OY', 'o': 'AO', 'oU': 'OW', 'o:': 'OW', 'u': 'UW', 'u:': 'UW', 'U': 'UH', 'V': 'AH',
    '0': 'AA', 'y': 'UW', 'Y': 'UW', 'W': 'UH', '&': 'AH',
}


def arpabet(name):
    """ARPAbet phone of an espeak phoneme name, or None if it is unknown."""
    if name in ESPEAK:
        return ESPEAK[name]
    for length in (3, 2, 1):
        if name[:length] in ESPEAK_VOWELS:
            return ESPEAK_VOWELS[name[:length]]
    return ESPEAK.get(name[:1])


def resample(audio, rate):
    """int16 at 16 kHz by the spectrum."""
    n = round(len(audio) * RATE / rate)
    spectrum = np.fft.rfft(audio)
    keep = n // 2 + 1
    spectrum = spectrum[:keep] if keep <= len(spectrum) else np.pad(spectrum, (0, keep - len(spectrum)))
    return np.clip(np.fft.irfft(spectrum, n) * (n / len(audio)), -32768, 32767).astype(np.int16)


def flite(text, voice, stretch, pitch):
    """Audio and phones (start, end, name) of one utterance."""
    with tempfile.NamedTemporaryFile(suffix='.wav') as file:
        out = subprocess.run(
            ['flite', '-voice', voice, '--setf', f'duration_stretch={stretch}', '--setf', f'int_f0_target_mean={pitch}',
             '-psdur', '-t', text, '-o', file.name], check=True, capture_output=True, text=True).stdout
        data = open(file.name, 'rb').read()
    rate = int.from_bytes(data[24:28], 'little')
    audio = np.frombuffer(data[44:len(data) // 2 * 2], np.int16).astype(np.float64)
    phones, start = [], 0.0
    for item in out.split():
        name, end = item.rsplit(':', 1)
        phones.append((start, float(end), FLITE.get(name, name.upper())))
        start = float(end)
    return resample(audio, rate) if rate != RATE else audio.astype(np.int16), phones


class Espeak:
    """Espeak-ng through its C interface, which alone reports when phonemes are spoken."""

    class Id(ctypes.Union):
        _fields_ = [('number', ctypes.c_int), ('name', ctypes.c_char_p), ('string', ctypes.c_char * 8)]

    class Event(ctypes.Structure):
        pass

    def __init__(self, ipa=False):
        """`ipa`: phonemes are named in the International Phonetic Alphabet instead of espeak's own way."""
        Event = self.Event
        Event._fields_ = [('type', ctypes.c_int), ('uid', ctypes.c_uint), ('text_position', ctypes.c_int),
                          ('length', ctypes.c_int), ('audio_position', ctypes.c_int), ('sample', ctypes.c_int),
                          ('user_data', ctypes.c_void_p), ('id', self.Id)]
        self.lib = ctypes.CDLL('libespeak-ng.so.1')
        self.rate = self.lib.espeak_Initialize(1, 500, None, 3 if ipa else 1)
        self.chunks, self.marks = [], []

        def receive(samples, count, events):
            if samples and count > 0:
                self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
            i = 0
            while events[i].type != 0:
                if events[i].type == 7:
                    self.marks.append((events[i].audio_position / 1000, events[i].id.string.decode('utf8', 'ignore')))
                i += 1
            return 0

        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))
        self.callback = kind(receive)
        self.lib.espeak_SetSynthCallback(self.callback)

    def utter(self, text, voice, speed, pitch):
        """Audio at `self.rate` and phonemes (start, end, name) of one utterance; None where the voice is unknown."""
        self.chunks.clear()
        self.marks.clear()
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            return None
        self.lib.espeak_SetParameter(1, speed, 0)
        self.lib.espeak_SetParameter(3, pitch, 0)
        data = text.encode()
        self.lib.espeak_Synth(data, len(data) + 1, 0, 0, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        audio = np.concatenate(self.chunks).astype(np.float64)
        ends = [start for start, _ in self.marks[1:]] + [len(audio) / self.rate]
        return audio, [(start, end, name) for (start, name), end in zip(self.marks, ends)]

    def speak(self, text, voice, speed, pitch):
        """Audio at 16 kHz and ARPAbet phones of one utterance; None where the voice or a phoneme is unknown."""
        uttered = self.utter(text, voice, speed, pitch)
        if uttered is None:
            return None
        audio, phonemes = uttered
        phones = []
        for start, end, name in phonemes:
            phone = arpabet(name) if name else 'SIL'
            if phone is None:
                print('unknown phoneme', name)
                return None
            phones.append((start, end, phone))
        return resample(audio, self.rate), phones


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--work', required=True)
    parser.add_argument('--utterances', type=int, default=240, help='of each synthesiser')
    args = parser.parse_args()
    random = np.random.default_rng(1)

    def sentence():
        if random.random() < 0.35:
            return SENTENCES[random.integers(len(SENTENCES))]
        words = list(random.choice(WORDS, random.integers(5, 11)))
        if random.random() < 0.5:
            words[len(words) // 2] += ','
        return ' '.join(words) + '.'

    made = []
    for i in range(args.utterances):
        voice = FLITE_VOICES[i % len(FLITE_VOICES)]
        pitch = random.uniform(150, 240) if voice == 'slt' else random.uniform(80, 150)
        made.append((f'flite-{voice}', *flite(sentence(), voice, random.uniform(0.85, 1.25), pitch)))
    engine = Espeak()
    for i in range(args.utterances):
        language = list(LANGUAGES)[i // 5 % 4] if i % 5 == 0 else ('en-us' if i % 2 else 'en-gb')
        text = sentence() if language.startswith('en-') else str(random.choice(LANGUAGES[language]))
        variant = ESPEAK_VARIANTS[random.integers(len(ESPEAK_VARIANTS))]
        result = engine.speak(text, language + variant, int(random.integers(130, 210)), int(random.integers(25, 75)))
        if result is not None:
            made.append((f'espeak-{language}{variant}', *result))
    rows = [(i, start, end, phone) for i, (_, _, phones) in enumerate(made) for start, end, phone in phones]
    np.savez(os.path.join(args.work, 'tts.npz'), audio=np.concatenate([audio for _, audio, _ in made]),
             lengths=[len(audio) for _, audio, _ in made], voices=[voice for voice, _, _ in made],
             utterance=[row[0] for row in rows], start=[row[1] for row in rows], end=[row[2] for row in rows],
             phone=[row[3] for row in rows])
    print(len(made), 'utterances,', sum(len(audio) for _, audio, _ in made) / RATE, 's')


if __name__ == '__main__':
    main()
