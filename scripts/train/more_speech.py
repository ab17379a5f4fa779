"""The recordings of DATA/more and the filmed speaker's: who speaks, which words or phones, and who is held out."""
import gzip
import os
import re

from motion_data import read_table

# Held out, by corpus: to choose by, and for the last numbers. Takes of the one Mandarin speaker are held out as takes.
EMODB_VAL, EMODB_TEST = ('09',), ('03', '13')
FACEGOOD_VAL, FACEGOOD_TEST = ('1114_2_05',), ('1114_2_01', '1114_3_16')
# Every tenth speaker of this corpus is tested on.
OCEAN_TEST_EACH = 10

# EmoDB's SAMPA, as ARPAbet: what the lips do counts, not the exact vowel. A uvular r rounds no lips.
SAMPA = {
    'p': 'P', 'b': 'B', 'm': 'M', 'f': 'F', 'v': 'V', 't': 'T', 'd': 'D', 'k': 'K', 'g': 'G', 'n': 'N', 'N': 'NG', 's': 'S',
    'z': 'Z', 'S': 'SH', 'Z': 'ZH', 'C': 'HH', 'x': 'K', 'X': 'K', 'h': 'HH', 'H': 'HH', 'l': 'L', 'L': 'L', 'j': 'Y', 'R': 'K',
    'r': 'K', 'V': 'V', 'D': 'D', 'G': 'G', '?': 'T', 'T': 'T',
    'a': 'AA', 'A': 'AA', 'E': 'EH', 'e': 'EH', 'I': 'IH', 'i': 'IY', 'O': 'AO', 'o': 'AO', 'U': 'UH', 'u': 'UW', 'y': 'UW',
    'Y': 'UH', '2': 'UH', '9': 'UH', '@': 'AH', '6': 'AH', '4': 'AH',
    'aI': 'AY', 'aU': 'AW', 'aO': 'AW', 'OY': 'OY', 'OI': 'OY',
}


def list_spoken(data):
    """[(name, path, words)] of the English recordings with known words."""
    more, found = os.path.join(data, 'more'), []
    for folder, prefix in (('speechocean762_250_speakers', 'ocean'), ('vctk_10_speakers', 'vctk')):
        for row in read_table(os.path.join(more, folder, 'index.tsv')):
            name = os.path.splitext(os.path.basename(row['file']))[0]
            found.append((f'{prefix}_{name}', os.path.join(more, folder, row['file']), row['text']))
    grid = os.path.join(more, 'grid_other_speakers')
    for row in read_table(os.path.join(grid, 'index.tsv')):
        if row['align'] != '-':
            words = [line.split()[2] for line in open(os.path.join(grid, row['align']), encoding='utf-8')]
            text = ' '.join(word for word in words if word not in ('sil', 'sp'))
            name = os.path.splitext(os.path.basename(row['file']))[0]
            found.append((f'grid_{name}', os.path.join(grid, row['file']), text))
    return found


def list_talking(data):
    """[(name, path, words)] of the filmed speaker's clips: what is said in them stands among all sentences of the corpus."""
    said = {}
    with gzip.open(os.path.join(data, 'more', 'grid_other_speakers', 'all_alignments_34x1000.tsv.gz'), 'rt', encoding='utf-8') as file:
        for speaker, code, words in (line.rstrip('\n').split('\t') for line in file):
            said[f'{speaker}_{code}'] = ' '.join(w for w in (item.split(':')[2] for item in words.split()) if w not in ('sil', 'sp'))
    folder = os.path.join(data, 'talking')
    names = [os.path.splitext(row['file'])[0] for row in read_table(os.path.join(folder, 'index.tsv'))]
    return [(f'grid_{name}', os.path.join(folder, f'{name}.mkv'), said[name]) for name in names if name in said]


def read_sampa(path):
    """[(start, end, ARPAbet)] of EmoDB's labels: closures, bursts and aspiration of a stop are one phone."""
    rows = []
    for line in open(path, encoding='utf-8'):
        start, end, label = line.rstrip('\n').split('\t')[:3]
        start, end, label = float(start), float(end), label.split()[0] if label.split() else '.'
        if label[0] in '+-(' and rows:  # a change within the phone before
            rows[-1] = (rows[-1][0], end, rows[-1][2])
            continue
        part = re.sub(r'^[!_]', '', re.sub(r'(asp|:)$', '', label))
        phone = 'SIL' if label in ('.', '_') or label[0] in '(+-' else SAMPA.get(part) or SAMPA.get(part[:2]) or SAMPA.get(part[:1])
        if phone is None or end <= start:
            continue
        if rows and rows[-1][2] == phone and (label[0] == '!' or label.endswith('asp')):
            rows[-1] = (rows[-1][0], end, phone)
        else:
            rows.append((start, end, phone))
    return rows


def list_emodb(data):
    """[(name, path, speaker, phones)] of the recordings with hand-made labels."""
    folder = os.path.join(data, 'more', 'emodb_german')
    return [(os.path.splitext(os.path.basename(row['file']))[0], os.path.join(folder, row['file']), row['speaker'],
             read_sampa(os.path.join(folder, row['phones'])))
            for row in read_table(os.path.join(folder, 'index.tsv')) if row['phones'] not in ('', '-')]
