"""Reads and writes safetensors files: length, JSON header, tensors one after another."""
import json
import pathlib

import torch

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}


def read(path):
    """Name to tensor, and the metadata, name to text."""
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    types = {name: dtype for dtype, name in NAMES.items()}
    tensors = {}
    for name, info in header.items():
        start, end = (8 + length + offset for offset in info["data_offsets"])
        raw = bytearray(data[start:end])
        tensors[name] = torch.frombuffer(raw, dtype=types[info["dtype"]]).view(info["shape"])
    return tensors, metadata


def write(path, tensors, metadata):
    """`tensors`: name to tensor; `metadata`: name to text."""
    header, offset, parts = {"__metadata__": metadata}, 0, []
    for name in sorted(tensors):
        data = tensors[name].detach().cpu().contiguous()
        raw = data.numpy().tobytes()
        header[name] = {"dtype": NAMES[data.dtype], "shape": list(data.shape), "data_offsets": [offset, offset + len(raw)]}
        offset += len(raw)
        parts.append(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for raw in parts:
            file.write(raw)
