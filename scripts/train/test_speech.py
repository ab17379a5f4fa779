"""Checks what the motion network is taught: voices that there are, and lips that meet at P, B and M."""
import ctypes
import os
import tempfile
import unittest

import numpy as np
import torch

from check_motion import shut_share
from motion_batches import OUTPUTS, Batch, Batches, insert_pause, shares_of
from more_speech import read_sampa
from motion_network import CONFIG, MotionNetwork, config_of, load_grown, samples_before, samples_for
from motion_people import CORNERS_OUT, lift_of, mouth_measures, with_corners
from motion_recordings import Recording
from phone_teacher import LEAST_VOWEL, PHONES, PhoneTeacher, centre_on_dips, closures, phone_classes, stress
from speech_augment import RATE, breath, bursts, cough, degrade, mouth_noise, music
from train_motion import apart, closure_loss, stretch

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
        teacher = PhoneTeacher([(self.PHONES, curve, 1.0)], np.array([1.0]), ridge=1e-3)
        made = teacher.curves(self.PHONES, 100)[:, 0]
        self.assertLess(made[44], 0)
        self.assertGreater(made[30], 0.5)
        self.assertGreaterEqual(made[90], LEAST_VOWEL - 1e-6)


    def test_p_and_b_are_looked_for_where_the_sound_is_weakest(self):
        audio = 0.1 * np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
        audio[round(0.36 * RATE):round(0.42 * RATE)] *= 0.01
        late = [(0.2, 0.42, "AA"), (0.42, 0.46, "P"), (0.46, 0.7, "AA")]
        start, end, phone = centre_on_dips(late, audio)[1]
        self.assertAlmostEqual((start + end) / 2, 0.39, delta=0.006)
        self.assertAlmostEqual(end - start, 0.04)
        self.assertEqual(phone, "P")
        # Where nothing is weak, and for sounds that do not stop the voice, the label counts.
        for phones in ([(0.6, 0.64, "P")], [(0.42, 0.46, "M")], [(0.42, 0.46, "AA")]):
            self.assertEqual(centre_on_dips(phones, audio), phones)


class Pauses(unittest.TestCase):
    def test_a_pause_is_silent_and_the_mouth_rests_in_it(self):
        before, random = samples_before(CONFIG), np.random.default_rng(1)
        audio, target, closed = np.full(samples_for(CONFIG, OUTPUTS), 0.1, np.float32), np.ones((OUTPUTS, 2)), np.zeros(OUTPUTS)
        step, shortest = RATE // CONFIG['outputRate'], 9
        for _ in range(50):
            heard, moved, stressed, shut = insert_pause(random, audio, target, closed, np.ones(OUTPUTS), before)
            self.assertEqual((heard.shape, moved.shape, stressed.shape), (audio.shape, target.shape, closed.shape))
            # Whether lips are shut for a sound that a pause cuts in two is not asked; else labels stay.
            self.assertEqual(shut.shape, closed.shape)
            self.assertEqual(set(shut), {-1.0, 1.0})
            self.assertTrue((shut[stressed > 0] == -1).all())
            first, last = np.flatnonzero(heard == 0)[[0, -1]]
            if last - first >= 0.25 * RATE and last < before + OUTPUTS * step:
                shortest = min(shortest, (last - first) / RATE)
                middle = ((first + last) // 2 - before) // step
                self.assertEqual(moved[middle].tolist(), [0, 0])
                self.assertGreater(stressed[middle], 0)
            self.assertEqual(moved[0].tolist(), [1, 1])
        self.assertLess(shortest, 0.35)

    def test_what_fills_a_pause_is_heard_in_it_and_the_mouth_rests(self):
        before, random = samples_before(CONFIG), np.random.default_rng(2)
        audio, target = np.full(samples_for(CONFIG, OUTPUTS), 0.1, np.float32), np.ones((OUTPUTS, 2))
        longest = 0
        for _ in range(30):
            heard, moved, _, _ = insert_pause(random, audio, target, np.zeros(OUTPUTS), np.ones(OUTPUTS), before, lambda count: np.full(count, -0.02))
            inside = np.flatnonzero(heard == np.float32(-0.02))
            longest = max(longest, len(inside) / RATE)
            middle = ((inside[0] + inside[-1]) // 2 - before) * CONFIG['outputRate'] // RATE
            if len(inside) > 0.25 * RATE and middle < OUTPUTS - 8:
                self.assertEqual(moved[middle].tolist(), [0, 0])
        self.assertGreater(longest, 0.8)

    def test_breaths_are_noise_and_coughs_begin_with_a_burst(self):
        for seed in range(8):
            random = np.random.default_rng(seed)
            air = breath(random)
            self.assertTrue(0.15 * RATE <= len(air) <= 1.1 * RATE and np.isfinite(air).all())
            # It swells and fades.
            tenth = len(air) // 10
            self.assertLess(max(air[:tenth].std(), air[-tenth:].std()), 0.9 * max(air[i * tenth:(i + 1) * tenth].std() for i in range(10)))
            sound = cough(random)
            self.assertTrue(np.isfinite(sound).all())
            self.assertGreater(np.abs(sound[:RATE // 40]).max(), 0.3)
            placed = mouth_noise(random, 2 * RATE, RATE)
            self.assertEqual(len(placed), 2 * RATE)
            self.assertTrue(placed[:RATE].any() and not placed[RATE:].any())

    def test_voices_in_the_background_are_beneath_the_speaker_and_move_nothing(self):
        random = np.random.default_rng(4)
        speech = Recording("a", 0.1 * random.standard_normal(3 * RATE).astype(np.float32), np.ones((300, CONFIG['components'])), None, "a")
        batches = Batches([([speech], 1.0)], 5, 4, [0.05 * random.standard_normal(2 * RATE)])
        level = np.median([np.sqrt(np.mean(batches.others(RATE) ** 2)) for _ in range(9)])
        self.assertAlmostEqual(level, CONFIG['targetLevel'], delta=0.02)
        for _ in range(20):
            self.assertTrue(10 ** (-30 / 20) <= batches.beneath() <= 10 ** (-11 / 20))
        batch = batches.next()
        for i in np.flatnonzero(batch.mouth == -1):
            self.assertFalse(batch.target[i].any())
        self.assertEqual(set(batch.mouth.tolist()) | {-1}, {-1, 0})

    def test_bursts_leave_most_of_the_time_alone(self):
        made = bursts(np.random.default_rng(2), 2 * RATE)
        self.assertEqual(len(made), 2 * RATE)
        self.assertTrue(np.isfinite(made).all() and made.any())
        self.assertGreater(np.count_nonzero(made == 0), RATE)

    def test_music_has_tones_that_a_tune_is_made_of_and_is_the_same_by_seed(self):
        made = music(np.random.default_rng(3), 4 * RATE)
        self.assertAlmostEqual(float(np.sqrt(np.mean(made ** 2))), 1, places=3)
        np.testing.assert_array_equal(made, music(np.random.default_rng(3), 4 * RATE))
        # Its power is in lines of the spectrum: one bin in fifty holds most of it, as of no noise.
        power = np.sort(np.abs(np.fft.rfft(made * np.hanning(len(made)))) ** 2)[::-1]
        self.assertGreater(power[:len(power) // 50].sum(), 0.6 * power.sum())

    def test_music_is_heard_beneath_speech(self):
        t = np.arange(RATE) / RATE
        speech, tune = (np.sqrt(2) * np.sin(2 * np.pi * hertz * t).astype(np.float32) for hertz in (200, 900))
        shares = []
        for seed in range(24):
            power = np.abs(np.fft.rfft(degrade(np.random.default_rng(seed), 0.05 * speech, None, tune) * np.hanning(RATE))) ** 2
            shares.append(power[895:906].sum() / power[195:206].sum())
        # 6 to 30 decibels beneath it; microphones change that.
        self.assertGreater(np.median(shares), 1e-3)
        self.assertLess(np.median(shares), 0.25)


class Shares(unittest.TestCase):
    def test_one_speaker_of_many_recordings_does_not_drown_the_others(self):
        many = [Recording(f"a{i}", np.ones(RATE, np.float32), None, None, "a") for i in range(9)]
        shares = shares_of([*many, Recording("b", np.ones(RATE, np.float32), None, None, "b")])
        self.assertAlmostEqual(shares.sum(), 1)
        self.assertAlmostEqual(shares[:9].sum(), 0.75)
        # Without names all are of one speaker.
        alone = shares_of([Recording("x", np.ones(n * RATE, np.float32)) for n in (1, 3)])
        np.testing.assert_allclose(alone, [0.25, 0.75])


class Labels(unittest.TestCase):
    def test_every_10_ms_has_the_phone_that_sounds(self):
        classes = phone_classes([(0.02, 0.05, "AA"), (0.05, 0.07, "SP"), (0.07, 0.09, "ZH")], 12)
        self.assertEqual([PHONES[i] for i in classes], ["SIL"] * 2 + ["AA"] * 3 + ["SIL"] * 2 + ["ZH"] * 2 + ["SIL"] * 3)

    def test_closure_burst_and_marks_of_a_german_stop_are_one_phone(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.phn")
            with open(path, "w", encoding="utf-8") as file:
                file.write("0.0\t0.1\t.\t\n0.1\t0.2\t_p\t\n0.2\t0.22\t!p\t+asp\n0.22\t0.3\ta\t2\n0.3\t0.35\t+\t+lar\n0.35\t0.4\tS\t\n")
            self.assertEqual(read_sampa(path), [(0.0, 0.1, "SIL"), (0.1, 0.22, "P"), (0.22, 0.35, "AA"), (0.35, 0.4, "SH")])

    def test_louder_speech_opens_the_mouth_further(self):
        t = np.arange(2 * RATE) / RATE
        factor = stress(np.sin(900 * t) * np.where(t < 1, 0.05, 0.2), 200)
        self.assertLess(factor[50], 0.9)
        self.assertGreater(factor[150], 1.1)


class Mouths(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(3)
        self.basis = np.linalg.qr(random.standard_normal((1404, 6)))[0].T.reshape(6, 468, 3)
        self.measures = mouth_measures(self.basis)
        self.curves = random.standard_normal((500, 6))
        self.lift = lift_of(self.curves, self.measures)

    def test_a_lift_moves_one_measure_alone(self):
        np.testing.assert_allclose(self.lift @ self.measures, np.eye(3), atol=1e-9)

    def test_corners_go_outwards_with_the_opening(self):
        before, after = (curves @ self.measures for curves in (self.curves, with_corners(self.curves, self.measures, self.lift)))
        np.testing.assert_allclose(after[:, [0, 2]], before[:, [0, 2]], atol=1e-9)
        slope = (before[:, 0] @ before[:, 1]) / (before[:, 0] @ before[:, 0])
        np.testing.assert_allclose(after[:, 1] - before[:, 1], (CORNERS_OUT - slope) * np.maximum(before[:, 0], 0), atol=1e-9)


class Growth(unittest.TestCase):
    CONFIG = {**CONFIG, "channels": 8}

    def test_new_blocks_say_nothing_at_first_and_hear_what_the_others_make(self):
        torch.manual_seed(1)
        small, large = MotionNetwork({**self.CONFIG, "dilations": [1, 2]}), MotionNetwork({**self.CONFIG, "dilations": [1, 2, 4]})
        load_grown(large, small.state_dict())
        pcm = torch.randn(1, samples_for(large.config, 5)) * 0.05
        with torch.no_grad():
            wide = small(pcm)[:, 8:-8]
            torch.testing.assert_close(large(pcm), wide)
            features = large.features(pcm)
            torch.testing.assert_close(large.through(large.trunk(features, blocks=2), first=2), large.trunk(features))
        with self.assertRaisesRegex(ValueError, "stem.weight is missing"):
            load_grown(large, {k: v for k, v in small.state_dict().items() if k != "stem.weight"})

    def test_closures_look_as_far_as_the_trunk_and_begin_where_there_are_none(self):
        torch.manual_seed(3)
        network = MotionNetwork(self.CONFIG)
        without = {k: v for k, v in network.state_dict().items() if not k.startswith("closures.")}
        self.assertNotIn("closures", config_of(without))
        self.assertIn("closures", config_of(network.state_dict()))
        load_grown(MotionNetwork(self.CONFIG), without)
        pcm = torch.randn(1, samples_for(network.config, 7)) * 0.05
        with torch.no_grad():
            end, odds = network.both(network.features(pcm))
            torch.testing.assert_close(end, network.trunk(network.features(pcm)))
            self.assertEqual(tuple(odds.shape), (1, 7))
            later = network.both(network.features(pcm[:, 320:]))[1]
            torch.testing.assert_close(odds[:, 1:], later, rtol=1e-4, atol=1e-5)

    def test_a_likely_closure_is_a_whole_one_and_an_unlikely_one_is_none(self):
        bump = np.exp(-0.5 * ((np.arange(41) - 20) / 3) ** 2)
        self.assertEqual(shut_share(bump * 0.19).max(), 0)
        for peak in (0.3, 1):
            share = shut_share(bump * peak)
            self.assertAlmostEqual(share[20], 1)
            self.assertEqual((share[10], share[30]), (0, 0))

    def test_labels_of_closures_count_where_they_are_known(self):
        classes = torch.tensor([[PHONES.index("AA"), PHONES.index("P"), PHONES.index("S"), -1]])
        shut = torch.tensor([[0.0, 1.0, 0.0, -1.0]])
        batch = Batch(None, None, None, shut, classes, None, None, None)
        right = closure_loss(torch.tensor([[-8.0, 8.0, -8.0, 0.0]]), batch)
        self.assertLess(float(right), 0.01)
        self.assertAlmostEqual(float(right), float(closure_loss(torch.tensor([[-8.0, 8.0, -8.0, 9.0]]), batch)), places=6)
        false = [float(closure_loss(torch.tensor([odds]), batch)) for odds in ([8.0, 8, -8, 0], [-8.0, 8, 8, 0], [-8.0, -8, -8, 0])]
        # A closure that is missed counts most, then one in a vowel.
        self.assertGreater(false[2], false[0])
        self.assertGreater(false[0], false[1])

    def test_stretching_multiplies_opening_and_width_of_all_that_is_said(self):
        torch.manual_seed(2)
        network = MotionNetwork({**self.CONFIG, "components": 6})
        basis = np.linalg.qr(np.random.default_rng(4).standard_normal((1404, 6)))[0].T.reshape(6, 468, 3)
        measures = mouth_measures(basis)
        lift = lift_of(np.random.default_rng(5).standard_normal((400, 6)), measures)
        pcm = torch.randn(1, samples_for(network.config, 4)) * 0.05
        with torch.no_grad():
            before = network(pcm)[0].numpy() @ measures
            stretch(network, measures, lift, (1.2, 1.5, 1.0))
            after = network(pcm)[0].numpy() @ measures
        np.testing.assert_allclose(after, before * [1.2, 1.5, 1.0], rtol=1e-3, atol=1e-4)


class Apart(unittest.TestCase):
    def test_a_gap_counts_more_near_closed_lips(self):
        near = apart(torch.tensor([0.0, 0.1, 1.0, 1.1, -0.1]))
        self.assertAlmostEqual(float(near[0]), 0)
        self.assertGreater(float(near[1] - near[0]), 6 * float(near[3] - near[2]))
        self.assertAlmostEqual(float(near[4]), -0.1, places=6)


if __name__ == "__main__":
    unittest.main()
