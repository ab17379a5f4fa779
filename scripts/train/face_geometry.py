"""Metric face mesh and head pose from landmarks, over many frames at once (numpy, float64).

Source: MediaPipe's face geometry module: a weighted orthogonal Procrustes fit of the canonical face to landmarks that
are unprojected through a camera with a vertical field of view of 63 degrees.
"""
import os
import struct

import numpy as np

NEAR = 1.0
HALF_FOV = np.deg2rad(31.5)
FOCAL = 1.0 / np.tan(HALF_FOV)

# Landmark pairs and their weights in the fit.
_WEIGHTS = {
    (4,): 0.0709099, (6,): 0.0321001, (10,): 0.0084466, (33, 263): 0.0587242, (54, 284): 0.0076671,
    (67, 297): 0.0090781, (117, 346): 0.0097919, (119, 348): 0.0145654, (121, 350): 0.0185914,
    (133, 362): 0.0532862, (136, 365): 0.0668905, (143, 372): 0.0148165, (147, 376): 0.0142628,
    (198, 420): 0.0254622, (205, 425): 0.0472523, (127, 356): 0.0051980, (129, 358): 0.1206252,
    (132, 361): 0.0055600,
}


def fit_weights():
    """[468] weights of the Procrustes fit; zero for most landmarks."""
    weights = np.zeros(468)
    for indices, weight in _WEIGHTS.items():
        weights[list(indices)] = weight
    return weights


def load_canonical(package_dir):
    """[468,3] canonical face in centimetres, from the assets of the npm package @mediapipe/face_mesh."""
    with open(os.path.join(package_dir, 'face_mesh_solution_packed_assets.data'), 'rb') as file:
        data = file.read()
    # Vertex 0 stands first in the vertex buffer: (0, -3.406404, 5.979507, u, v), each an unpacked float field 3
    # of the mesh message, which is five bytes with the tag 0x1d.
    start = data.find(b'\x1d' + struct.pack('<f', 0.0) + b'\x1d' + struct.pack('<f', -3.406404))
    if start < 0:
        raise ValueError(f'Cannot find the canonical face in {package_dir}: expected its vertex buffer')
    raw = np.frombuffer(data[start:start + 2340 * 5], np.uint8).reshape(2340, 5)
    assert (raw[:, 0] == 0x1d).all()
    values = raw[:, 1:].copy().view('<f4').reshape(468, 5)
    return values[:, :3].astype(np.float64)


def fit(source, target, weights):
    """Weighted similarity transform source [468,3] -> target [F,468,3]: rotation [F,3,3], scale [F], shift [F,3]."""
    total = weights.sum()
    centroid = (weights[:, None] * source).sum(0) / total
    centred = source - centroid
    m = np.einsum('i,fij,ik->fjk', weights, target, centred)
    u, _, vt = np.linalg.svd(m)
    flip = np.linalg.det(u) * np.linalg.det(vt) < 0
    u[flip, :, 2] *= -1
    rotation = u @ vt
    rotated = np.einsum('fjk,ik->fij', rotation, centred)
    scale = np.einsum('i,fij,fij->f', weights, rotated, target) / np.einsum('i,ij,ij->', weights, centred, source)
    shift = np.einsum('i,fij->fj', weights, target - scale[:, None, None] * np.einsum('fjk,ik->fij', rotation, source))
    return rotation, scale, shift / total


def fit_face_geometry(landmarks, canonical, width, height):
    """Metric meshes and poses of landmarks [F,468,3] in pixels of a width x height picture.

    Returns mesh [F,468,3] in centimetres in the canonical face's space and transform [F,4,4] to camera space.
    """
    weights = fit_weights()
    h_n = 2 * NEAR * np.tan(HALF_FOV)
    w_n = h_n * width / height
    x, y, z = landmarks[..., 0] / width, landmarks[..., 1] / height, landmarks[..., 2] / width
    s = np.stack([x * w_n - w_n / 2, (1 - y) * h_n - h_n / 2, z * w_n], -1)
    depth = s[..., 2].mean(-1, keepdims=True)

    def column_norm(points):
        return fit(canonical, points, weights)[1]

    def unproject(k):
        zz = (s[..., 2] - depth + NEAR) / k[:, None]
        return np.stack([s[..., 0] * zz / NEAR, s[..., 1] * zz / NEAR, -zz], -1)

    first = column_norm(s * np.array([1, 1, -1]))
    second = column_norm(unproject(first))
    points = unproject(first * second)
    rotation, scale, shift = fit(canonical, points, weights)
    mesh = np.einsum('fkj,fik->fij', rotation, points - shift[:, None]) / scale[:, None, None]
    transform = np.zeros((len(mesh), 4, 4))
    transform[:, :3, :3] = rotation * scale[:, None, None]
    transform[:, :3, 3] = shift
    transform[:, 3, 3] = 1
    return mesh, transform


def project(mesh, transform, width, height):
    """[F,468,2] pixels of meshes [F,468,3] under transforms [F,4,4]."""
    camera = np.einsum('fjk,fik->fij', transform[:, :3, :3], mesh) + transform[:, None, :3, 3]
    w = -camera[..., 2] * (10000.0 / (10000.0 - NEAR))
    x = FOCAL * height / width * camera[..., 0] / w
    y = -FOCAL * camera[..., 1] / w
    return np.stack([(x + 1) / 2 * width, (y + 1) / 2 * height], -1)


def euler_degrees(rotation):
    """[F,3] angles a, b, c in degrees with rotation = Rz(c) Ry(b) Rx(a)."""
    return np.rad2deg(np.stack([
        np.arctan2(rotation[:, 2, 1], rotation[:, 2, 2]),
        np.arcsin(np.clip(-rotation[:, 2, 0], -1, 1)),
        np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]),
    ], -1))
