"""Speaks sentences of several languages with two synthesisers, with the times of their phones.

    python3 scripts/bench/speak-languages.py OUT [val]

Needs libespeak-ng and, for the second synthesiser, festival with the packages festvox-italp16k, festvox-itapc16k,
festvox-czech-machac, festvox-ca-ona-hts and festvox-suopuhe-lj; for `val`, the voices to choose weights by, festvox-ru,
festvox-te-nsk, festvox-mr-nsk, festvox-suopuhe-mv and festvox-czech-dita. No sentence and no voice of these is in training: of
espeak-ng other variants than speech_corpus.py uses, and festival not at all; Mandarin, Hindi, Czech, Catalan and Finnish, and
of `val` Portuguese, Polish, Russian, Telugu and Marathi, are in no training in any voice. Writes OUT/LANGUAGE-VOICE-N.wav, 16 kHz, and
.phn next to it: start, end in seconds, name of the phone (IPA by espeak-ng, the voice's own names by festival).
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import wave

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "train"))
from espeak import RATE, Espeak, resample  # noqa: E402

SENTENCES = {
    "en-us": ["The market opens at seven, and by noon the bread is gone.", "Please bring both umbrellas, it may rain before supper.",
              "Nobody remembered where the piano had come from."],
    "de": ["Am Abend brennt im Fenster gegenüber noch immer Licht.", "Meine Mutter möchte bald ein paar Bäume pflanzen.",
           "Ob der Bus pünktlich kommt, weiß hier niemand so genau."],
    "fr": ["Le bateau quitte le port avant la tombée de la nuit.", "Mon père préfère un bon livre au bruit de la ville.",
              "Personne ne pensait que l’hiver serait aussi doux."],
    "es": ["El tren de las ocho no para en este pueblo.", "Mi abuela prepara sopa de pimientos los domingos.",
           "Nadie sabe por qué cambiaron el nombre de la plaza."],
    "it": ["Il mercato apre presto e la piazza si riempie di gente.", "Mia nonna prepara il pane come una volta.",
           "Nessuno ricorda più il nome di quel vecchio ponte."],
    # Without the Chinese dictionary, which not every package of espeak-ng has, pinyin is read.
    "cmn": ["ming2tian1 zao3shang4 wo3men2 zuo4 huo3che1 qu4 bei3jing1 kan4 peng2you3.",
            "ma1ma1 mai3 le5 ping2guo3, mian4bao1 he2 yi4 ba3 piao4liang4 de5 yu3san3.",
            "zhe4 ge5 wen4ti2 bu4 nan2, dan4shi4 mei2you3 ren2 ming2bai2."],
    "hi": ["मेरी माँ हर सुबह बाज़ार से ताज़ा फल लाती है।", "बारिश के बाद पूरा शहर बहुत सुंदर लगता है।", "आप कब तक यहाँ रुकना पसंद करेंगे?"],
    "cs": ["Babička peče každou neděli makový koláč.", "Nikdo neví, proč ten most ještě není opravený.",
           "Před obědem půjdeme podél potoka až k mlýnu."],
    "ca": ["El mercat obre aviat i la plaça s’omple de gent.", "La meva mare prepara pa amb oli cada matí.",
           "Ningú no recorda per què van canviar el nom del poble."],
    "fi": ["Mummo paistaa pullaa joka sunnuntai ennen puoltapäivää.", "Meren pinta oli aamulla aivan tyyni.",
           "Kukaan ei muista, mistä tuo vanha piano on peräisin."],
}
ESPEAK = {"female": ("+shelby", 165, 55), "male": ("+Michael", 155, 40)}
# Where the voice is called otherwise than the language.
ESPEAK_VOICES = {"cmn": "cmn-latn-pinyin"}
ESPEAK_LANGUAGES = ("en-us", "de", "fr", "es", "it", "cmn", "hi")
# Language, voice and the encoding that its rules are written in.
FESTIVAL = {
    "lp_diphone": ("it", "iso-8859-1"), "pc_diphone": ("it", "iso-8859-1"), "czech_machac": ("cs", "iso-8859-2"),
    "upc_ca_ona_hts": ("ca", "iso-8859-15"), "suo_fi_lj_diphone": ("fi", "iso-8859-1"),
}


VAL_SENTENCES = {
    "en-us": ["The farmer's market moved to a bigger place by the bridge.", "Maybe you should put the map back in my bag."],
    "de": ["Der Papagei meiner Tante plappert den ganzen Abend.", "Im Oktober wird es am Berg schon früh dunkel."],
    "fr": ["Le pompier a sauvé un petit chat du balcon.", "Demain matin, ma mère ira au marché avec son panier."],
    "es": ["Mi primo compró una bicicleta vieja en el mercado.", "El domingo por la tarde vamos a pasear al parque."],
    "it": ["Il bambino beve un bicchiere di latte prima di dormire.", "Mio padre compra sempre il pane al mattino."],
    "pt": ["O menino comeu uma maçã e bebeu um copo de água.", "Amanhã vamos à praia com os meus primos."],
    "pl": ["Mój brat kupił nowy rower i mapę miasta.", "Babcia piecze chleb w każdą sobotę po południu."],
    "ru": ["Мама купила белый хлеб и большую рыбу.", "Мой брат живёт в большом доме у моря."],
    "te": ["మా అమ్మ మంచి పండ్లు కొన్నది", "మేము బడికి పోతున్నాము"],
    "mr": ["माझी आई बाजारात फळे आणते.", "आम्ही उद्या सकाळी पुण्याला जाणार आहोत."],
    "fi": ["Isä ostaa torilta mansikoita ja perunoita.", "Koira juoksi pihan poikki ja haukkui postimiestä."],
    "cs": ["Můj bratr koupil na trhu jablka a bílý chléb.", "Babička bydlí v malém domě u potoka."],
}
VAL_ESPEAK = {"female": ("+Andrea", 170, 60), "male": ("+paul", 160, 40)}
VAL_ESPEAK_LANGUAGES = ("en-us", "de", "fr", "es", "it", "pt", "pl")
VAL_FESTIVAL = {
    "msu_ru_nsh_clunits": ("ru", "utf-8"), "telugu_NSK_diphone": ("te", "utf-8"), "marathi_NSK_diphone": ("mr", "utf-8"),
    "hy_fi_mv_diphone": ("fi", "iso-8859-1"), "czech_dita": ("cs", "iso-8859-2"),
}


def festival(text, voice, encoding):
    """Audio, its rate and phones of one utterance."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        words = text.replace("’", "'").encode(encoding)
        script = b'(voice_%b)\n(set! u (SynthText "%b"))\n(utt.save.wave u "%b/a.wav")\n(utt.save.segs u "%b/a.lab")\n'
        at = str(folder).encode()
        (folder / "say.scm").write_bytes(script % (voice.encode(), words, at, at))
        subprocess.run(["festival", "-b", str(folder / "say.scm")], check=True, capture_output=True)
        with wave.open(str(folder / "a.wav")) as file:
            rate, data = file.getframerate(), file.readframes(file.getnframes())
        phones, start = [], 0.0
        for line in (folder / "a.lab").read_text("latin-1").splitlines():
            found = re.fullmatch(r"\s*([\d.]+) \d+ (\S+)\s*", line)
            if found:
                phones.append((start, float(found[1]), "" if found[2] in ("#", "_", "pau") else found[2]))
                start = float(found[1])
    return np.frombuffer(data, np.int16).astype(np.float64), rate, phones


def write(folder, name, audio, rate, phones):
    with wave.open(str(folder / f"{name}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(resample(audio, rate).tobytes())
    (folder / f"{name}.phn").write_text("".join(f"{start:.3f}\t{end:.3f}\t{phone or 'SIL'}\n" for start, end, phone in phones))


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["val"]):
        raise SystemExit("usage: speak-languages.py OUT [val]")
    val = sys.argv[2:] == ["val"]
    sentences, variants, voices = (VAL_SENTENCES, VAL_ESPEAK, VAL_FESTIVAL) if val else (SENTENCES, ESPEAK, FESTIVAL)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    engine = Espeak(ipa=True)
    for language in VAL_ESPEAK_LANGUAGES if val else ESPEAK_LANGUAGES:
        for kind, (variant, speed, pitch) in variants.items():
            for index, text in enumerate(sentences[language]):
                audio, phones = engine.utter(text, ESPEAK_VOICES.get(language, language) + variant, speed, pitch)
                write(folder, f"{language}-espeak_{kind}-{index + 1}", audio, engine.rate, phones)
    for voice, (language, encoding) in voices.items():
        for index, text in enumerate(sentences[language]):
            write(folder, f"{language}-festival_{voice}-{index + 1}", *festival(text, voice, encoding))


if __name__ == "__main__":
    main()
