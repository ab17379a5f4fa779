"""PyTorch twins of the networks in src/models, with the same key names, for training.

The denoising UNet is AniPortrait's (Stable Diffusion's spatial layers, AnimateDiff's motion modules, reference
attention), with its widths, levels and heads taken from a configuration; see src/models/unet-config.ts.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


def timestep_sinusoids(timesteps, width):
    """[batch] timesteps to [batch, width], cosines first."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, device=timesteps.device) / half)
    angles = timesteps.float()[:, None] * frequencies[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class TimestepEmbedding(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.linear_1 = nn.Linear(width, out)
        self.linear_2 = nn.Linear(out, out)

    def forward(self, x, condition=None):
        """`condition`: the guidance embedding of a student that has `cond_proj`."""
        if condition is not None:
            x = x + self.cond_proj(condition)
        return self.linear_2(F.silu(self.linear_1(x)))


class Resnet(nn.Module):
    def __init__(self, in_channels, out_channels, temb, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps=1e-5)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(temb, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps=1e-5)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        if in_channels != out_channels:
            self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x, temb):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.time_emb_proj(F.silu(temb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, channels, heads, key_channels=None):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(key_channels or channels, channels, bias=False)
        self.to_v = nn.Linear(key_channels or channels, channels, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x, keys=None):
        """x [batch, tokens, channels]; `keys` are tokens to attend to, x itself without them."""
        keys = x if keys is None else keys
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # noqa: E731
        q, k, v = split(self.to_q(x)), split(self.to_k(keys)), split(self.to_v(keys))
        out = F.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](out.transpose(1, 2).flatten(2))


class GegluProjection(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.proj = nn.Linear(channels, 2 * hidden)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.net = nn.ModuleList([GegluProjection(channels, 4 * channels), nn.Identity(), nn.Linear(4 * channels, channels)])

    def forward(self, x):
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    """Self-attention, with a reference's tokens next to its own; then attention to image tokens where there are some."""

    def __init__(self, channels, heads, image_channels=None):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.attn1 = Attention(channels, heads)
        if image_channels:
            self.norm2 = nn.LayerNorm(channels)
            self.attn2 = Attention(channels, heads, image_channels)
        self.norm3 = nn.LayerNorm(channels)
        self.ff = FeedForward(channels)

    def forward(self, x, bank=None, write=None, image=None):
        n = self.norm1(x)
        if write is not None:
            write.append(n)
        keys = None if bank is None else torch.cat([n, bank], dim=1)
        x = x + self.attn1(n, keys)
        if image is not None:
            x = x + self.attn2(self.norm2(x), image)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, channels, heads, groups, image_channels=None):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, heads, image_channels)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x, bank=None, write=None, image=None):
        height, width = x.shape[2:]
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        tokens = self.transformer_blocks[0](tokens, bank, write, image)
        return self.proj_out(tokens.transpose(1, 2).unflatten(2, (height, width))) + x


def positional_table(length, channels):
    """[1, length, channels]: sine at even places, cosine at odd ones."""
    position = torch.arange(length).unsqueeze(1)
    rate = torch.exp(torch.arange(0, channels, 2) * (-math.log(10000.0) / channels))
    table = torch.zeros(1, length, channels)
    table[0, :, 0::2] = torch.sin(position * rate)
    table[0, :, 1::2] = torch.cos(position * rate)
    return table


class PositionalEncoding(nn.Module):
    def __init__(self, channels, length):
        super().__init__()
        self.register_buffer("pe", positional_table(length, channels))


class TemporalAttention(Attention):
    def __init__(self, channels, heads, length):
        super().__init__(channels, heads)
        self.pos_encoder = PositionalEncoding(channels, length)

    def forward(self, x, keys=None):
        return super().forward(x + self.pos_encoder.pe[:, : x.shape[1]])


class TemporalBlock(nn.Module):
    def __init__(self, channels, heads, length, attentions):
        super().__init__()
        self.attention_blocks = nn.ModuleList([TemporalAttention(channels, heads, length) for _ in range(attentions)])
        self.norms = nn.ModuleList([nn.LayerNorm(channels) for _ in range(attentions)])
        self.ff = FeedForward(channels)
        self.ff_norm = nn.LayerNorm(channels)

    def forward(self, x):
        for attention, norm in zip(self.attention_blocks, self.norms):
            x = x + attention(norm(x))
        return x + self.ff(self.ff_norm(x))


class TemporalTransformer(nn.Module):
    def __init__(self, channels, heads, length, attentions, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([TemporalBlock(channels, heads, length, attentions)])
        self.proj_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.proj_out.weight)
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, x, frames):
        height, width = x.shape[2:]
        tokens = self.norm(x).unflatten(0, (-1, frames))  # b f c h w
        tokens = tokens.permute(0, 3, 4, 1, 2).flatten(0, 2)  # (b h w) f c
        tokens = self.proj_out(self.transformer_blocks[0](self.proj_in(tokens)))
        tokens = tokens.unflatten(0, (-1, height, width)).permute(0, 3, 4, 1, 2).flatten(0, 1)
        return x + tokens


class MotionModule(nn.Module):
    def __init__(self, *args):
        super().__init__()
        self.temporal_transformer = TemporalTransformer(*args)

    def forward(self, x, frames):
        return self.temporal_transformer(x, frames)


class Sampler(nn.Module):
    """Holds the convolution of a down- or upsampler under diffusers' name."""

    def __init__(self, channels, stride):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=1)


class Block(nn.Module):
    pass


class UNet(nn.Module):
    """Denoising UNet, or with `reference=True` the reference UNet (no motion modules, no output layers)."""

    def __init__(self, config, reference=False):
        super().__init__()
        self.config = config
        widths = config["blockOutChannels"]
        groups = config["normNumGroups"]
        temb = 4 * widths[0]
        layers = config["layersPerBlock"]
        motion = None if reference else config["motion"]
        self.conv_in = nn.Conv2d(config["inChannels"], widths[0], 3, padding=1)
        self.time_embedding = TimestepEmbedding(widths[0], temb)

        def transformers(level, count):
            heads, image = config["numHeads"][level], config["crossAttentionDim"]
            return nn.ModuleList([SpatialTransformer(widths[level], heads, groups, image) for _ in range(count)])

        def motions(level, count):
            return nn.ModuleList(
                [
                    MotionModule(widths[level], motion["numHeads"], motion["positionalTableLength"], motion["numAttentionBlocks"], groups)
                    for _ in range(count)
                ]
            )

        self.down_blocks = nn.ModuleList()
        skips = [widths[0]]
        for level, width in enumerate(widths):
            block = Block()
            previous = widths[max(level - 1, 0)]
            block.resnets = nn.ModuleList([Resnet(previous if i == 0 else width, width, temb, groups) for i in range(layers)])
            if config["attentionLevels"][level]:
                block.attentions = transformers(level, layers)
            if motion and motion["levels"][level]:
                block.motion_modules = motions(level, layers)
            skips += [width] * layers
            if level < len(widths) - 1:
                block.downsamplers = nn.ModuleList([Sampler(width, 2)])
                skips.append(width)
            self.down_blocks.append(block)

        last = len(widths) - 1
        self.mid_block = Block()
        self.mid_block.resnets = nn.ModuleList([Resnet(widths[-1], widths[-1], temb, groups) for _ in range(2)])
        if config["midBlockAttention"]:
            self.mid_block.attentions = transformers(last, 1)
        if motion and motion["midBlock"]:
            self.mid_block.motion_modules = motions(last, 1)

        self.up_blocks = nn.ModuleList()
        current = widths[-1]
        for level in reversed(range(len(widths))):
            block = Block()
            block.resnets = nn.ModuleList()
            for _ in range(layers + 1):
                block.resnets.append(Resnet(current + skips.pop(), widths[level], temb, groups))
                current = widths[level]
            if config["attentionLevels"][level]:
                block.attentions = transformers(level, layers + 1)
            if motion and motion["levels"][level]:
                block.motion_modules = motions(level, layers + 1)
            if level > 0:
                block.upsamplers = nn.ModuleList([Sampler(current, 1)])
            self.up_blocks.append(block)

        self.reference = reference
        if not reference:
            self.conv_norm_out = nn.GroupNorm(groups, widths[0], eps=1e-5)
            self.conv_out = nn.Conv2d(widths[0], config["outChannels"], 3, padding=1)
            nn.init.zeros_(self.conv_out.weight)
            nn.init.zeros_(self.conv_out.bias)

    def _layer(self, block, index, x, temb, banks, write, frames, image):
        x = block.resnets[index](x, temb)
        if hasattr(block, "attentions"):
            x = block.attentions[index](x, next(banks) if banks is not None else None, write, image)
        if frames is not None and hasattr(block, "motion_modules"):
            x = block.motion_modules[index](x, frames)
        return x

    def forward(self, latents, timesteps, pose=None, banks=None, frames=None, time_condition=None, image=None):
        """Predicts from latents [batch·frames, C, h, w].

        timesteps: [batch·frames]. pose: maps to add, after conv_in and after each down block. banks: list of
        [batch·frames, tokens, channels] from the reference UNet, or None for the unconditional half. frames: of a
        window; None leaves motion modules out. time_condition: [batch·frames, width] guidance embedding. image: [batch·frames, tokens,
        crossAttentionDim] of the image encoder. The reference UNet returns its banks instead.
        """
        write = [] if self.reference else None
        banks = iter(banks) if banks is not None else None
        temb = self.time_embedding(timestep_sinusoids(timesteps, self.config["blockOutChannels"][0]), time_condition)
        x = self.conv_in(latents)
        if pose is not None:
            x = x + pose[0]
        skips = [x]
        for level, block in enumerate(self.down_blocks):
            for index in range(len(block.resnets)):
                x = self._layer(block, index, x, temb, banks, write, frames, image)
                skips.append(x)
            if hasattr(block, "downsamplers"):
                x = block.downsamplers[0].conv(x)
                skips.append(x)
            if pose is not None:
                x = x + pose[level + 1]
        x = self.mid_block.resnets[0](x, temb)
        if hasattr(self.mid_block, "attentions"):
            x = self.mid_block.attentions[0](x, next(banks) if banks is not None else None, write, image)
        if frames is not None and hasattr(self.mid_block, "motion_modules"):
            x = self.mid_block.motion_modules[0](x, frames)
        x = self.mid_block.resnets[1](x, temb)
        for block in self.up_blocks:
            for index in range(len(block.resnets)):
                x = self._layer(block, index, torch.cat([x, skips.pop()], dim=1), temb, banks, write, frames, image)
            if hasattr(block, "upsamplers"):
                # To the size of what comes next: an odd size was rounded up on the way down.
                x = block.upsamplers[0].conv(F.interpolate(x, size=skips[-1].shape[2:], mode="nearest"))
        if self.reference:
            return write
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class PoseGuider(nn.Module):
    """Convolutions over pose drawing, warped portrait and its reliability; AniPortrait's names, norm `none`."""

    def __init__(self, config):
        super().__init__()
        self.stages = len(config["stages"])

        def stack(channels, convs):
            modules = []
            for conv in convs:
                kernel = conv.get("kernel", 3)
                padding = conv.get("padding", 1)
                modules += [nn.Conv2d(channels, conv["out"], kernel, conv["stride"], padding), nn.SiLU()]
                channels = conv["out"]
            return nn.Sequential(*modules), channels

        self.conv_layers, channels = stack(config["inChannels"], config["stem"])
        self.final_proj = nn.Conv2d(channels, config["outChannels"], 1)
        self.scale = nn.Parameter(torch.ones(1))
        channels = config["outChannels"]
        for index, stage in enumerate(config["stages"]):
            layers, channels = stack(channels, stage["convs"])
            setattr(self, f"conv_layers_{index + 1}", layers)

    def forward(self, pictures):
        x = self.final_proj(self.conv_layers(pictures)) * self.scale
        maps = [x]
        for index in range(self.stages):
            x = getattr(self, f"conv_layers_{index + 1}")(x)
            maps.append(x)
        return maps


class Refiner(nn.Module):
    """Sharpens a decoded picture at half resolution: picture and warped portrait in, a correction out."""

    def __init__(self, config):
        super().__init__()
        width = config["width"]
        self.conv_in = nn.Conv2d(24, width, 3, padding=1)
        self.layers = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(config["layers"])])
        self.conv_out = nn.Conv2d(width, 12, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, picture, base):
        """Both [batch, 3, H, W] in [-1, 1]; returns the corrected picture."""
        x = F.pixel_unshuffle(torch.cat([picture, base], dim=1), 2)
        x = F.silu(self.conv_in(x))
        for layer in self.layers:
            x = x + F.silu(layer(x))
        return picture + F.pixel_shuffle(self.conv_out(x), 2)
