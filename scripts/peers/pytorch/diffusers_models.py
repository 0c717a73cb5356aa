"""Small models of diffusers with random weights, saved as users save them.

    ENV/bin/python -m peers.pytorch.diffusers_models OUT

writes OUT/CASE/config.json, OUT/CASE/diffusion_pytorch_model.safetensors and
OUT/CASE/reference.npz: inputs and outputs, channels last. See
`scripts/compare_diffusers.py`.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import pathlib
import sys
from typing import Any

import diffusers
import numpy as np
import torch

SIDE = 16
SEED = 0

AUTOENCODER: dict[str, Any] = {
  "block_out_channels": (4, 8),
  "down_block_types": ("DownEncoderBlock2D",) * 2,
  "up_block_types": ("UpDecoderBlock2D",) * 2,
  "layers_per_block": 1,
  "latent_channels": 4,
  "norm_num_groups": 2,
  "sample_size": SIDE,
}
AUTOENCODERS: dict[str, dict[str, Any]] = {
  "kl": AUTOENCODER,
  "kl_plain": AUTOENCODER
  | {
    "block_out_channels": (4, 4, 8),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 2,
    "latent_channels": 3,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "mid_block_add_attention": False,
    "scaling_factor": 1.5,
    "shift_factor": 0.1,
  },
  "kl_moments": AUTOENCODER
  | {
    "scaling_factor": 0.5,
    "latents_mean": (0.1, -0.2, 0.3, 0.0),
    "latents_std": (1.1, 0.9, 0.8, 1.3),
  },
}

UNET: dict[str, Any] = {
  "block_out_channels": (4, 8),
  "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
  "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
  "layers_per_block": 1,
  "norm_num_groups": 2,
  "attention_head_dim": 4,
  "sample_size": SIDE,
}
UNETS: dict[str, dict[str, Any]] = {
  "unet": UNET
  | {  # as ddpm-cifar10-32
    "attention_head_dim": None,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
  },
  "unet_heads": UNET,
  "unet_deep": UNET
  | {
    "block_out_channels": (4, 4, 8),
    "down_block_types": ("AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D"),
    "layers_per_block": 2,
    "add_attention": False,
    "flip_sin_to_cos": False,
  },
}


def main(out: pathlib.Path) -> None:
  """Write all cases, and print the versions."""
  for name, options in AUTOENCODERS.items():
    model = random(diffusers.AutoencoderKL, options)
    save(model, out / name, autoencoder_reference(model))
  for name, options in UNETS.items():
    model = random(diffusers.UNet2DModel, options)
    save(model, out / name, unet_reference(model))
  print(f"torch {torch.__version__}, diffusers {diffusers.__version__}")


def random(kind: Any, options: dict[str, Any]) -> torch.nn.Module:
  """A model with random weights, none of which is 0 or 1 as at its start; the
  first features are small, so that the epsilon of group norms counts."""
  generator = torch.manual_seed(SEED)
  model = kind(**options)
  with torch.no_grad():
    for name, weight in model.named_parameters():
      noise = torch.randn(weight.shape, generator=generator)
      weight += 0.1 * noise
      weight *= 0.01 if "conv_in" in name else 1
  return model.eval()


def images(*shape: int) -> torch.Tensor:
  """Standard normal numbers."""
  generator = torch.Generator().manual_seed(SEED + 1)
  return torch.randn(shape, generator=generator)


def autoencoder_reference(model: Any) -> dict[str, torch.Tensor]:
  """Images, moments of their latents, and other latents with their images:
  raw, without a scaling factor."""
  x = images(2, 3, SIDE, SIDE).clip(-1, 1)
  with torch.no_grad():
    posterior = model.encode(x).latent_dist
    latents = images(*posterior.mean.shape)
    decoded = model.decode(latents).sample
  return {
    "images": x,
    "mean": posterior.mean,
    "log_variance": posterior.logvar,
    "latents": latents,
    "decoded": decoded,
  }


def unet_reference(model: Any) -> dict[str, torch.Tensor]:
  """Noisy images, their times, and the noise that is predicted; and what
  diffusers' DDPM takes the clean image to be."""
  z, t = images(3, 3, SIDE, SIDE), torch.tensor([0, 500, 999])
  scheduler = diffusers.DDPMScheduler(clip_sample=False)
  with torch.no_grad():
    noise = model(z, t).sample
    steps = [
      scheduler.step(noise[i : i + 1], t[i], z[i : i + 1]) for i in range(3)
    ]
  clean = torch.cat([x.pred_original_sample for x in steps])
  return {"z": z, "time": t, "noise": noise, "clean": clean}


def save(
  model: Any, folder: pathlib.Path, arrays: dict[str, torch.Tensor]
) -> None:
  """Write a model, and its inputs and outputs."""
  model.save_pretrained(folder)
  last = {k: channels_last(x.numpy()) for k, x in arrays.items()}
  np.savez_compressed(folder / "reference.npz", **last)  # pyright: ignore


def channels_last(x: np.ndarray) -> np.ndarray:
  """Images in JAX's order of axes; other arrays as they are."""
  return np.moveaxis(x, 1, -1) if x.ndim == 4 else x


if __name__ == "__main__":
  main(pathlib.Path(sys.argv[1]))
