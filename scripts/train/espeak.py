"""Speech by espeak-ng with the times of its phonemes."""
import ctypes

import numpy as np

RATE = 16000
# Espeak's phonemes, as ARPAbet.
ESPEAK = {
    'p': 'P', 'b': 'B', 't': 'T', 't#': 'T', 't2': 'T', 'd': 'D', 'd#': 'D', 'k': 'K', 'g': 'G', 'f': 'F', 'v': 'V',
    'T': 'TH', 'D': 'DH', 's': 'S', 'z': 'Z', 'S': 'SH', 'Z': 'ZH', 'h': 'HH', 'm': 'M', 'n': 'N', 'N': 'NG', 'l': 'L',
    'l^': 'L', 'l#': 'L', 'L': 'L', 'r': 'R', 'r-': 'R', 'R': 'K', 'R2': 'K', 'c': 'K', 'j': 'Y', 'w': 'W', 'tS': 'CH', 'dZ': 'JH', '?': 'T',
    'x': 'K', 'C': 'HH', 'Q': 'G', 'B': 'V', 'n^': 'N', '*': 'D', '**': 'D', 'ts': 'S', 'pF': 'F', 'dz': 'Z', 'Ts': 'S',
    ';': 'Y', 'Tj': 'CH', 'J': 'Y', 'w2': 'W', 'Y': 'UW', 'y': 'UW', 'y:': 'UW', 'W': 'UH', 'Y:': 'UW', '_': 'SIL',
    '_:': 'SIL', '_|': 'SIL', '_!': 'SIL', '_::': 'SIL', '_;_': 'SIL',
}
# Espeak's vowels by their beginning; the longest match counts.
ESPEAK_VOWELS = {
    '@': 'AH', '@U': 'OW', '@L': 'L', '3': 'ER', '3:': 'ER', 'a': 'AE', 'a:': 'AA', 'A': 'AA', 'aI': 'AY', 'AI': 'AY',
    'aU': 'AW', 'AU': 'AW', 'E': 'EH', 'E:': 'EH', 'e': 'EH', 'eI': 'EY', 'e:': 'EY', 'I': 'IH', 'i': 'IY', 'i:': 'IY',
    'O': 'AO', 'OI': 'OY', 'OY': 'OY', 'o': 'AO', 'oU': 'OW', 'o:': 'OW', 'u': 'UW', 'u:': 'UW', 'U': 'UH', 'V': 'AH',
    '0': 'AA', 'y': 'UW', 'Y': 'UW', 'W': 'UH', '8': 'UH', '&': 'AH',
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


# Here an r is spoken at the back of the mouth, and the lips are not rounded.
UVULAR = ('fr', 'de')
# Espeak's marks of a new word or a glottal start, in seconds: shorter silence is no pause.
LEAST_PAUSE = 0.04


class Espeak:
    """Espeak-ng through its C interface, which alone reports when phonemes are spoken."""

    class Id(ctypes.Union):
        _fields_ = [('number', ctypes.c_int), ('name', ctypes.c_char_p), ('string', ctypes.c_char * 8)]

    class Event(ctypes.Structure):
        pass

    class Voice(ctypes.Structure):
        _fields_ = [('name', ctypes.c_char_p), ('languages', ctypes.c_char_p), ('identifier', ctypes.c_char_p),
                    ('gender', ctypes.c_ubyte), ('age', ctypes.c_ubyte), ('variant', ctypes.c_ubyte), ('xx1', ctypes.c_ubyte),
                    ('score', ctypes.c_int), ('spare', ctypes.c_void_p)]

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
        self.lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(self.Voice))
        self.languages = sorted(self.voice_files(None))
        self.variants = sorted(name.removeprefix('!v/') for name in self.voice_files(b'variant'))

    def voice_files(self, language):
        """Names by which voices are found: of their files, without the folder of the language's family."""
        wanted = None if language is None else ctypes.byref(self.Voice(languages=language))
        listed, names, i = self.lib.espeak_ListVoices(wanted), set(), 0
        while listed[i]:
            file = listed[i].contents.identifier.decode()
            names.add(file if file.startswith('!v/') else file.split('/')[-1].lower())
            i += 1
        return names

    def choose(self, voice):
        """Takes a voice, such as `fr` or `fr+f2`. Espeak itself passes over an unknown variant."""
        language, _, variant = voice.partition('+')
        if variant and variant not in self.variants:
            raise ValueError(f'espeak-ng has no variant {variant}; it has {", ".join(self.variants)}')
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f'espeak-ng has no voice {language}; it has {", ".join(self.languages)}')

    def utter(self, text, voice, speed, pitch):
        """Audio at `self.rate` and phonemes (start, end, name) of one utterance; ValueError where the voice is unknown."""
        self.chunks.clear()
        self.marks.clear()
        self.choose(voice)
        self.lib.espeak_SetParameter(1, speed, 0)
        self.lib.espeak_SetParameter(3, pitch, 0)
        data = text.encode()
        self.lib.espeak_Synth(data, len(data) + 1, 0, 0, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        audio = np.concatenate(self.chunks).astype(np.float64)
        ends = [start for start, _ in self.marks[1:]] + [len(audio) / self.rate]
        return audio, [(start, end, name) for (start, name), end in zip(self.marks, ends)]

    def speak(self, text, voice, speed, pitch):
        """Audio at 16 kHz and ARPAbet phones of one utterance; None where a phoneme is unknown."""
        audio, phonemes = self.utter(text, voice, speed, pitch)
        phones = []
        for start, end, name in phonemes:
            phone = arpabet(name) if name else 'SIL'
            if phone is None:
                print('unknown phoneme', name, 'of', voice)
                return None
            if phone == 'R' and voice.split('+')[0] in UVULAR:
                phone = 'K'
            if phone == 'SIL' and phones and end - start < LEAST_PAUSE:
                phones[-1] = (phones[-1][0], end, phones[-1][2])
            elif end > start:
                phones.append((start, end, phone))
        return resample(audio, self.rate), phones
