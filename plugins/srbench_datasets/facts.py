"""What is known of the public sets: sources, terms, counts, sizes, and bicubic figures others have published.

Sources. Archives and MD5: the sets' own pages and the EDSR project (Lim et al. 2017). Figures: the bicubic
rows of VDSR (Kim et al. 2016) and RDN (Zhang et al. 2018), in which a grey file is scored as it is; those for
Set14 `as RGB`: LapSRN (Lai et al. 2017). Sizes and fingerprints of Set5 and Set14: the edition of SelfExSR
(Huang et al. 2015), cut to even sides; the figure of each picture was measured by srbench.
"""

from srbench.api import Archive, DatasetFacts, Figure, Known

_BENCHMARK_URL = "https://cv.snu.ac.kr/research/EDSR/benchmark.tar"
_BENCHMARK_MD5 = "4ace41d33c2384b97e6b320cd0afd6ba"
_DIV2K_URL = "http://data.vision.ee.ethz.ch/cvl/DIV2K"
_BSDS_SIZES = ((481, 321), (321, 481))


def _benchmark(folder: str) -> tuple[Archive, ...]:
    """The archive that has the four usual test sets, for one of them."""
    return (Archive(_BENCHMARK_URL, {f"{folder}/HR": "HR"}, _BENCHMARK_MD5, size_mb=250),)


SET5 = DatasetFacts(
    terms="research; no licence stated",
    counts={"test": 5},
    archives=_benchmark("Set5"),
    pictures={
        "baby": Known(512, 512, "9f04f205216a63d7", 37.09),
        "bird": Known(288, 288, "9991a4e99380c95b", 36.84),
        "butterfly": Known(256, 256, "15fa83d82ecbef70", 27.44),
        "head": Known(280, 280, "d22a43e80d21538c", 34.89),
        "woman": Known(228, 344, "95db207568932dd3", 32.16, from_jpeg=True),
    },
    figures=(Figure(2, 33.66), Figure(3, 30.39), Figure(4, 28.42)),
)

SET14 = DatasetFacts(
    terms="research; no licence stated",
    counts={"test": 14},
    archives=_benchmark("Set14"),
    pictures={
        "baboon": Known(500, 480, "7734150ba4bc1c11", 24.86),
        "barbara": Known(720, 576, "69d047c171ebf002", 28.00),
        "bridge": Known(512, 512, "ff597ddb75093154", 26.57, grey=True),
        "coastguard": Known(352, 288, "784c8ac67b2c1eb9", 29.12, from_jpeg=True),
        "comic": Known(250, 360, "28edcb86e0705f03", 26.02),
        "face": Known(276, 276, "281f8f09b2ea48f7", 34.86),
        "flowers": Known(500, 362, "843a1e4acaec6595", 30.37),
        "foreman": Known(352, 288, "348a75109ade692f", 34.13, from_jpeg=True),
        "lenna": Known(512, 512, "88895088c151efee", 34.71),
        "man": Known(512, 512, "42edefeae6da6a39", 29.25),
        "monarch": Known(768, 512, "fe814ab4fad3bf33", 32.95),
        "pepper": Known(512, 512, "6fe1b2177720fb92", 34.97),
        "ppt3": Known(528, 656, "fe8a1c31266aed5a", 26.82, from_jpeg=True),
        "zebra": Known(586, 390, "5cac530c71b3c1c9", 30.66, from_jpeg=True),
    },
    figures=(
        Figure(2, 30.24),
        Figure(2, 30.35, grey="rgb"),
        Figure(3, 27.55),
        Figure(4, 26.00),
        Figure(4, 26.10, grey="rgb"),
    ),
)

BSDS100 = DatasetFacts(
    terms="non-commercial research and education",
    counts={"test": 100},
    archives=_benchmark("B100"),
    sizes=_BSDS_SIZES,
    figures=(Figure(2, 29.56), Figure(3, 27.21), Figure(4, 25.96)),
    from_jpeg=True,
)

BSDS200 = DatasetFacts(
    terms="non-commercial research and education",
    counts={"train": 200},
    archives=(
        Archive(
            "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/BSR_bsds500.tgz",
            {"images/train": "HR"},
            size_mb=71,
        ),
    ),
    sizes=_BSDS_SIZES,
    from_jpeg=True,
)

URBAN100 = DatasetFacts(
    terms="research; photographs under Creative Commons licences",
    counts={"test": 100},
    archives=_benchmark("Urban100"),
    figures=(Figure(2, 26.88), Figure(3, 24.46), Figure(4, 23.14)),
)

MANGA109 = DatasetFacts(
    terms="academic research, after registration",
    counts={"test": 109},
    by_hand="Its terms need a registration: ask for it at http://www.manga109.org and unpack it.",
    from_jpeg=True,
)

T91 = DatasetFacts(
    terms="research; no licence stated",
    counts={"train": 91},
    archives=(
        Archive("http://vllab.ucmerced.edu/wlai24/LapSRN/results/SR_training_datasets.zip", {"T91": "HR"}),
    ),
)

DIV2K = DatasetFacts(
    terms="academic research",
    counts={"train": 800, "test": 100},
    archives=(
        Archive(
            f"{_DIV2K_URL}/DIV2K_train_HR.zip",
            {"DIV2K_train_HR": "DIV2K_train_HR"},
            "bdc2d9338d4e574fe81bf7d158758658",
            size_mb=3531,
        ),
        Archive(
            f"{_DIV2K_URL}/DIV2K_valid_HR.zip",
            {"DIV2K_valid_HR": "DIV2K_valid_HR"},
            "9fcdda83005c5e5997799b69f955ff88",
            size_mb=449,
        ),
    ),
)
