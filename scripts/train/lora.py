"""Low-rank adapters over a network's weights, merged functionally so that gradients reach only the factors."""
import math

import torch
from torch import nn

# What LCM-LoRA adapts in Stable Diffusion's UNet; the same names occur in motion modules.
TARGETS = (
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2",
    "conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj",
)


class Lora(nn.Module):
    """Factors for every adaptable weight of `network`: W + alpha/rank · up · down."""

    def __init__(self, network, rank, alpha):
        super().__init__()
        self.rank, self.alpha = rank, alpha
        self.names, self.shapes = [], []
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for name, weight in network.named_parameters():
            module = name.removesuffix(".weight")
            if not name.endswith(".weight") or not module.endswith(TARGETS) or weight.ndim < 2:
                continue
            inner = weight[0].numel()
            self.names.append(module)
            self.shapes.append(tuple(weight.shape))
            self.down.append(nn.Parameter(torch.randn(rank, inner) / math.sqrt(inner)))
            self.up.append(nn.Parameter(torch.zeros(weight.shape[0], rank)))

    def merged(self, weights):
        """`weights` (name to tensor, without gradients) with the adapter added; differentiable in the factors."""
        out = dict(weights)
        for name, shape, down, up in zip(self.names, self.shapes, self.down, self.up):
            out[f"{name}.weight"] = weights[f"{name}.weight"] + (self.alpha / self.rank) * (up @ down).view(shape)
        return out

    @torch.no_grad()
    def restore(self, tensors):
        """Takes the factors over from `tensors` in kohya's layout, as `export` gives them; alpha goes into `up`."""
        for name, down, up in zip(self.names, self.down, self.up):
            key = "lora_unet_" + name.replace(".", "_")
            given = tensors[f"{key}.lora_down.weight"].float().flatten(1)
            if given.shape != down.shape:
                raise SystemExit(f"{key}: expected factors of {tuple(down.shape)}, got {tuple(given.shape)}")
            down.copy_(given)
            scale = float(tensors[f"{key}.alpha"]) / self.alpha if f"{key}.alpha" in tensors else self.rank / self.alpha
            up.copy_(tensors[f"{key}.lora_up.weight"].float().flatten(1) * scale)

    def export(self):
        """Tensors in kohya's layout, half precision."""
        tensors = {}
        for name, shape, down, up in zip(self.names, self.shapes, self.down, self.up):
            key = "lora_unet_" + name.replace(".", "_")
            convolution = len(shape) == 4
            tensors[f"{key}.lora_down.weight"] = down.detach().view(self.rank, *shape[1:]).half()
            tensors[f"{key}.lora_up.weight"] = (up.detach()[:, :, None, None] if convolution else up.detach()).half()
            tensors[f"{key}.alpha"] = torch.tensor(float(self.alpha)).half()
        return tensors
