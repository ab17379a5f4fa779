"""Writes test/golden/clip/clip.json: whole clips of AniPortrait's pipeline in small, from a portrait and a recording to frames.

    node --import=tsx scripts/golden/clip-inputs.ts FOLDER && python3 scripts/golden/clip.py FOLDER test/golden/clip

Of another bundle, at full size too (some 12 GB), what scripts/golden/compare-clip.ts compares with.

Computed by PyTorch, OpenCV and Pillow after AniPortrait's description (commit 7f6593f; UNets of scripts/train/networks.py), from
the bundle, the adapter, the picture and the sound in FOLDER. Nothing of the program's own is used but what says which face is
animated: its mesh, its place and the square around it, whose finding has reference numbers of its own (test/golden/face).
Needs torch, pillow and opencv-python-headless.
"""
import json
import math
import os
import struct
import sys
import wave

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'train'))
from networks import UNet  # noqa: E402

VAE_SCALE = 0.18215
TYPES = {'F32': np.float32, 'F16': np.float16, 'I64': np.int64}
# Of each frame, so many of its numbers are kept.
KEPT = 300


def read_safetensors(path):
    """Tensors by name; those in half precision become float32."""
    with open(path, 'rb') as file:
        size = struct.unpack('<Q', file.read(8))[0]
        header = json.loads(file.read(size))
        header.pop('__metadata__', None)

        def read(item):
            begin, end = item['data_offsets']
            file.seek(8 + size + begin)
            values = np.frombuffer(file.read(end - begin), TYPES[item['dtype']]).reshape(item['shape'])
            return torch.from_numpy(values.astype(np.float32) if values.dtype == np.float16 else values.copy())

        return {name: read(item) for name, item in header.items()}


class Weights:
    """A part of the bundle: its tensors by name, below a prefix."""

    def __init__(self, tensors, prefix=''):
        self.tensors, self.prefix = tensors, prefix

    def at(self, *names):
        return Weights(self.tensors, self.prefix + ''.join(f'{name}.' for name in names))

    def __getitem__(self, name):
        return self.tensors[self.prefix + name]

    def get(self, name):
        return self.tensors.get(self.prefix + name)

    def linear(self, x, name):
        return F.linear(x, self[f'{name}.weight'], self.get(f'{name}.bias'))

    def conv(self, x, name, **options):
        return F.conv2d(x, self[f'{name}.weight'], self.get(f'{name}.bias'), **options)

    def layer_norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self[f'{name}.weight'], self[f'{name}.bias'])

    def group_norm(self, x, name, groups, eps):
        return F.group_norm(x, groups, self[f'{name}.weight'], self[f'{name}.bias'], eps)


def heads_of(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(q, k, v, heads):
    out = F.scaled_dot_product_attention(heads_of(q, heads), heads_of(k, heads), heads_of(v, heads))
    return out.transpose(1, 2).flatten(2)


# --- random numbers, named by what they are for ------------------------------------------------------------------------


def mix(h):
    h &= 0xFFFFFFFF
    h = (h ^ (h >> 16)) * 0x21F0AAAD & 0xFFFFFFFF
    h = (h ^ (h >> 15)) * 0x735A2D97 & 0xFFFFFFFF
    return h ^ (h >> 15)


class Stream:
    """splitmix32, seeded by a list of small integers."""

    def __init__(self, key):
        self.state = 0x243F6A88
        for part in key:
            self.state = mix(self.state ^ mix(part + 0x9E3779B9)) + 0x9E3779B9 & 0xFFFFFFFF

    def uniform(self):
        self.state = self.state + 0x9E3779B9 & 0xFFFFFFFF
        return mix(self.state) / 2 ** 32

    def normal(self, shape):
        """Box and Muller's pairs."""
        values = []
        while len(values) < math.prod(shape):
            radius = math.sqrt(-2 * math.log(1 - self.uniform()))
            angle = 2 * math.pi * self.uniform()
            values += [radius * math.cos(angle), radius * math.sin(angle)]
        return torch.tensor(values[:math.prod(shape)], dtype=torch.float32).reshape(shape)


INITIAL_LATENTS, SAMPLER_STEP, SPEAKER = 1, 2, 0x5350


def clip_noise(seed, purpose, step, frames, shape):
    """[1, 4, frames, h, w]"""
    return torch.stack([Stream([seed, purpose, step, frame]).normal(shape) for frame in range(frames)], 1)[None]


# --- speech ------------------------------------------------------------------------------------------------------------


def read_speech(path):
    with wave.open(path) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), '<i2').astype(np.float64) / 32768
    return samples


def speech_encoder(weights, config, audio, frames):
    """wav2vec2 with its features brought to the frames' rate: [1, frames, hidden]."""
    x = audio[None, None]
    for index, stride in enumerate(config['convStrides']):
        layer = weights.at('feature_extractor', 'conv_layers', index)
        x = F.conv1d(x, layer['conv.weight'], stride=stride)
        if index == 0:
            x = layer.group_norm(x, 'layer_norm', x.shape[1], 1e-5)
        x = F.gelu(x)
    x = F.interpolate(x, size=frames, mode='linear', align_corners=True).transpose(1, 2)
    projection = weights.at('feature_projection')
    x = projection.linear(projection.layer_norm(x, 'layer_norm'), 'projection')
    place = weights.at('encoder', 'pos_conv_embed', 'conv')
    v = place['weight_v']
    kernel = place['weight_g'] * v / v.norm(dim=(0, 1), keepdim=True)
    placed = F.conv1d(x.transpose(1, 2), kernel, place['bias'], padding=config['positionalKernel'] // 2,
                      groups=config['positionalGroups'])[..., :frames]
    x = weights.at('encoder').layer_norm(x + F.gelu(placed).transpose(1, 2), 'layer_norm')
    for index in range(config['numLayers']):
        layer = weights.at('encoder', 'layers', index)
        own = layer.at('attention')
        attended = attend(*(own.linear(x, f'{name}_proj') for name in 'qkv'), config['numHeads'])
        x = layer.layer_norm(x + own.linear(attended, 'out_proj'), 'layer_norm')
        inner = layer.at('feed_forward')
        hidden = inner.linear(F.gelu(inner.linear(x, 'intermediate_dense')), 'output_dense')
        x = layer.layer_norm(x + hidden, 'final_layer_norm')
    return x


def mesh_offsets(weights, config, audio, frames):
    """[frames, 468, 3] in centimetres."""
    x = speech_encoder(weights.at('audio_encoder'), config['encoder'], audio, frames)
    return weights.linear(weights.linear(x, 'in_fn'), 'out_fn').reshape(frames, 468, 3)


def head_poses(weights, config, audio, frames, speaker):
    """[frames, 6] in degrees and centimetres: the original's decoder with its masks, all poses so far at every step."""
    pose = config['pose']
    memory = weights.linear(speech_encoder(weights.at('audio_encoder'), config['encoder'], audio, frames), 'in_fn')
    layer = nn.TransformerDecoderLayer(pose['latentDim'], pose['numHeads'], pose['intermediateSize'], batch_first=True)
    decoder = nn.TransformerDecoder(layer, pose['numLayers'])
    prefix = 'transformer_decoder.'
    decoder.load_state_dict({name[len(prefix):]: value for name, value in weights.tensors.items() if name.startswith(prefix)})
    decoder.eval()
    distance = torch.arange(frames)[:, None] - torch.arange(frames)[None]
    slopes = torch.tensor([2.0 ** -(head + 1) for head in range(pose['numHeads'])])
    back = torch.where(distance < 0, -torch.inf, -distance * slopes[:, None, None])
    across = torch.where(distance == 0, 0.0, -torch.inf)
    embedded = [weights['pose_map.bias']]
    for count in range(1, frames + 1):
        x = torch.stack(embedded)[None] + weights['PPE.pe'][:, :count] + weights['id_embed.weight'][speaker]
        out = decoder(x, memory, tgt_mask=back[:, :count, :count], memory_mask=across[:count])
        poses = weights.linear(out[0], 'pose_map_r')
        embedded.append(weights.linear(poses[-1], 'pose_map'))
    return poses


def smoothed(poses, window=7):
    """The mean of those around each, of fewer at the ends."""
    half = window // 2
    return np.stack([poses[max(0, i - half):i + half + 1].mean(0) for i in range(len(poses))])


# --- drawing -----------------------------------------------------------------------------------------------------------

CHAINS = [
    ((10, 200, 10), '21 162 127 234 93 132 58 172 136 150 149 176 148 152 377 400 378 379 365 397 288 361 323 454 356 389 251'),
    ((180, 200, 10), '263 249 390 373 374 380 381 382 362'), ((180, 200, 10), '263 466 388 387 386 385 384 398 362'),
    ((180, 220, 10), '276 283 282 295 285'), ((180, 220, 10), '300 293 334 296 336'),
    ((10, 200, 180), '33 7 163 144 145 153 154 155 133'), ((10, 200, 180), '33 246 161 160 159 158 157 173 133'),
    ((10, 220, 180), '46 53 52 65 55'), ((10, 220, 180), '70 63 105 66 107'),
    ((10, 180, 20), '61 146 91 181 84 17'), ((20, 10, 180), '17 314 405 321 375 291'),
    ((100, 100, 30), '78 95 88 178 87 14'), ((100, 150, 50), '14 317 402 318 324 308'),
    ((20, 80, 100), '61 185 40 39 37 0'), ((80, 100, 20), '0 267 269 270 409 291'),
    ((120, 100, 200), '78 191 80 81 82 13'), ((150, 120, 100), '13 312 311 310 415 308'),
]
CANVAS = 512


def pose_matrix(pose):
    a, b, c = np.radians(pose[:3].astype(np.float64))
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = z @ y @ x
    matrix[:3, 3] = pose[3:]
    return matrix


def project(vertices, matrix, width, height):
    """[468, 2] in pixels, by a camera of 63 degrees."""
    focal = np.float64(np.float32(1 / np.tan(np.radians(31.5))))
    points = np.c_[vertices, np.ones(len(vertices))] @ matrix.T
    depth = -points[:, 2] * np.float64(np.float32(10000 / 9999))
    x = (focal * height / width * points[:, 0] / depth + 1) / 2 * width
    y = (-focal * points[:, 1] / depth + 1) / 2 * height
    return np.c_[x, y]


def draw(points, size):
    """[size, size, 3]: lines between points of a square of `size`."""
    canvas = np.zeros((CANVAS, CANVAS, 3), np.uint8)
    normal = (points / size).astype(np.float32)
    for colour, chain in CHAINS:
        numbers = [int(number) for number in chain.split()]
        for first, second in zip(numbers, numbers[1:]):
            ends = normal[[first, second]]
            if ((ends >= 0) & (ends <= 1)).all():
                pixels = np.minimum(np.floor(ends.astype(np.float64) * CANVAS), CANVAS - 1).astype(int).tolist()
                cv2.line(canvas, pixels[0], pixels[1], colour, 2)
    return cv2.resize(canvas, (size, size))


# --- pictures ----------------------------------------------------------------------------------------------------------


def image_embedding(weights, config, picture):
    """CLIP's vision half: [1, projection]."""
    size, width = config['imageSize'], config['hiddenSize']
    pixels = np.asarray(picture.resize((size, size), Image.BICUBIC), np.float32) / 255
    pixels = (pixels - np.float32([0.48145466, 0.4578275, 0.40821073])) / np.float32([0.26862954, 0.26130258, 0.27577711])
    model = weights.at('vision_model')
    x = F.conv2d(torch.from_numpy(pixels).permute(2, 0, 1)[None], model['embeddings.patch_embedding.weight'],
                 stride=config['patchSize']).flatten(2).transpose(1, 2)
    x = torch.cat([model['embeddings.class_embedding'].reshape(1, 1, width), x], 1) + model['embeddings.position_embedding.weight']
    x = model.layer_norm(x, 'pre_layrnorm')
    for index in range(config['numLayers']):
        layer = model.at('encoder', 'layers', index)
        own, n = layer.at('self_attn'), layer.layer_norm(x, 'layer_norm1')
        x = x + own.linear(attend(*(own.linear(n, f'{name}_proj') for name in 'qkv'), config['numHeads']), 'out_proj')
        hidden = layer.linear(layer.layer_norm(x, 'layer_norm2'), 'mlp.fc1')
        x = x + layer.linear(hidden * torch.sigmoid(1.702 * hidden), 'mlp.fc2')
    return F.linear(model.layer_norm(x[:, 0], 'post_layernorm'), weights['visual_projection.weight'])


def vae_resnet(weights, x, groups):
    h = weights.conv(F.silu(weights.group_norm(x, 'norm1', groups, 1e-6)), 'conv1', padding=1)
    h = weights.conv(F.silu(weights.group_norm(h, 'norm2', groups, 1e-6)), 'conv2', padding=1)
    return h + (x if weights.get('conv_shortcut.weight') is None else weights.conv(x, 'conv_shortcut'))


def vae_middle(weights, x, groups):
    x = vae_resnet(weights.at('resnets', 0), x, groups)
    own = weights.at('attentions', 0)
    tokens = own.group_norm(x, 'group_norm', groups, 1e-6).flatten(2).transpose(1, 2)
    attended = attend(*(own.linear(tokens, f'to_{name}') for name in 'qkv'), 1)
    x = x + own.linear(attended, 'to_out.0').transpose(1, 2).unflatten(2, x.shape[2:])
    return vae_resnet(weights.at('resnets', 1), x, groups)


def vae_encode(weights, config, image):
    """The posterior's mean, scaled: [1, 4, h, w]."""
    encoder, groups = weights.at('encoder'), config['normNumGroups']
    x = encoder.conv(image, 'conv_in', padding=1)
    last = len(config['blockOutChannels']) - 1
    for level in range(last + 1):
        for index in range(config['layersPerBlock']):
            x = vae_resnet(encoder.at('down_blocks', level, 'resnets', index), x, groups)
        if level < last:
            x = encoder.conv(F.pad(x, (0, 1, 0, 1)), f'down_blocks.{level}.downsamplers.0.conv', stride=2)
    x = F.silu(encoder.group_norm(vae_middle(encoder.at('mid_block'), x, groups), 'conv_norm_out', groups, 1e-6))
    moments = weights.conv(encoder.conv(x, 'conv_out', padding=1), 'quant_conv')
    return moments.chunk(2, 1)[0] * VAE_SCALE


def vae_decode(weights, config, latents):
    """[1, 3, H, W] of 0 to 1."""
    decoder, groups = weights.at('decoder'), config['normNumGroups']
    x = decoder.conv(weights.conv(latents / VAE_SCALE, 'post_quant_conv'), 'conv_in', padding=1)
    x = vae_middle(decoder.at('mid_block'), x, groups)
    last = len(config['blockOutChannels']) - 1
    for level in range(last + 1):
        for index in range(config['layersPerBlock'] + 1):
            x = vae_resnet(decoder.at('up_blocks', level, 'resnets', index), x, groups)
        if level < last:
            x = decoder.conv(F.interpolate(x, scale_factor=2.0), f'up_blocks.{level}.upsamplers.0.conv', padding=1)
    x = decoder.conv(F.silu(decoder.group_norm(x, 'conv_norm_out', groups, 1e-6)), 'conv_out', padding=1)
    return (x / 2 + 0.5).clamp(0, 1)


# --- the denoiser ------------------------------------------------------------------------------------------------------


def pose_features(weights, config, pictures):
    """Maps [frames, C, h, w] of drawings [frames, 3, H, W]; batch norms take the statistics of these frames."""
    def layers(path, x, convs):
        # A convolution, its norm and its activation are three numbers.
        for index, options in enumerate(convs):
            own = weights.at(path)
            x = own.conv(x, str(3 * index), **options)
            x = F.relu(F.batch_norm(x, None, None, own[f'{3 * index + 1}.weight'], own[f'{3 * index + 1}.bias'], True))
        return x

    stem = [{'stride': conv['stride'], 'padding': conv['padding']} for conv in config['stem']]
    x = weights.conv(layers('conv_layers', pictures, stem), 'final_proj') * weights['scale']
    maps = [x]
    for number, stage in enumerate(config['stages'], 1):
        x = layers(f'conv_layers_{number}', x, [{'stride': conv['stride'], 'padding': 1} for conv in stage['convs']])
        x = pose_transformer(weights.at(f'cross_attn{number}'), x, stage['attention']['numHeads'])
        maps.append(x)
    return maps


def pose_transformer(weights, x, heads):
    tokens = weights.conv(weights.group_norm(x, 'norm', 32, 1e-6), 'proj_in').flatten(2).transpose(1, 2)
    block = weights.at('transformer_blocks', 0)
    n = block.layer_norm(tokens, 'norm1')
    attended = attend(*(block.linear(n, f'attn1.to_{name}') for name in 'qkv'), heads)
    tokens = tokens + block.linear(attended, 'attn1.to_out.0')
    value, gate = block.linear(block.layer_norm(tokens, 'norm3'), 'ff.net.0.proj').chunk(2, -1)
    tokens = tokens + block.linear(value * F.gelu(gate), 'ff.net.2')
    return weights.conv(tokens.transpose(1, 2).unflatten(2, x.shape[2:]), 'proj_out') + x


def fused(weights, lora, scale):
    """Weights with a LoRA of kohya's names added to them."""
    out = dict(weights)
    modules = {'lora_unet_' + name[:-len('.weight')].replace('.', '_'): name for name in weights if name.endswith('.weight')}
    used = {name.split('.')[0] for name in lora}
    for module in used:
        down, up = lora[f'{module}.lora_down.weight'], lora[f'{module}.lora_up.weight']
        name = modules[module]
        change = (up.flatten(1) @ down.flatten(1)) * (float(lora[f'{module}.alpha']) / down.shape[0])
        out[name] = weights[name] + scale * change.reshape(weights[name].shape)
    return out


def load_unet(config, tensors, reference):
    # Nothing is allocated but what the tensors have; tables that are computed are computed again.
    with torch.device('meta'):
        unet = UNet(config, reference).eval()
    missing, unexpected = unet.load_state_dict(tensors, strict=False, assign=True)
    # The reference's last block ends where its features are taken.
    assert not unexpected and (reference or not missing), (missing, unexpected)
    return unet


def cumulative_alphas(schedule):
    betas = torch.linspace(schedule['betaStart'], schedule['betaEnd'], 1000, dtype=torch.float64)
    root = torch.cumprod(1 - betas, 0).sqrt()
    return ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2


def ddim(alphas, steps):
    """Timesteps, and the step from one to the next: η = 0, velocities."""
    timesteps = [round(1000 - i * 1000 / steps) - 1 for i in range(steps)]

    def step(index, x, v):
        t = timesteps[index]
        a = float(alphas[t])
        before = float(alphas[t - 1000 // steps]) if t >= 1000 // steps else 1.0
        clean = math.sqrt(a) * x - math.sqrt(1 - a) * v
        noise = math.sqrt(a) * v + math.sqrt(1 - a) * x
        return math.sqrt(before) * clean + math.sqrt(1 - before) * noise

    return timesteps, step


def lcm(alphas, steps, noise_of):
    """The same of the latent consistency sampler."""
    base = [20 * (i + 1) - 1 for i in range(50)][::-1]
    timesteps = [base[50 * i // steps] for i in range(steps)]

    def step(index, x, v):
        t = timesteps[index]
        a = float(alphas[t])
        clean = math.sqrt(a) * x - math.sqrt(1 - a) * v
        keep, take = 0.25 / ((10 * t) ** 2 + 0.25), 10 * t / math.sqrt((10 * t) ** 2 + 0.25)
        out = take * clean + keep * x
        if index + 1 == len(timesteps):
            return out
        a = float(alphas[timesteps[index + 1]])
        return math.sqrt(a) * out + math.sqrt(1 - a) * noise_of(index)

    return timesteps, step


def looped_windows(frames, length, overlap):
    if frames <= length:
        return [list(range(frames))]
    return [[(start + i) % frames for i in range(length)] for start in range(0, frames, length - overlap)]


def kept_places(count):
    """Places that say nothing about each other."""
    return [i * 7919 % count for i in range(1, KEPT + 1)]


@torch.no_grad()
def main(folder, output):
    inputs = json.load(open(f'{folder}/inputs.json'))
    description = json.load(open(f'{folder}/bundle/bundle.json'))
    size, seed = inputs['resolution'], inputs['seed']

    def part(name):
        return read_safetensors(f'{folder}/bundle/{description["files"][name]["path"]}')

    # Speech to motion.
    motion = description['motion']
    speech = read_speech(f'{folder}/speech.wav')
    audio = torch.from_numpy(((speech - speech.mean()) / np.sqrt(speech.var() + 1e-7)).astype(np.float32))
    frames = math.ceil(len(speech) * 30 / 16000)
    offsets = mesh_offsets(Weights(part('audio2mesh')), motion, audio, frames).numpy()
    speaker = math.floor(Stream([seed, SPEAKER]).uniform() * motion['pose']['speakers'])
    poses = head_poses(Weights(part('audio2pose')), motion, audio, frames, speaker).numpy()
    poses[:, :3] *= 0.5
    poses = smoothed(poses)

    # Portrait to reference, motion to drawings.
    photo = Image.open(f'{folder}/portrait.png').convert('RGB')
    square = inputs['square']
    left, top, side = square['x'], square['y'], square['side']
    cut = photo.crop((left, top, left + side, top + side))
    mesh, transform = np.array(inputs['mesh']).reshape(468, 3), np.array(inputs['transform']).reshape(4, 4)
    drawings = []
    for frame in range(frames):
        points = project(mesh + offsets[frame], transform @ pose_matrix(poses[frame]), *photo.size)
        drawings.append(draw((points - [left, top]) * size / side, size))
    pictures = 2 * torch.from_numpy(np.stack(drawings)).permute(0, 3, 1, 2).float() - 1

    embedding = image_embedding(Weights(part('imageEncoder')), description['imageEncoder'], cut)
    pixels = np.asarray(cut.resize((size, size), Image.LANCZOS), np.float32) / 255 * 2 - 1
    codec = description['codec']
    latents = vae_encode(Weights(part('codec')), codec, torch.from_numpy(pixels).permute(2, 0, 1)[None])
    config = description['denoisingUnet']
    image = embedding[:, None]
    banks = load_unet(config, part('referenceUnet'), True)(latents, torch.zeros(1), image=image)

    windows = looped_windows(frames, description['contextFrames'], description['contextOverlap'])
    guider = Weights(part('poseGuider'))
    maps = [pose_features(guider, description['poseGuider'], pictures[window]) for window in windows]
    shape = [codec['latentChannels'], size // 8, size // 8]
    alphas = cumulative_alphas(description['schedule'])

    def render(weights, sampler, guidance):
        unet = load_unet(config, weights, False)
        timesteps, step = sampler
        x = clip_noise(seed, INITIAL_LATENTS, 0, frames, shape)
        for index, timestep in enumerate(timesteps):
            total, count = torch.zeros_like(x), torch.zeros(frames)
            for window, pose in zip(windows, maps):
                length = len(window)
                seen = x[0, :, window].transpose(0, 1)
                times = torch.full((length,), float(timestep))

                def predict(context, banks):
                    return unet(seen, times, pose, banks, length, image=context.expand(length, -1, -1))

                prediction = predict(image, [bank.expand(length, -1, -1) for bank in banks])
                if guidance > 1:
                    without = predict(torch.zeros_like(image), None)
                    prediction = without + guidance * (prediction - without)
                total[0, :, window] += prediction.transpose(0, 1)
                count[window] += 1
            x = step(index, x, total / count[:, None, None])
        decoder = Weights(part('codec'))
        return torch.cat([vae_decode(decoder, codec, x[:, :, frame]) for frame in range(frames)])

    def noise_of(index):
        return clip_noise(seed, SAMPLER_STEP, index, frames, shape)

    def adapted():
        return fused(part('denoisingUnet'), read_safetensors(f'{folder}/lora.safetensors'), inputs['loraScale'])

    renders = {
        'original': lambda: render(part('denoisingUnet'), ddim(alphas, 25), 3.5),
        'lcm': lambda: render(adapted(), lcm(alphas, 4, noise_of), 1),
        'lcm-without-lora': lambda: render(part('denoisingUnet'), lcm(alphas, 4, noise_of), 1),
    }
    clips = {name: renders[name]() for name in inputs['clips']}
    places = kept_places(3 * size * size)
    golden = {
        'seed': seed, 'frames': frames, 'size': size, 'loraScale': inputs['loraScale'], 'speaker': speaker,
        'poses': np.round(poses, 6).tolist(),
        'offsets': np.round(offsets[:, [13, 14, 152, 263], :], 6).tolist(),
        'places': places,
        'levels': {name: [(255 * frame.permute(1, 2, 0).flatten()[places]).round(decimals=2).tolist() for frame in clip]
                   for name, clip in clips.items()},
    }
    os.makedirs(output, exist_ok=True)
    text = json.dumps(golden, separators=(',', ':'))
    with open(f'{output}/clip.json', 'w') as file:
        file.write(json.dumps(json.loads(text, parse_float=lambda value: float(f'{float(value):.6g}')), separators=(',', ':')) + '\n')
    for name, clip in clips.items():
        bytes_of = (255 * clip).floor().byte().permute(0, 2, 3, 1).numpy()
        Image.fromarray(np.concatenate(list(bytes_of[::3]), 1)).save(f'{folder}/{name}.png')
        print(name, 'mean', float(clip.mean()), 'spread', float(clip.std()))


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2])
