"""AniPortrait's denoising UNet in eager PyTorch, for a comparison of speed on equal weights and inputs.

Reads weights by their published names from safetensors, answers each line on standard input with one evaluation, and
writes its time in seconds. Arguments: weights file, folder of inputs as raw float32 with a shapes.json, output file,
threads. Its numbers are compared with the original's in test/scripts/torch-unet.test.ts.
"""

import json
import struct
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

weights_path, inputs_folder, output_path, threads = sys.argv[1:5]
torch.set_num_threads(int(threads))
torch.set_grad_enabled(False)

TYPES = {"F32": (torch.float32, 4), "F16": (torch.float16, 2)}
HEADS = 8
GROUPS = 32


def read_weights(path):
    weights = {}
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            file.seek(8 + size + begin)
            dtype, _ = TYPES[entry["dtype"]]
            data = torch.frombuffer(bytearray(file.read(end - begin)), dtype=dtype)
            weights[name] = data.reshape(entry["shape"]).float()
    return weights


W = read_weights(weights_path)
shapes = json.loads((Path(inputs_folder) / "shapes.json").read_text())
X = {
    name: torch.from_numpy(np.fromfile(Path(inputs_folder) / file, dtype=np.float32).reshape(dims))
    for name, (file, dims) in shapes.items()
}


def linear(x, path):
    return F.linear(x, W[f"{path}.weight"], W.get(f"{path}.bias"))


def conv(x, path, **options):
    return F.conv2d(x, W[f"{path}.weight"], W[f"{path}.bias"], **options)


def group_norm(x, path, eps):
    return F.group_norm(x, GROUPS, W[f"{path}.weight"], W[f"{path}.bias"], eps)


def layer_norm(x, path):
    return F.layer_norm(x, x.shape[-1:], W[f"{path}.weight"], W[f"{path}.bias"])


def attend(q, k, v):
    split = lambda x: x.unflatten(-1, (HEADS, -1)).transpose(1, 2)
    return F.scaled_dot_product_attention(split(q), split(k), split(v)).transpose(1, 2).flatten(2)


def feed_forward(x, path):
    value, gate = linear(x, f"{path}.net.0.proj").chunk(2, dim=-1)
    return linear(value * F.gelu(gate), f"{path}.net.2")


def resnet(x, path, temb):
    h = conv(F.silu(group_norm(x, f"{path}.norm1", 1e-5)), f"{path}.conv1", padding=1)
    h = h + linear(temb, f"{path}.time_emb_proj")[:, :, None, None]
    h = conv(F.silu(group_norm(h, f"{path}.norm2", 1e-5)), f"{path}.conv2", padding=1)
    return h + (conv(x, f"{path}.conv_shortcut") if f"{path}.conv_shortcut.weight" in W else x)


def spatial(x, path, embedding):
    n, c, height, width = x.shape
    h = conv(group_norm(x, f"{path}.norm", 1e-6), f"{path}.proj_in").flatten(2).transpose(1, 2)
    block = f"{path}.transformer_blocks.0"
    normed = layer_norm(h, f"{block}.norm1")
    k = torch.cat([linear(normed, f"{block}.attn1.to_k"), X[f"key:{path}"].expand(n, -1, -1)], 1)
    v = torch.cat([linear(normed, f"{block}.attn1.to_v"), X[f"value:{path}"].expand(n, -1, -1)], 1)
    h = h + linear(attend(linear(normed, f"{block}.attn1.to_q"), k, v), f"{block}.attn1.to_out.0")
    h = h + linear(linear(embedding, f"{block}.attn2.to_v"), f"{block}.attn2.to_out.0")
    h = h + feed_forward(layer_norm(h, f"{block}.norm3"), f"{block}.ff")
    return conv(h.transpose(1, 2).reshape(n, c, height, width), f"{path}.proj_out") + x


def motion(x, path):
    path = f"{path}.temporal_transformer"
    f, c, height, width = x.shape
    h = group_norm(x, f"{path}.norm", 1e-6).permute(2, 3, 0, 1).reshape(height * width, f, c)
    h = linear(h, f"{path}.proj_in")
    block = f"{path}.transformer_blocks.0"
    for i in range(2):
        a = f"{block}.attention_blocks.{i}"
        placed = layer_norm(h, f"{block}.norms.{i}") + W[f"{a}.pos_encoder.pe"][:, :f]
        mixed = attend(linear(placed, f"{a}.to_q"), linear(placed, f"{a}.to_k"), linear(placed, f"{a}.to_v"))
        h = h + linear(mixed, f"{a}.to_out.0")
    h = h + feed_forward(layer_norm(h, f"{block}.ff_norm"), f"{block}.ff")
    h = linear(h, f"{path}.proj_out").reshape(height, width, f, c)
    return h.permute(2, 3, 0, 1) + x


def images(video):
    return video[0].transpose(0, 1)


def unet():
    half = W["conv_in.weight"].shape[0] // 2
    frequencies = torch.exp(-np.log(10000.0) * torch.arange(half) / half)
    angles = X["timestep"][:, None] * frequencies
    temb = linear(torch.cat([angles.cos(), angles.sin()], 1), "time_embedding.linear_1")
    temb = F.silu(linear(F.silu(temb), "time_embedding.linear_2"))
    embedding = X["image_embeds"]

    def layer(x, block, j, attends):
        x = resnet(x, f"{block}.resnets.{j}", temb)
        if attends:
            x = spatial(x, f"{block}.attentions.{j}", embedding)
        return motion(x, f"{block}.motion_modules.{j}")

    x = conv(images(X["latents"]), "conv_in", padding=1) + images(X["pose.0"])
    skips = [x]
    for level in range(4):
        block = f"down_blocks.{level}"
        for j in range(2):
            x = layer(x, block, j, level < 3)
            skips.append(x)
        if level < 3:
            x = conv(x, f"{block}.downsamplers.0.conv", stride=2, padding=1)
            skips.append(x)
        x = x + images(X[f"pose.{level + 1}"])
    x = resnet(x, "mid_block.resnets.0", temb)
    x = motion(spatial(x, "mid_block.attentions.0", embedding), "mid_block.motion_modules.0")
    x = resnet(x, "mid_block.resnets.1", temb)
    for i in range(4):
        block = f"up_blocks.{i}"
        for j in range(3):
            x = layer(torch.cat([x, skips.pop()], 1), block, j, i > 0)
        if i < 3:
            grown = F.interpolate(x, size=skips[-1].shape[-2:], mode="nearest")
            x = conv(grown, f"{block}.upsamplers.0.conv", padding=1)
    return conv(F.silu(group_norm(x, "conv_norm_out", 1e-5)), "conv_out", padding=1).transpose(0, 1)[None]


def sgemm(size=2048, repeats=5):
    a, b = torch.rand(size, size), torch.rand(size, size)
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best / 1e9


print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "sgemm":
        print(sgemm(), flush=True)
        continue
    begin = time.perf_counter()
    result = unet()
    seconds = time.perf_counter() - begin
    # The file is read as soon as the time is known.
    result.contiguous().numpy().tofile(output_path)
    print(seconds, flush=True)
