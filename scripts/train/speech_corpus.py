"""Makes speech with phone timings by text-to-speech, for voices and phones that the recordings lack.

    python3 speech_corpus.py --work WORK

Needs the programs flite and libespeak-ng. Writes WORK/tts.npz: audio (int16, 16 kHz, concatenated), lengths, and the
phones of every utterance as rows (utterance, start, end, phone).
"""
import argparse
import os
import subprocess
import tempfile

import numpy as np

from espeak import RATE, Espeak, resample

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
           'Mañana por la mañana compramos pan, fruta y vino.', 'El perro corre mucho por el campo verde.',
           'Mi hermano bebe un vaso de agua después de comer.', 'Bajamos rápido del barco y subimos al monte.'],
    'it': ['Buongiorno, mi chiamo Marco e abito a Roma.', 'La bella famiglia mangia la pasta con il pomodoro.',
           'Domani andiamo tutti insieme al mare.', 'Il gatto dorme sopra il tavolo bianco.',
           'Quel bambino ha perso la palla nel bosco.', 'Prima di partire beviamo sempre un caffè amaro.'],
    'de': ['Guten Morgen, mein Name ist Paul und ich wohne in Bremen.', 'Die schönen Blumen blühen im warmen Sommer.',
           'Wir fahren heute mit dem Zug nach Hamburg.', 'Bitte bringen Sie mir ein Glas Wasser und etwas Brot.',
           'Mein Bruder spielt am Nachmittag gern Klavier.', 'Über die Brücke kommt man bequem zum Marktplatz.'],
    'fr': ['Bonjour, je m’appelle Paul et j’habite à Paris.', 'Ma petite maison blanche est au bord de la mer.',
           'Nous mangeons du pain et du fromage chaque matin.', 'Vous voulez une tasse de thé ou de café?',
           'Ma sœur a peint un beau tableau pour son ami.', 'Il pleut beaucoup, mais le ciel redevient bleu.',
           'Combien de pommes faut-il pour la compote?', 'Le boulanger du coin prépare un bon pain de campagne.'],
    'nl': ['Goedemorgen, mijn naam is Jan en ik woon in Groningen.', 'Mijn broer speelt vanmiddag piano in het dorp.',
           'De bomen bloeien in het voorjaar.', 'Breng mij alsjeblieft een glas water en een boterham.'],
    'sv': ['God morgon, jag heter Björn och bor i Göteborg.', 'Min bror spelar piano på kvällen.',
           'På sommaren badar vi i sjön bakom huset.', 'Mamma bakar bröd och kokar kaffe.'],
    'ro': ['Bună dimineața, mă numesc Pavel și locuiesc la munte.', 'Mama cumpără pâine, mere și lapte.',
           'Băiatul merge cu bicicleta pe lângă pădure.', 'Copiii beau apă proaspătă după masă.'],
    'tr': ['Günaydın, benim adım Ömer ve ben bu köyde oturuyorum.', 'Annem pazardan peynir, ekmek ve portakal aldı.',
           'Bu akşam beraber müzik dinleyelim mi?', 'Küçük kedi bahçede uyuyor.'],
    'hu': ['Jó reggelt, a nevem Péter és a hegyen lakom.', 'Anyám almát, kenyeret és vajat vett a piacon.',
           'Este moziba megyünk a barátaimmal.', 'A piros labda begurult a bokor alá.'],
    'id': ['Selamat pagi, nama saya Budi dan saya tinggal di kampung.', 'Ibu membeli buah, ikan dan beras di pasar.',
           'Bapak sedang membaca buku baru di depan rumah.', 'Besok kami pergi ke pantai bersama teman.'],
    'el': ['Καλημέρα, με λένε Παύλο και μένω στο βουνό.', 'Η μητέρα μου πήρε ψωμί, μήλα και τυρί.',
           'Το βράδυ πάμε μαζί στο θέατρο.', 'Το μικρό παιδί παίζει με την μπάλα.'],
    'ja': ['おはようございます、ぼくのなまえはまことです。', 'ははは まいあさ ぱんと みるくを かいます。',
           'こうえんで ともだちと ぼーるであそぶ。', 'ばんごはんは みそしると さかなです。'],
}
# Made-up words of any language that is written in these letters; closed lips meet every vowel in them.
ONSETS = ['p', 'b', 'm'] * 3 + 't d k g f v s l r n h sp br pl mi ti ko da'.split() + ['']
VOWELS = ['a', 'e', 'i', 'o', 'u']
CODAS = [''] * 6 + ['n', 'm', 's', 'l', 'r', 'p']
SPELT_WITH_LATIN = [name for name in LANGUAGES if name not in ('el', 'ja')]
ENGLISH = ['en-us', 'en-us', 'en', 'en-gb-scotland']
FLITE_VOICES = ['slt', 'slt', 'slt', 'rms', 'awb', 'kal16', 'kal', 'awb_time']
ESPEAK_VARIANTS = [
    '', *(f'+{name}' for name in (
        'f1 f2 f3 f4 f5 m1 m2 m3 m4 m5 m6 m7 steph Annie Alicia linda belinda john max anika Andy boris klatt Alex Denis Diogo '
        'Gene Henrique Hugo Jacky Lee Marco Mike adam antonio aunty benjamin caleb david ed edward grandma grandpa gustave '
        'iven marcelo michel miguel norbert pablo pedro quincy rob robert sandro steph2 steph3 travis victor zac klatt2 '
        'klatt4').split())]
# Phones of flite, as ARPAbet.
FLITE = {'pau': 'SIL', 'ax': 'AH', 'axr': 'ER', 'dx': 'D', 'hv': 'HH', 'el': 'L', 'em': 'M', 'en': 'N', 'nx': 'N'}


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


def made_up_words(random, count):
    """Words without a meaning, such as `pamibo`."""
    def syllable():
        return random.choice(ONSETS) + random.choice(VOWELS) + random.choice(CODAS)

    return [''.join(syllable() for _ in range(random.integers(1, 4))) for _ in range(count)]


def english(random):
    if random.random() < 0.35:
        return SENTENCES[random.integers(len(SENTENCES))]
    words = list(random.choice(WORDS, random.integers(5, 11)))
    if random.random() < 0.5:
        words[len(words) // 2] += ','
    return ' '.join(words) + '.'


def foreign(random, language):
    """One of the language's sentences; or its words in another order, with made-up ones between them."""
    sentences = LANGUAGES[language]
    if random.random() < 0.35 or language not in SPELT_WITH_LATIN:
        return str(random.choice(sentences))
    words = [word.strip('.,?!').lower() for sentence in sentences for word in sentence.split()]
    chosen = [*random.choice(words, random.integers(2, 5)), *made_up_words(random, random.integers(2, 5))]
    random.shuffle(chosen)
    return ' '.join(chosen) + '.'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--work', required=True)
    parser.add_argument('--flite', type=int, default=400, help='utterances of flite')
    parser.add_argument('--espeak', type=int, default=1400, help='utterances of espeak-ng')
    args = parser.parse_args()
    random = np.random.default_rng(1)

    made = []
    for i in range(args.flite):
        voice = FLITE_VOICES[i % len(FLITE_VOICES)]
        pitch = random.uniform(150, 240) if voice == 'slt' else random.uniform(80, 150)
        made.append((f'flite-{voice}', *flite(english(random), voice, random.uniform(0.85, 1.25), pitch)))
    engine = Espeak()
    for i in range(args.espeak):
        # A quarter in English, and French as often as two others: its vowels are the least like English ones.
        language = str(random.choice(ENGLISH)) if i % 4 == 0 else str(random.choice([*LANGUAGES, 'fr']))
        text = english(random) if language in ENGLISH else foreign(random, language)
        variant = str(random.choice(ESPEAK_VARIANTS))
        result = engine.speak(text, language + variant, int(random.integers(120, 230)), int(random.integers(15, 85)))
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
