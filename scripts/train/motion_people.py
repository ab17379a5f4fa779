"""Other people's mouths in the space of the filmed speaker's expression basis: films and blendshape takes of DATA/more.

    node --import=tsx track-films.ts WORK/films DATA/more/grid_other_speakers/clips/*.mpg    # in the project's folder
    python3 motion_people.py --data DATA --face-mesh PACKAGE --work WORK

Needs WORK/motion-data.npz of motion_data.py. Writes WORK/people-data.npz: coefficients of all clips and takes with their frame rate,
speaker and split.

People differ in how far they open (deviations of 2.6 to 6.6 mm, as the attention mesh sees them): all are brought to one size. In flat delivery the mouth narrows as it opens, in lively delivery its
corners go outwards; those who are not filmed lively are given that, too. Blendshape weights have names and no geometry: their directions are learnt through the sound, by
regression of what a speech-to-expression network says on the weights that go with it; what that network cannot know, that lips
round and meet, is put in by name.
"""
import argparse
import os

import numpy as np
import torch

import safetensors_file
from face_geometry import fit_face_geometry, load_canonical
from more_speech import FACEGOOD_TEST, FACEGOOD_VAL
from motion_data import LIP_BOTTOM, LIP_TOP, clip_neutral, read_audio, read_table
from motion_network import CONFIG, MotionNetwork, config_of, predict

# Landmarks at the corners of the mouth, and in the middle of the outer lips.
CORNERS, OUTER_LIPS = (61, 291), (0, 17)
# Standard deviation in mm that the opening of everybody is brought to, pauses included: that of lively speakers on film.
LIVELY = 5.3
# How far the mouth widens for each millimetre by which it opens, in lively speech.
CORNERS_OUT = 0.2
# A take's sound is this much ahead of its weights, in seconds.
TAKE_DELAY = 0.02
# Blendshapes, left ones standing for both sides, with what they do to the width and the protrusion of the mouth, in mm at full weight.
SHAPES = {
    'mouth_stretch_c': (-3, -2.5), 'mouth_lowerLipDepress_l': (0, -2), 'mouth_upperLipRaise_l': (0, -1), 'mouth_oh_c': (-5, 1),
    'mouth_oo_c': (-6, 3), 'mouth_funnel_dl': (-2, 2), 'mouth_funnel_ul': (-2, 2), 'mouth_pucker_l': (-8, 4), 'mouth_press_l': (0, -1),
    'mouth_suck_dl': (-2, -1), 'mouth_suck_ul': (-2, -1), 'mouth_lipCornerPull_l': (8, -1), 'mouth_lipStretch_l': (8, -1),
    'tooth_d_d': (0, 0), 'mouth_chinRaise_u': (0, 0),
}
# Those that bring the lips together, with how far at full weight, in mm.
CLOSING = {'mouth_press_l': -8, 'mouth_suck_dl': -6, 'mouth_suck_ul': -6, 'mouth_chinRaise_u': -3, 'mouth_pucker_l': 0, 'mouth_oo_c': 1,
           'mouth_lipCornerPull_l': 0, 'mouth_lipStretch_l': 0, 'tooth_d_d': 2}


def mouth_measures(basis):
    """[components, 3] opening, width and protrusion of the mouth in mm for each unit of a coefficient."""
    return 10 * np.stack([basis[:, LIP_TOP, 1] - basis[:, LIP_BOTTOM, 1], basis[:, CORNERS[1], 0] - basis[:, CORNERS[0], 0],
                          basis[:, OUTER_LIPS, 2].mean(1)], 1)


def read_films(folder):
    """{name: (landmarks [frames, 468, 3], width, height)} of track-films.ts."""
    films = {}
    for row in read_table(os.path.join(folder, 'films.tsv')):
        points = np.fromfile(os.path.join(folder, row['name'] + '.f32'), np.float32).reshape(-1, 468, 3).astype(np.float64)
        if np.isfinite(points).all():
            films[row['name']] = points, int(row['width']), int(row['height'])
    return films


def coefficients_of(film, canonical, basis):
    """[frames, components] against the film's own closed mouth."""
    mesh, _ = fit_face_geometry(film[0], canonical, *film[1:])
    neutral, _ = clip_neutral(mesh, np.linalg.norm(mesh[:, LIP_TOP] - mesh[:, LIP_BOTTOM], axis=1))
    return (mesh - neutral).reshape(len(mesh), -1) @ basis.reshape(len(basis), -1).T


def solve(x, y, ridge):
    return np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)


def read_takes(data):
    """{name: (weights [frames, shapes], frames a second, audio)}"""
    folder, takes = os.path.join(data, 'more', 'facegood_mandarin'), {}
    for file in sorted(os.listdir(folder)):
        if file.endswith('.npz'):
            with np.load(os.path.join(folder, file)) as take:
                names = [str(name) for name in take['names']]
                weights = take['weights'][:, [names.index(name) for name in SHAPES]].astype(np.float64)
                takes[file[:-4]] = weights, float(take['fps']), read_audio(os.path.join(folder, file[:-3] + 'flac'))
    return takes


def shape_directions(takes, basis, coefficients, init):
    """[shapes, components] of the blendshapes, in units of the coefficients."""
    tensors, _ = safetensors_file.read(init)
    weights = {k.removeprefix('network.'): v.float() for k, v in tensors.items() if k.startswith('network.')}
    network = MotionNetwork(config_of(weights))
    network.load_state_dict(weights)
    x, y = [], []
    for name, (weights, fps, audio) in takes.items():
        if name not in (*FACEGOOD_VAL, *FACEGOOD_TEST):
            said = predict(network, audio)
            at = (np.arange(len(weights)) / fps - TAKE_DELAY) * CONFIG['outputRate']
            x.append(np.concatenate([weights, np.ones((len(weights), 1))], 1))
            y.append(np.stack([np.interp(at, np.arange(len(said)), said[:, k]) for k in range(said.shape[1])], 1))
    directions = solve(np.concatenate(x), np.concatenate(y), 3.0)[:-1]
    measures = mouth_measures(basis)
    wanted = directions @ measures
    for i, (name, (width, protrusion)) in enumerate(SHAPES.items()):
        wanted[i] = CLOSING.get(name, wanted[i, 0]), width, protrusion
    return directions + (wanted - directions @ measures) @ lift_of(coefficients, measures)


def lift_of(coefficients, measures):
    """[3, components]: what the coefficients do on film for a millimetre of opening, width or protrusion alone."""
    seen = coefficients @ measures
    lift = solve(seen - seen.mean(0), coefficients - coefficients.mean(0), 1.0)
    return np.linalg.solve(lift @ measures, lift)


def with_corners(curves, measures, lift):
    """The same with corners that go outwards by CORNERS_OUT for each millimetre of opening, whatever they did before."""
    opening, width = (curves @ measures)[:, 0], (curves @ measures)[:, 1]
    slope = (opening @ width) / max(opening @ opening, 1e-9)
    return curves + (CORNERS_OUT - slope) * np.maximum(opening, 0)[:, None] * lift[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', required=True)
    parser.add_argument('--face-mesh', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--init', required=True, help="a bundle's motion.safetensors: the network through which blendshapes are understood")
    args = parser.parse_args()
    torch.set_num_threads(1)
    canonical, motion = load_canonical(args.face_mesh), np.load(os.path.join(args.work, 'motion-data.npz'))
    basis = motion['basis'].astype(np.float64)
    gap = mouth_measures(basis)[:, 0]
    starts = np.concatenate([[0], np.cumsum(motion['lengths'])])
    train = np.repeat(motion['splits'] == 'train', motion['lengths'])
    own = motion['coefficients'].astype(np.float64)

    names, speakers, splits, rates, curves = [], [], [], [], []

    def add(name, speaker, split, fps, curve):
        names.append(name), speakers.append(speaker), splits.append(split), rates.append(fps), curves.append(curve)

    films = read_films(os.path.join(args.work, 'films'))
    for row in read_table(os.path.join(args.data, 'more', 'grid_other_speakers', 'index.tsv')):
        name = os.path.splitext(os.path.basename(row['file']))[0]
        add(f'grid_{name}', row['speaker'], row['split'], 25.0, coefficients_of(films[name], canonical, basis))
    takes = read_takes(args.data)
    lift = lift_of(own[train], mouth_measures(basis))
    directions = shape_directions(takes, basis, own[train], args.init)
    for name, (weights, fps, _) in takes.items():
        split = 'val' if name in FACEGOOD_VAL else 'test' if name in FACEGOOD_TEST else 'train'
        add(name, 'facegood', split, fps, with_corners(weights @ directions, mouth_measures(basis), lift))
    for name, split, i in zip(motion['names'], motion['splits'], range(len(motion['names']))):
        add(str(name), 's1', str(split), 25.0, own[starts[i]:starts[i + 1]])

    # Everybody speaks as lively: one scale a speaker, of what may be trained on where there is any.
    scales = {}
    for speaker in dict.fromkeys(speakers):
        mine = [i for i, other in enumerate(speakers) if other == speaker]
        mine = [i for i in mine if splits[i] == 'train'] or mine
        deviation = (np.concatenate([curves[i] for i in mine]) @ gap).std()
        scales[speaker] = float(np.clip(LIVELY / deviation, 0.7, 2.1))
        print(f'{speaker}: {len(mine)} clips, opening {deviation:.2f} mm, scaled by {scales[speaker]:.2f}')
    np.savez_compressed(
        os.path.join(args.work, 'people-data.npz'), names=names, speakers=speakers, splits=splits, fps=rates,
        lengths=[len(curve) for curve in curves], scales=[scales[speaker] for speaker in speakers],
        coefficients=np.concatenate([curve * scales[speaker] for curve, speaker in zip(curves, speakers)]).astype(np.float32))
    all_measured = {s: np.concatenate([c * scales[s] for c, o in zip(curves, speakers) if o == s]) @ mouth_measures(basis) for s in scales}
    for speaker, values in all_measured.items():
        print(speaker, 'opening, width, protrusion: deviation in mm', np.round(values.std(0), 2), 'opening at 5, 50, 95 %',
              np.round(np.quantile(values[:, 0], [0.05, 0.5, 0.95]), 1))


if __name__ == '__main__':
    main()
