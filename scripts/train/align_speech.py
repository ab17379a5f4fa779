"""Finds the phone times of recordings whose words are known, so that they can be trained on like labelled ones.

    python3 align_speech.py --data DATA --work WORK [--transcripts FILE]
    python3 align_speech.py --data DATA --work WORK --more   # only those of DATA/more whose words are known, and of DATA/talking

Needs libpocketsphinx.so.3 with its English model (Debian: pocketsphinx, pocketsphinx-en-us), flite and ffmpeg. The words of a
recording are in the column `transcript` of DATA/speech/index.tsv, or in FILE: a name and its words a line, parted by a
tab, or by | as in LJSpeech's metadata.csv. Writes WORK/phn/NAME.phn (start, end in seconds, phone) for every English
recording that has none in DATA/speech/phn; with --all of the others, too, so that one aligner labels all.
"""
import argparse
import ctypes
import os
import re
import subprocess

import numpy as np

from more_speech import list_spoken, list_talking
from motion_data import read_audio, read_table
from speech_corpus import FLITE

MODEL = '/usr/share/pocketsphinx/model/en-us'
LEXICON = os.path.join(MODEL, 'cmudict-en-us.dict')
PAUSE = '<sil>'


class Entry(ctypes.Structure):
    """One word or phone of an alignment (ps_alignment_entry_t)."""
    _fields_ = [('id', ctypes.c_int32), ('more', ctypes.c_int32), ('start', ctypes.c_int16), ('frames', ctypes.c_int16)]


def pointer_to(found):
    if not found:
        raise RuntimeError('libpocketsphinx gives nothing; is its English model installed?')
    return ctypes.c_void_p(found)


def say_by_rule(word):
    """ARPAbet of a word that the lexicon lacks."""
    out = subprocess.run(['flite', '-voice', 'slt', '-ps', '-t', word, '-o', 'none'], check=True, capture_output=True, text=True)
    return [FLITE.get(name, name.upper()) for name in out.stdout.split() if name != 'pau']


def read_lexicon(words):
    """{word: pronunciations}, as lists of phones, of these words."""
    found = {}
    for line in open(LEXICON, encoding='utf-8'):
        spelt, *phones = line.split()
        word = re.sub(r'\(\d+\)$', '', spelt)
        if word in words:
            found.setdefault(word, []).append(phones)
    return {word: found.get(word) or [say_by_rule(word)] for word in sorted(words)}


class Aligner:
    """Where the words are, by a grammar of just these words with pauses where there are any; then where their phones are."""

    def __init__(self, lexicon, folder):
        self.phones = {PAUSE: ['SIL']}
        for word, spoken in lexicon.items():
            for i, phones in enumerate(spoken):
                self.phones[f'{word}({i + 1})' if i else word] = phones
        path = os.path.join(folder, 'lexicon.dict')
        with open(path, 'w', encoding='utf-8') as file:
            file.writelines(f'{word} {" ".join(phones)}\n' for word, phones in self.phones.items() if word != PAUSE)
        self.base = ctypes.CDLL('libsphinxbase.so.3', ctypes.RTLD_GLOBAL)
        self.sphinx = ctypes.CDLL('libpocketsphinx.so.3', ctypes.RTLD_GLOBAL)
        for lib, names in ((self.base, ('cmd_ln_init', 'logmath_init')), (self.sphinx, (
                'ps_args', 'ps_init', 'ps_seg_iter', 'ps_seg_next', 'acmod_init', 'bin_mdef_read', 'dict_init', 'dict2pid_build',
                'ps_alignment_init', 'ps_alignment_phones', 'ps_alignment_iter_get', 'ps_alignment_iter_next',
                'state_align_search_init'))):
            for name in names:
                getattr(lib, name).restype = ctypes.c_void_p
        self.sphinx.ps_seg_word.restype = ctypes.c_char_p
        # Pauses must stay in, or times would be of a shorter recording; beams are wide, for the words are certain.
        options = ['-hmm', os.path.join(MODEL, 'en-us'), '-dict', path, '-logfn', os.devnull, '-remove_silence', 'no',
                   '-beam', '1e-160', '-wbeam', '1e-120', '-pbeam', '1e-160', '-bestpath', 'no']
        values = [ctypes.c_char_p(value.encode()) for value in options]
        self.config = pointer_to(self.base.cmd_ln_init(None, ctypes.c_void_p(self.sphinx.ps_args()), 1, *values, None))
        self.decoder = pointer_to(self.sphinx.ps_init(self.config))
        lmath = pointer_to(self.base.logmath_init(ctypes.c_double(1.0001), 0, 0))
        self.acoustic = pointer_to(self.sphinx.acmod_init(self.config, lmath, None, None))
        self.sphinx.acmod_set_grow(self.acoustic, 1)
        mdef = pointer_to(self.sphinx.bin_mdef_read(self.config, os.path.join(MODEL, 'en-us', 'mdef').encode()))
        self.dictionary = pointer_to(self.sphinx.dict_init(self.config, mdef, lmath))
        self.senones = pointer_to(self.sphinx.dict2pid_build(mdef, self.dictionary))

    def words(self, pcm, words):
        """[name] of words and pauses on the best path, pronunciations chosen."""
        sphinx, decoder = self.sphinx, self.decoder
        grammar = f'#JSGF V1.0;\ngrammar words;\npublic <words> = {" ".join(words)};\n'
        if sphinx.ps_set_jsgf_string(decoder, b'words', grammar.encode()) < 0 or sphinx.ps_set_search(decoder, b'words') < 0:
            raise ValueError(f'Cannot align: pocketsphinx refuses the words {" ".join(words)}')
        sphinx.ps_start_utt(decoder)
        sphinx.ps_process_raw(decoder, pcm.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(pcm)), 0, 1)
        sphinx.ps_end_utt(decoder)
        found, first, last = [], ctypes.c_int(), ctypes.c_int()
        segment = sphinx.ps_seg_iter(decoder)
        while segment:
            segment = ctypes.c_void_p(segment)
            sphinx.ps_seg_frames(segment, ctypes.byref(first), ctypes.byref(last))
            name = sphinx.ps_seg_word(segment).decode()
            if name in self.phones and (name != PAUSE or last.value - first.value >= 3):
                found.append(name)
            segment = sphinx.ps_seg_next(segment)
        said = [re.sub(r'\(\d+\)$', '', name) for name in found if name != PAUSE]
        return found if said == words else None

    def align(self, audio, words):
        """[(start, end, phone)], or None where the words do not fit the sound."""
        sphinx = self.sphinx
        pcm = np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16)
        names = self.words(pcm, words)
        if names is None:
            return None
        alignment = pointer_to(sphinx.ps_alignment_init(self.senones))
        for name in names:
            sphinx.ps_alignment_add_word(alignment, sphinx.dict_wordid(self.dictionary, name.encode()), 0)
        sphinx.ps_alignment_populate(alignment)
        search = pointer_to(sphinx.state_align_search_init(b'align', self.config, self.acoustic, alignment))
        # ps_search_start, _step and _finish are macros over the table that a search begins with.
        table = ctypes.cast(ctypes.cast(search, ctypes.POINTER(ctypes.c_void_p))[0], ctypes.POINTER(ctypes.c_void_p))
        start, finish = (ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(table[i]) for i in (0, 2))
        step = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)(table[1])
        start(search)
        sphinx.acmod_start_utt(self.acoustic)
        at, left = ctypes.c_void_p(pcm.ctypes.data), ctypes.c_size_t(len(pcm))
        count = sphinx.acmod_process_raw(self.acoustic, ctypes.byref(at), ctypes.byref(left), 1)
        for frame in range(count):
            if step(search, frame) < 0:
                return None
            sphinx.acmod_advance(self.acoustic)
        sphinx.acmod_end_utt(self.acoustic)
        if finish(search) < 0:
            return None
        rows = []
        item = sphinx.ps_alignment_phones(alignment)
        for phone in (phone for name in names for phone in self.phones[name]):
            entry = ctypes.cast(sphinx.ps_alignment_iter_get(ctypes.c_void_p(item)), ctypes.POINTER(Entry))[0]
            rows.append((entry.start / 100, (entry.start + entry.frames) / 100, phone))
            item = sphinx.ps_alignment_iter_next(ctypes.c_void_p(item))
        return rows


def read_transcripts(path):
    """{name: words} of lines `name|text|…` or `name<tab>text`; the last column counts."""
    with open(path, encoding='utf-8') as file:
        rows = [re.split(r'[|\t]', line.rstrip('\n')) for line in file if line.strip()]
    return {row[0]: row[-1] for row in rows}


def list_speech(args):
    """[(name, path, words)] of the English recordings of DATA/speech whose words are known and that have no labels."""
    speech = os.path.join(args.data, 'speech')
    given = read_transcripts(args.transcripts) if args.transcripts else {}
    found = []
    for row in read_table(os.path.join(speech, 'index.tsv')):
        name = row['file'][:-5]
        # LJSpeech's own names lack the prefix.
        text = row['transcript'] or given.get(name) or given.get(name.split('_', 1)[-1], '')
        if row['lang'] == 'en' and (args.all or not os.path.exists(os.path.join(speech, 'phn', f'{name}.phn'))):
            found.append((name, os.path.join(speech, f'{name}.flac'), text))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--transcripts')
    parser.add_argument('--all', action='store_true', help='also where there are labels')
    parser.add_argument('--more', action='store_true', help='of DATA/more and DATA/talking instead of DATA/speech')
    args = parser.parse_args()
    said, paths = {}, {}
    for name, path, text in [*list_spoken(args.data), *list_talking(args.data)] if args.more else list_speech(args):
        words = re.findall(r"[a-z']+", text.lower().replace('-', ' ').replace('’', "'"))
        if words:
            said[name] = [word.strip("'") if word.strip("'") else word for word in words]
            paths[name] = path
    folder = os.path.join(args.work, 'phn')
    os.makedirs(folder, exist_ok=True)
    aligner = Aligner(read_lexicon({word for words in said.values() for word in words}), args.work)
    for name, words in said.items():
        phones = aligner.align(read_audio(paths[name]), words)
        print(name, 'the words do not fit' if phones is None else f'{len(phones)} phones', flush=True)
        if phones is not None:
            with open(os.path.join(folder, f'{name}.phn'), 'w', encoding='utf-8') as file:
                file.writelines(f'{start:.2f}\t{end:.2f}\t{phone}\n' for start, end, phone in phones)


if __name__ == '__main__':
    main()
