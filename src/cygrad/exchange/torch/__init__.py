"""Networks from and to PyTorch: `nn.Sequential` modules, and state dicts in ``.pt`` files.

Needs PyTorch (``pip install 'cygrad[torch]'``). What PyTorch has no module for, such as residual
sums, is in `modules`. A custom module cannot be read, because its ``forward`` may compute anything;
its state dict can, with the activations as an argument.
"""

from cygrad.exchange.torch.reading import from_torch
from cygrad.exchange.torch.writing import to_torch, to_torch_file

__all__ = ["from_torch", "to_torch", "to_torch_file"]
