"""Prepares the talking clips for the motion network: metric meshes, expression basis, coefficients, blinks, head pose.

    python3 motion_data.py --data DATA --face-mesh PACKAGE --work WORK

DATA holds talking/ and speech/; PACKAGE is the unpacked npm package @mediapipe/face_mesh. Writes WORK/motion-data.npz.
Only clips of the split `train` shape the basis; coefficients are written for all clips, with their split.
"""
import argparse
import csv
import os
import subprocess

import numpy as np

from face_geometry import euler_degrees, fit_face_geometry, load_canonical, project

SIZE = 256  # side of the clips' pictures
EYE_BLINK = (9, 10)  # MediaPipe's blendshapes eyeBlinkLeft and eyeBlinkRight
LIP_TOP, LIP_BOTTOM = 13, 14  # middle of the inner lips
LIPS = [0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181, 185, 191, 267, 269, 270, 291,
        308, 310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415]


def read_table(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file, delimiter='\t'))


def read_audio(path):
    """Mono float32 samples at 16 kHz."""
    out = subprocess.run(['ffmpeg', '-v', 'error', '-i', path, '-f', 'f32le', '-ac', '1', '-ar', '16000', '-'],
                         check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
    return np.frombuffer(out, np.float32).copy()


def smoothstep(x):
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def speech_mask(canonical):
    """[468] share of each vertex that speech may move: all of the lower face, nothing from the lower lids up."""
    mask = smoothstep((1.2 - canonical[:, 1]) / 2.2)
    # The side of the face next to the ears belongs to the skull.
    return mask * smoothstep((canonical[:, 2] + 2.0) / 3.0)


def fit_mask(canonical):
    """[468] weights of the PCA: lips most, then chin and cheeks."""
    weights = 0.15 + 0.35 * smoothstep((-2.0 - canonical[:, 1]) / 3.0)
    weights[LIPS] = 1.0
    return weights


def eye_mask(canonical):
    """[468] share of each vertex that a blink may move."""
    mask = np.zeros(468)
    for corner_a, corner_b in ((33, 133), (263, 362)):
        centre = (canonical[corner_a] + canonical[corner_b]) / 2
        distance = np.linalg.norm((canonical - centre)[:, :2] / np.array([2.3, 1.5]), axis=1)
        mask = np.maximum(mask, smoothstep((1.35 - distance) / 0.6))
    return mask


def clip_neutral(mesh, gap):
    """Closed-mouth mesh of a clip: the median of its frames with the least lip gap."""
    closed = gap <= max(np.quantile(gap, 0.3), gap.min() + 0.03)
    return np.median(mesh[closed], axis=0), np.median(gap[closed])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', required=True)
    parser.add_argument('--face-mesh', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--components', type=int, default=16)
    args = parser.parse_args()
    os.makedirs(args.work, exist_ok=True)
    canonical = load_canonical(args.face_mesh)
    talking = os.path.join(args.data, 'talking')

    names, splits, lengths, meshes, transforms, blinks, gaps, neutrals, pixels = [], [], [], [], [], [], [], [], []
    for row in read_table(os.path.join(talking, 'index.tsv')):
        name = row['file'][:-4]
        with np.load(os.path.join(talking, name + '.npz')) as clip:
            landmarks = np.cumsum(clip['landmarks_delta'].astype(np.int64), 0)[:, :468] / 64
            blink = clip['blendshapes'][:, EYE_BLINK].astype(np.float64).mean(1)
        mesh, transform = fit_face_geometry(landmarks, canonical, SIZE, SIZE)
        gap = np.linalg.norm(mesh[:, LIP_TOP] - mesh[:, LIP_BOTTOM], axis=1)
        neutral, closed_gap = clip_neutral(mesh, gap)
        names.append(name)
        splits.append(row['split'])
        lengths.append(len(mesh))
        meshes.append(mesh - neutral)
        neutrals.append(neutral)
        transforms.append(transform)
        blinks.append(blink - np.median(blink))
        gaps.append(gap - closed_gap)
        pixels.append(landmarks[..., :2])
    delta = np.concatenate(meshes)
    blink = np.concatenate(blinks)
    neutral = np.median(np.stack([n for n, s in zip(neutrals, splits) if s == 'train']), 0)
    train = np.repeat(np.array(splits) == 'train', lengths)

    # Blink basis: change of the mesh per unit of the blink score, scaled so that 1 closes the speaker's eyes.
    active = train & (np.abs(blink) < 2)
    score = blink[active]
    slope = np.einsum('f,fij->ij', score, delta[active] - delta[active].mean(0)) / (score @ score)
    lid = np.linalg.norm((neutral[[159, 386]] - neutral[[145, 374]]), axis=1).mean()
    slope_lid = (slope[[159, 386]] - slope[[145, 374]])[:, 1].mean()
    blink_basis = slope * eye_mask(canonical)[:, None] * (0.95 * lid / -slope_lid)
    print(f'lid opening {lid:.2f} cm, blink slope {slope_lid:.2f} cm per unit, deepest score {score.max():.2f}')

    # Speech basis: PCA of the lower face with the blink regressed out, in a metric that stresses the lips.
    speech = (delta - blink[:, None, None] * slope) * speech_mask(canonical)[None, :, None]
    flat = speech.reshape(len(speech), -1)
    weights = np.repeat(fit_mask(canonical), 3)
    _, _, vt = np.linalg.svd(flat[train] * weights, full_matrices=False)
    scores = (flat * weights) @ vt[:args.components].T
    spread, *_ = np.linalg.lstsq(scores[train], flat[train], rcond=None)
    u, s, basis = np.linalg.svd(spread, full_matrices=False)
    coefficients = scores @ (u * s)
    sign = np.sign(basis.reshape(-1, 468, 3)[:, LIP_TOP, 1] - basis.reshape(-1, 468, 3)[:, LIP_BOTTOM, 1])
    sign[sign == 0] = 1
    basis, coefficients = basis * sign[:, None], coefficients * sign
    order = np.argsort(-coefficients[train].std(0))
    basis, coefficients = basis[order].reshape(-1, 468, 3), coefficients[:, order]
    std = coefficients[train].std(0)
    print('std', np.round(std, 3))

    # Error in pixels of the picture around the lips.
    starts = np.concatenate([[0], np.cumsum(lengths)])
    for split in ('train', 'val'):
        errors, still = [], []
        for i, clip_split in enumerate(splits):
            if clip_split != split:
                continue
            part = slice(starts[i], starts[i + 1])
            rebuilt = neutrals[i] + np.tensordot(coefficients[part], basis, 1)
            errors.append(np.linalg.norm(project(rebuilt, transforms[i], SIZE, SIZE) - pixels[i], axis=-1)[:, LIPS])
            rest = np.repeat(neutrals[i][None], lengths[i], 0)
            still.append(np.linalg.norm(project(rest, transforms[i], SIZE, SIZE) - pixels[i], axis=-1)[:, LIPS])
        errors, still = np.concatenate(errors), np.concatenate(still)
        print(f'{split}: lips off by {errors.mean():.2f} px (95 %: {np.quantile(errors, 0.95):.2f}); '
              f'without expression {still.mean():.2f} ({np.quantile(still, 0.95):.2f})')
    opening = np.concatenate(gaps)
    rebuilt = np.tensordot(coefficients, basis[:, [LIP_TOP, LIP_BOTTOM]], 1)
    gap_y = rebuilt[:, 0, 1] - rebuilt[:, 1, 1]
    print(f'gap from coefficients against the mesh: r = {np.corrcoef(gap_y, opening)[0, 1]:.4f}, '
          f'std {opening.std():.3f} cm')

    transform = np.concatenate(transforms)
    pose = np.concatenate([euler_degrees(transform[:, :3, :3]), transform[:, :3, 3]], 1)
    np.savez_compressed(
        os.path.join(args.work, 'motion-data.npz'), names=names, splits=splits, lengths=lengths,
        coefficients=coefficients.astype(np.float32), basis=basis.astype(np.float32), std=std.astype(np.float32),
        blink=blink_basis.astype(np.float32), blink_score=blink.astype(np.float32), opening=opening.astype(np.float32),
        pose=pose.astype(np.float32), neutral=neutral.astype(np.float32))


if __name__ == '__main__':
    main()
