"""Writes test/golden/pytorch: small checkpoints by the real torch.save, the numbers in them, and hostile pickles.

    python3 scripts/golden/pytorch_files.py test/golden/pytorch

Made with PyTorch 2.13.0. The numbers are what torch.load gives back, as float64 lists in expected.json.
"""
import argparse
import collections
import datetime
import json
import os
import pathlib
import pickle
import sys
import zipfile

import numpy as np
import torch

ROOT = pathlib.Path(sys.argv[1])
EXPECTED = {}


def flatten(value, prefix=''):
    for key, item in value.items():
        name = f'{prefix}.{key}' if prefix else str(key)
        if isinstance(item, torch.Tensor):
            yield name, item
        elif isinstance(item, dict):
            yield from flatten(item, name)


def save(name, value, weights=None, legacy=False):
    """`weights`: the part of `value` that a reader is to find; all of it by default."""
    torch.save(value, ROOT / name, _use_new_zipfile_serialization=not legacy)
    torch.load(ROOT / name, weights_only=True)
    EXPECTED[name] = describe(value if weights is None else weights)


def describe(weights):
    return {
        key: {'shape': list(tensor.shape), 'values': tensor.detach().double().flatten().tolist()}
        for key, tensor in flatten(weights)
    }


def types():
    base = torch.tensor([-3.5, -1, 0, 0.1, 1, 65504])
    floats = {str(t).removeprefix('torch.'): base.to(t) for t in (torch.float64, torch.float32, torch.float16, torch.bfloat16)}
    whole = {
        'int64': torch.tensor([-(2**40), -1, 0, 2**40]),
        'int32': torch.tensor([-(2**31), 0, 2**31 - 1], dtype=torch.int32),
        'int16': torch.tensor([-300, 300], dtype=torch.int16),
        'int8': torch.tensor([-128, 127], dtype=torch.int8),
        'uint8': torch.tensor([0, 255], dtype=torch.uint8),
        'bool': torch.tensor([True, False]),
        'scalar': torch.tensor(7),
        'empty': torch.zeros(0, 3),
    }
    return floats | whole


def views():
    base = torch.arange(24.0).reshape(2, 3, 4)
    return {
        'base': base,
        'transposed': base.transpose(0, 2),
        'column': base[:, 1],
        'every_other': base[..., ::2],
        'last_row': base[1, 2],
        'expanded': torch.tensor([[1.0], [2.0]]).expand(2, 3),
        'one_wide': torch.arange(6.0).reshape(2, 1, 3)[:, :, 1:2],
        'half_columns': torch.arange(12.0).half().reshape(3, 4).t(),
        'channels_last': torch.arange(16.0).reshape(1, 2, 2, 4).contiguous(memory_format=torch.channels_last),
    }


class Settings(dict):
    """A dictionary of a training program's own class, with an attribute."""


class Plain:
    """An object with attributes; pickled by NEWOBJ and BUILD."""

    def __init__(self):
        self.rate, self.names = 0.5, {'a', 'b'}


class Marked(torch.nn.Parameter):
    """A parameter of a class of its own."""


def float8():
    base = torch.arange(256, dtype=torch.uint8)
    return {
        'e4m3': base[:127].view(torch.float8_e4m3fn),
        'e4m3_negative': base[128:255].view(torch.float8_e4m3fn),
        'e5m2': base[:124].view(torch.float8_e5m2).reshape(4, 31).t(),
        'uint16': torch.tensor([0, 65535], dtype=torch.uint16),
        'part': base[8:20].view(torch.float8_e5m2)[3:9],
    }


def foreign(weights):
    """What training programs save next to the weights: objects of their own classes and of other libraries'."""
    settings = Settings(name='run', inner=Plain())
    settings.flag = True
    return {
        'args': argparse.Namespace(lr=1e-4, betas=(0.9, 0.95)),
        'epoch': np.float64(3),
        'counts': collections.Counter('ab'),
        'by_key': collections.defaultdict(list, {'a': [1]}),
        'plain': Plain(),
        'settings': settings,
        'seen': {1, 2},
        'frozen': frozenset([3]),
        'when': datetime.datetime(2026, 1, 1),
        'path': pathlib.PurePosixPath('a/b'),
        'device': torch.device('cpu'),
        'size': torch.Size([1, 2]),
        'dtype': torch.float32,
        'complex': torch.zeros(2, dtype=torch.complex64),
        'sparse': torch.eye(2).to_sparse(),
        'state_dict': weights,
        'last': Plain(),
    }


class Evil:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def rewrite(source, target, change):
    """Copies an archive entry by entry; `change` gets name and bytes and may return (bytes, compression)."""
    with zipfile.ZipFile(ROOT / source) as old, zipfile.ZipFile(ROOT / target, 'w') as new:
        for item in old.infolist():
            data, compression = change(item.filename, old.read(item)) or (old.read(item), zipfile.ZIP_STORED)
            new.writestr(zipfile.ZipInfo(item.filename, (1980, 1, 1, 0, 0, 0)), data, compression)


def hostile():
    linear = {'weight': torch.ones(2, 2)}
    for name, value in {
        'os_system': Evil(os.system, 'echo executed > executed.txt'),
        'eval': Evil(eval, '1'),
        'getattr': Evil(getattr, 'a', 'upper'),
        'import_module': Evil(__import__, 'os'),
    }.items():
        torch.save({**linear, 'x': value}, ROOT / f'hostile_{name}.pth')
    torch.save({**linear, 'x': Evil(os.system, 'true')}, ROOT / 'hostile_legacy.pth', _use_new_zipfile_serialization=False)
    # STACK_GLOBAL of protocol 4 hides a name among strings.
    torch.save({**linear, 'x': Evil(os.system, 'true')}, ROOT / 'hostile_protocol4.pth', pickle_protocol=4)
    torch.save({**linear, 'x': 0}, ROOT / 'plain.pth')
    # Gigabytes of zeros behind some kilobytes.
    rewrite('plain.pth', 'bomb_storage.pth',
            lambda name, data: (bytes(50_000_000), zipfile.ZIP_DEFLATED) if name.endswith('data/0') else None)
    rewrite('plain.pth', 'compressed.pth',
            lambda name, data: (data, zipfile.ZIP_DEFLATED) if name.endswith('data/0') else None)
    rewrite('plain.pth', 'bomb_pickle.pth',
            lambda name, data: (data + bytes(50_000_000), zipfile.ZIP_DEFLATED) if name.endswith('data.pkl') else None)
    # Dictionaries that double with every level, and one that holds itself.
    nested = linear
    for _ in range(40):
        nested = {'a': nested, 'b': nested}
    torch.save(nested, ROOT / 'hostile_doubling.pth')
    itself = dict(linear)
    itself['again'] = itself
    torch.save(itself, ROOT / 'hostile_circle.pth')
    module = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2))
    module.save(str(ROOT / 'torchscript.pt'))
    (ROOT / 'other.pkl').write_bytes(pickle.dumps({'weights': [1.0, 2.0]}, 2))
    (ROOT / 'plain.pth').unlink()


def main():
    ROOT.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for legacy in (False, True):
        suffix = '_legacy' if legacy else ''
        save(f'types{suffix}.pth', types(), legacy=legacy)
        save(f'views{suffix}.pth', views(), legacy=legacy)
        module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
        save(f'module{suffix}.pth', module.state_dict(), legacy=legacy)
        parameters = collections.OrderedDict(module.named_parameters())
        save(f'parameters{suffix}.pth', parameters, legacy=legacy)
        training = {
            'epoch': 3,
            'optimizer': {'state': {0: {'exp_avg': torch.zeros(2)}}, 'param_groups': [{'lr': 1e-4, 'betas': (0.9, 0.999)}]},
            'state_dict': {f'module.{key}': value for key, value in module.state_dict().items()},
        }
        save(f'training{suffix}.pth', training, training['state_dict'], legacy)
    save('nested.pth', {'denoising': {'conv': {'weight': torch.ones(1)}}, 3: torch.zeros(1), 'note': 'text', 'ratio': 0.5})
    with_protocol4 = {'weight': torch.arange(3.0)}
    torch.save(with_protocol4, ROOT / 'protocol4.pth', pickle_protocol=4)
    EXPECTED['protocol4.pth'] = {'weight': {'shape': [3], 'values': [0.0, 1.0, 2.0]}}
    weights = {'weight': torch.arange(4.0).reshape(2, 2), 'bias': torch.nn.Parameter(torch.ones(2))}
    for name, protocol, legacy in (('foreign', 2, False), ('foreign_protocol4', 4, False), ('foreign_protocol1', 1, False),
                                   ('foreign_legacy', 2, True)):
        torch.save(foreign(weights), ROOT / f'{name}.pth', pickle_protocol=protocol,
                   _use_new_zipfile_serialization=not legacy)
        EXPECTED[f'{name}.pth'] = describe(weights)
    marked = {'weight': Marked(torch.arange(3.0)), 'bias': torch.nn.Parameter(torch.ones(1))}
    marked['bias'].note = 'an attribute'
    torch.save(Settings(marked), ROOT / 'subclasses.pth')
    EXPECTED['subclasses.pth'] = describe(marked)
    torch.save({'epoch': 1, 'model': module}, ROOT / 'whole_module.pth')
    EXPECTED['whole_module.pth'] = describe(module.state_dict())
    save('float8.pth', float8())
    torch.serialization.set_crc32_options(False)
    save('no_checksum.pth', {'weight': torch.arange(3.0)})
    torch.serialization.set_crc32_options(True)
    hostile()
    (ROOT / 'expected.json').write_text(json.dumps(EXPECTED, separators=(',', ':')) + '\n')


if __name__ == '__main__':
    main()
