"""Checks what the motion network is taught: voices that there are, and lips that meet at P, B and M."""
import ctypes
import unittest

import numpy as np
import torch

from phone_teacher import LEAST_VOWEL, PhoneTeacher, closures
from train_motion import apart

try:
    ctypes.CDLL("libespeak-ng.so.1")
    SPEAKS = True
except OSError:
    SPEAKS = False


class Voices(unittest.TestCase):
    @unittest.skipUnless(SPEAKS, "needs libespeak-ng")
    def test_unknown_voices_are_refused_by_name(self):
        from espeak import Espeak
        from speech_corpus import ENGLISH, ESPEAK_VARIANTS, LANGUAGES

        engine = Espeak()
        for voice in [*LANGUAGES, *ENGLISH, *("fr" + variant for variant in ESPEAK_VARIANTS)]:
            engine.choose(voice)
        with self.assertRaisesRegex(ValueError, "no voice fr-fr; it has .*\\bfr\\b"):
            engine.choose("fr-fr")
        with self.assertRaisesRegex(ValueError, "no variant nobody; it has .*\\bf1\\b"):
            engine.choose("fr+nobody")
        audio, phones = engine.speak("Bonjour, mon papa.", "fr+f1", 160, 50)
        self.assertEqual([phone for _, _, phone in phones if phone in ("P", "B", "M")], ["B", "M", "P", "P"])
        self.assertGreater(np.abs(audio).max(), 1000)


class Closures(unittest.TestCase):
    PHONES = [(0.0, 0.2, "SIL"), (0.2, 0.4, "AA"), (0.4, 0.48, "P"), (0.48, 0.7, "AA"), (0.7, 0.8, "T"), (0.8, 1.0, "IY")]

    def test_lips_meet_in_the_middle_of_p_and_part_beside_it(self):
        closed = closures(self.PHONES, 100)
        self.assertEqual(closed[44], 1)
        self.assertEqual(np.count_nonzero(closed[[20, 30, 60, 75, 90]]), 0)

    def test_curves_close_at_p_and_open_in_every_vowel(self):
        # A mouth of one coefficient, in cm, that opens for AA alone.
        curve = np.array([[0.8 if 0.2 <= t < 0.4 or 0.48 <= t < 0.7 else 0.1] for t in np.arange(100) / 100])
        teacher = PhoneTeacher([(self.PHONES, curve)], np.array([1.0]), ridge=1e-3)
        made = teacher.curves(self.PHONES, 100)[:, 0]
        self.assertLess(made[44], 0)
        self.assertGreater(made[30], 0.5)
        self.assertGreaterEqual(made[90], LEAST_VOWEL - 1e-6)


class Apart(unittest.TestCase):
    def test_a_gap_counts_more_near_closed_lips(self):
        near = apart(torch.tensor([0.0, 0.1, 1.0, 1.1, -0.1]))
        self.assertAlmostEqual(float(near[0]), 0)
        self.assertGreater(float(near[1] - near[0]), 6 * float(near[3] - near[2]))
        self.assertAlmostEqual(float(near[4]), -0.1, places=6)


if __name__ == "__main__":
    unittest.main()
