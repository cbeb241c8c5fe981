"""What is known of the architectures that can be trained: settings, licences, sources. Loads no torch.

Settings are those of the authors' published configurations, under spandrel's names for them. What neither a
paper nor its authors' code gives is left to spandrel's constructor, and the source says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from srbench.api import did_you_mean

PERMISSIVE = "MIT, Apache 2.0 or public domain"
"""What spandrel says of all the code in it, where no more is known: its README, "License Notes"."""


@dataclass(frozen=True)
class Architecture:
    """One network family of spandrel.

    Args:
        id: spandrel's own name for it.
        network: module and class below `spandrel.architectures`.
        licence: of the architecture's code.
        source: paper, and where the sizes' settings are published.
        sizes: name → settings of the constructor; empty for a network of one size.
        common: settings of all sizes.
        scale: the constructor's name for the scale.
        planes: the constructor's names for the planes of LR and SR.
        one_plane: settings for networks of one plane; None: it takes three and no others.
        multiple: LR sides are padded to a multiple of it, by reflection. 1 where the network takes any size,
            or pads in a way of its own.
        smallest: LR sides that it needs at least.
        patch: side of an LR patch in the authors' training.
        whole: sizes that must see whole pictures, `None` for a network of one size: attention or means go
            over all of it, or it looks too far. By the check `tiles` of `srbench plugins check`.
    """

    id: str
    network: str
    licence: str
    source: str
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    common: Mapping[str, Any] = field(default_factory=dict)
    scale: str = "upscale"
    planes: tuple[str, ...] = ("in_chans",)
    one_plane: Mapping[str, Any] | None = field(default_factory=dict)
    multiple: int = 1
    smallest: int = 1
    patch: int = 64
    whole: tuple[str | None, ...] = ()


def _blocks(count: int, depth: int = 6, heads: int = 6, name: str = "depths") -> dict[str, Any]:
    return {name: [depth] * count, "num_heads": [heads] * count}


ARCHITECTURES: dict[str, Architecture] = {
    "atd": Architecture(
        "ATD",
        "ATD:ATD",
        PERMISSIVE,
        "Zhang et al. 2024, arXiv:2401.08209; options/ of LabShuHangGU/Adaptive-Token-Dictionary",
        {
            "light": {
                **_blocks(4, heads=4),
                "embed_dim": 48,
                "category_size": 128,
                "num_tokens": 64,
                "reducted_dim": 8,
                "convffn_kernel_size": 7,
                "mlp_ratio": 1,
                "upsampler": "pixelshuffledirect",
            },
            "classical": {
                **_blocks(6),
                "embed_dim": 210,
                "category_size": 256,
                "num_tokens": 128,
                "reducted_dim": 20,
                "convffn_kernel_size": 5,
                "mlp_ratio": 2,
                "upsampler": "pixelshuffle",
            },
        },
        {"img_size": 64, "window_size": 16},
        smallest=16,
        whole=("light", "classical"),
    ),
    "compact": Architecture(
        "Compact",
        "Compact:Compact",
        PERMISSIVE,
        "Wang et al. 2021, arXiv:2107.10833; inference_realesrgan.py of xinntao/Real-ESRGAN",
        {"xs": {"num_conv": 16}, "s": {"num_conv": 32}},
        {"num_feat": 64, "act_type": "prelu"},
        planes=("num_in_ch", "num_out_ch"),
    ),
    "craft": Architecture(
        "CRAFT",
        "CRAFT:CRAFT",
        PERMISSIVE,
        "Li et al. 2023, arXiv:2308.05022; options/train/CRAFT of AVC2-UESTC/CRAFT-SR",
        common={**_blocks(4, 2), "embed_dim": 48, "mlp_ratio": 2, "window_size": 16},
        smallest=16,
        whole=(None,),
    ),
    "dat": Architecture(
        "DAT",
        "DAT:DAT",
        "Apache 2.0",
        "Chen et al. 2023, arXiv:2308.03364; options/ of zhengchen1999/DAT",
        {
            "light": {
                **_blocks(1, 18, name="depth"),
                "embed_dim": 60,
                "expansion_factor": 2,
                "split_size": [8, 32],
                "resi_connection": "3conv",
                "upsampler": "pixelshuffledirect",
            },
            "s": {**_blocks(6, name="depth"), "embed_dim": 180, "expansion_factor": 2, "split_size": [8, 16]},
            "2": {**_blocks(6, name="depth"), "embed_dim": 180, "expansion_factor": 2, "split_size": [8, 32]},
            "base": {
                **_blocks(6, name="depth"),
                "embed_dim": 180,
                "expansion_factor": 4,
                "split_size": [8, 32],
            },
        },
        {"img_size": 64},
    ),
    "dctlsa": Architecture(
        "DCTLSA",
        "DCTLSA:DCTLSA",
        PERMISSIVE,
        "zengkun301/DCTLSA (settings: spandrel's)",
        planes=("in_nc", "out_nc"),
        smallest=16,
    ),
    "drct": Architecture(
        "DRCT",
        "DRCT:DRCT",
        PERMISSIVE,
        "Hsu et al. 2024, arXiv:2404.00722; options/ of ming053l/DRCT",
        {"base": _blocks(6), "l": _blocks(12)},
        {"img_size": 64, "window_size": 16, "embed_dim": 180, "mlp_ratio": 2, "upsampler": "pixelshuffle"},
        multiple=16,
    ),
    "esrgan": Architecture(
        "ESRGAN",
        "ESRGAN:ESRGAN",
        "Apache 2.0",
        "Wang et al. 2018, arXiv:1809.00219",
        common={"num_filters": 64, "num_blocks": 23},
        scale="scale",
        planes=("in_nc", "out_nc"),
        patch=32,
    ),
    "hat": Architecture(
        "HAT",
        "HAT:HAT",
        "Apache 2.0",
        "Chen et al. 2023, arXiv:2205.04437; options/ of XPixelGroup/HAT",
        {
            "s": {**_blocks(6), "embed_dim": 144, "compress_ratio": 24, "squeeze_factor": 24},
            "m": {**_blocks(6), "embed_dim": 180, "compress_ratio": 3, "squeeze_factor": 30},
            "l": {**_blocks(12), "embed_dim": 180, "compress_ratio": 3, "squeeze_factor": 30},
        },
        {
            "img_size": 64,
            "window_size": 16,
            "conv_scale": 0.01,
            "overlap_ratio": 0.5,
            "mlp_ratio": 2,
            "upsampler": "pixelshuffle",
        },
        multiple=16,
    ),
    "moesr": Architecture(
        "MoESR",
        "MoESR:MoESR",
        PERMISSIVE,
        "umzi2/MoESR (settings: spandrel's)",
        scale="scale",
        planes=("in_ch", "out_ch"),
        smallest=2,
    ),
    "mosr": Architecture(
        "MoSR",
        "MoSR:MoSR",
        PERMISSIVE,
        "umzi2/MoSR (settings: spandrel's)",
        planes=("in_ch", "out_ch"),
    ),
    "omnisr": Architecture(
        "OmniSR",
        "OmniSR:OmniSR",
        PERMISSIVE,
        "Wang et al. 2023, arXiv:2304.10244; train_yamls of Francis0625/Omni-SR",
        common={
            **{"num_feat": 64, "block_num": 1, "res_num": 5},
            **{"window_size": 8, "pe": True, "bias": True},
        },
        scale="up_scale",
        planes=("num_in_ch", "num_out_ch"),
        smallest=16,
    ),
    "plksr": Architecture(
        "PLKSR",
        "PLKSR:PLKSR",
        "MIT",
        "Lee et al. 2024, arXiv:2404.11848; options/ of dslisleedh/PLKSR",
        {
            "tiny": {"n_blocks": 12, "kernel_size": 13, "use_ea": False},
            "base": {"n_blocks": 28, "kernel_size": 17, "use_ea": True},
        },
        {"dim": 64, "split_ratio": 0.25, "ccm_type": "DCCM", "lk_type": "PLK"},
        scale="upscaling_factor",
        planes=(),
        one_plane=None,
        patch=96,
    ),
    "rcan": Architecture(
        "RCAN",
        "RCAN:RCAN",
        PERMISSIVE,
        "Zhang et al. 2018, arXiv:1807.02758, section 3.4",
        common={"n_resgroups": 10, "n_resblocks": 20, "n_feats": 64, "reduction": 16},
        scale="scale",
        planes=("n_colors",),
        patch=48,
        one_plane={"norm": False},
        whole=(None,),
    ),
    "rgt": Architecture(
        "RGT",
        "RGT:RGT",
        "Apache 2.0",
        "Chen et al. 2024, arXiv:2303.06373; options/ of zhengchen1999/RGT",
        {"s": _blocks(6, name="depth"), "base": _blocks(8, name="depth")},
        {"img_size": 64, "embed_dim": 180, "mlp_ratio": 2, "split_size": [8, 32], "c_ratio": 0.5},
        smallest=16,
        whole=("s", "base"),
    ),
    "safmn": Architecture(
        "SAFMN",
        "SAFMN:SAFMN",
        PERMISSIVE,
        "Sun et al. 2023, arXiv:2302.13800; options/ of sunny2109/SAFMN",
        {"base": {"dim": 36, "n_blocks": 8}, "l": {"dim": 128, "n_blocks": 16}},
        {"ffn_scale": 2.0},
        scale="upscaling_factor",
        planes=(),
        one_plane=None,
        smallest=8,
        whole=("base", "l"),
    ),
    "seemore": Architecture(
        "SeemoRe",
        "SeemoRe:SeemoRe",
        PERMISSIVE,
        "Zamfir et al. 2024, arXiv:2402.03412; options/ of eduardzamfir/seemoredetails",
        {
            "t": {"num_layers": 6, "embedding_dim": 36, "use_shuffle": True, "recursive": 2},
            "b": {"num_layers": 8, "embedding_dim": 48, "use_shuffle": True, "recursive": 2},
            "l": {"num_layers": 16, "embedding_dim": 48, "use_shuffle": False, "recursive": 1},
        },
        {"num_experts": 3, "lr_space": "exp", "topk": 1, "global_kernel_size": 11},
        scale="scale",
        one_plane=None,
        smallest=16,
        whole=("l",),
    ),
    "span": Architecture(
        "SPAN",
        "SPAN:SPAN",
        "Apache 2.0",
        "Wan et al. 2023, arXiv:2311.12770; span_arch.py of hongyuanyu/SPAN",
        common={"feature_channels": 48},
        planes=("num_in_ch", "num_out_ch"),
        one_plane={"norm": False},
    ),
    "swin2sr": Architecture(
        "Swin2SR",
        "Swin2SR:Swin2SR",
        PERMISSIVE,
        "Conde et al. 2022, arXiv:2209.11345; main_test_swin2sr.py of mv-lab/swin2sr",
        {
            "light": {**_blocks(4), "embed_dim": 60, "upsampler": "pixelshuffledirect"},
            "classical": {**_blocks(6), "embed_dim": 180, "upsampler": "pixelshuffle"},
        },
        {"img_size": 64, "window_size": 8, "mlp_ratio": 2},
        multiple=8,
    ),
    "swinir": Architecture(
        "SwinIR",
        "SwinIR:SwinIR",
        "Apache 2.0",
        "Liang et al. 2021, arXiv:2108.10257; main_test_swinir.py of JingyunLiang/SwinIR",
        {
            "light": {**_blocks(4), "embed_dim": 60, "upsampler": "pixelshuffledirect"},
            "classical": {**_blocks(6), "embed_dim": 180, "upsampler": "pixelshuffle"},
        },
        {"img_size": 64, "window_size": 8, "mlp_ratio": 2},
        multiple=8,
    ),
}


def described(arch: str) -> Architecture:
    """What is known of `arch`.

    Raises:
        ValueError: there is none of that name.
    """
    if arch not in ARCHITECTURES:
        raise ValueError(
            f"there is no architecture {arch!r} to train.{did_you_mean(arch, ARCHITECTURES)} There are: "
            f"{', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[arch]


def settings_of(arch: str, size: str | None) -> dict[str, Any]:
    """The constructor's settings for a size, without scale and planes.

    Raises:
        ValueError: there is no such architecture or size, or the size must be said.
    """
    known = described(arch)
    if not known.sizes:
        if size is not None:
            raise ValueError(f"{arch} has one size and takes no size={size}")
        return dict(known.common)
    if size is None or size not in known.sizes:
        wrong = "a size must be named" if size is None else f"there is no size {size!r}"
        hint = did_you_mean(size or "", known.sizes)
        raise ValueError(f"{arch}: {wrong}.{hint} It has: {', '.join(known.sizes)}")
    return {**known.common, **known.sizes[size]}


def size_multiple(arch: str | None = None) -> int:
    """What LR sides are padded to a multiple of."""
    return 1 if arch is None else described(arch).multiple


def tileable(arch: str | None = None, size: str | None = None) -> bool:
    """Whether a picture may be put through it in tiles."""
    return arch is None or size not in described(arch).whole


def recipe(scale: int, arch: str | None = None, size: str | None = None) -> dict[str, Any]:
    """A start: what nearly all of these authors train with (L1, Adam at 2e-4), in smaller batches.

    Raises:
        ValueError: nothing says what to train, or there is no such architecture or size.
    """
    if arch is None:
        raise ValueError(
            "it names no network to train. Take spandrel:arch=swinir,size=light, or another architecture of "
            f"{', '.join(ARCHITECTURES)}. A weights file is scored by srbench eval --weights FILE --model "
            "spandrel"
        )
    settings_of(arch, size)
    return {
        "loss": "l1",
        "optimizer": "adam:beta2=0.99",
        "lr": 2e-4,
        "schedule": "constant",
        "batch": 8,
        "patch": described(arch).patch * scale,
        "ema": 0.999,
        "steps": 2000,
    }
