"""A run's story in sentences with numbers, and as data for scripts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from srbench.metrics.verdict import MISPLACED, mark
from srbench.tables.forms import scene_name
from srbench.tables.rows import Column
from srbench.tables.said import CHANNELS, STYLES
from srbench.verdict import Scene, Story

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST = 3
"""Pictures named."""

_SEEN = 0.2
"""Amplitude of invented detail from which it is worth a word."""

_STILL = 1.05
"""Detail now, to detail at half the way, from which it still grows."""


def records(story: Story) -> dict[str, Any]:
    """Everything as plain data: `run`, `step` and `scenes`, each with its verdicts, lags and sentences."""
    return {
        "run": story.run.id,
        "scenes": [
            {
                "test": scene.row.test,
                "scale": scene.row.scale,
                "run_scale": scene.row.run_scale,
                "step": scene.row.step,
                "verdicts": list(scene.verdicts.values()),
                "lags": list(scene.lags),
                "psnr_alone": scene.psnr_alone,
                "pictures": [
                    {"image": name, "plane": plane, "presence": value, "mark": mark(value)}
                    for plane, values in scene.presence.items()
                    for name, value in values.items()
                ],
                "sentences": list(_sentences(scene)),
            }
            for scene in story.scenes
        ],
        "training": list(_training(story)),
    }


def to_json(story: Story) -> str:
    """`records` as text that ends with a newline."""
    return json.dumps(records(story), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_terminal(story: Story) -> "RenderableType":
    """A renderable for `rich.console.Console.print`."""
    from rich.console import Group
    from rich.text import Text

    shown: list[RenderableType] = [Text(story.run.id)]
    for scene in story.scenes:
        shown += ["", Text(_title(scene), style="bold")]
        shown += [Text(line, style=STYLES[str(one["verdict"])]) for line, one in _verdicts(scene)]
        shown += [Text(line) for line in _sentences(scene)]
    training = [Text(line) for line in _training(story)]
    return Group(*shown, *[""][: len(training)], *training)


def verdict_line(plane: str, one: Mapping[str, Any]) -> str:
    """`over-smoothed in r (presence 0.42, 0.36–0.48; detail 0.23; 14 pictures)`."""
    numbers = [f"presence {_interval(one['presence'])}", f"detail {_number(one['detail'][0])}"]
    numbers.append(_count(one["n"], "picture"))
    if one["left_out"]:
        flat = min(one["flat"], one["left_out"])
        reasons = [f"{flat} flat"] * bool(flat)
        reasons += [f"{one['left_out'] - flat} too small or not finite"] * (one["left_out"] > flat)
        numbers.append(f"left out: {', '.join(reasons)}")
    return f"{one['verdict']} in {plane} ({'; '.join(numbers)})"


def _title(scene: Scene) -> str:
    step = f" · step {scene.row.step:,}" if scene.row.step else ""
    return f"{scene_name(scene.row)} · {_count(scene.row.pictures, 'picture')}{step}"


def _verdicts(scene: Scene) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for plane in sorted(scene.verdicts, key="rgby".index):
        yield verdict_line(plane, scene.verdicts[plane]), scene.verdicts[plane]


def _sentences(scene: Scene) -> Iterator[str]:
    yield from _lost(scene)
    for lag in scene.lags:
        yield f"{CHANNELS[lag['plane']]} lags: {_interval(lag['ratio'], '()')} of the other channels' detail."
    yield from _gained(scene)
    if scene.psnr_alone:
        yield "PSNR up, LPIPS not improved: it came nearer to HR on average, and does not look nearer."
    yield from _where(scene)
    yield from _hints(scene)


def _lost(scene: Scene) -> Iterator[str]:
    """How much of the detail that LR could not carry is not there."""
    parts = [
        f"{100 * (1 - min(1.0, max(0.0, one['detail'][0]))):.0f} % in {plane}"
        for plane, one in _by_plane(scene)
        if one["detail"][0] is not None
    ]
    if parts:
        yield f"Not recovered of HR's detail that LR could not carry: {', '.join(parts)}."
    invented = [
        f"{_number(one['invented'])} in {plane}"
        for plane, one in _by_plane(scene)
        if one["invented"] is not None and one["invented"] > max(_SEEN, one["detail"][0] or 0)
    ]
    if invented:
        yield f"More of the detail that is there is invented than recovered: amplitude {', '.join(invented)}."
    moved = [
        f"{plane} {one['shift']:.2f}" for plane, one in _by_plane(scene) if (one["shift"] or 0) > MISPLACED
    ]
    if moved:
        yield (
            f"Warning: SR lies beside HR by {', '.join(moved)} pixels in the mean, which costs PSNR. A wrong "
            "align_corners does that."
        )


def _gained(scene: Scene) -> Iterator[str]:
    """What the run has over bicubic, paired by picture."""
    detail = [
        f"{plane} {one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
        for plane in scene.verdicts
        if (one := scene.against.get(Column("detail", plane))) and one.difference is not None
    ]
    if not detail:
        return
    others = [
        f"{one.column.metric.upper() if one.unit else one.column.metric.split(':')[0].upper()} "
        f"{one.column.plane} {one.difference:+.{2 if one.unit else 4}f}{' ' * bool(one.unit)}{one.unit}"
        for one in scene.against.values()
        if one.column.metric.partition(":")[0] in ("psnr", "lpips")
        and one.column.plane in ("y", "rgb")
        and one.difference is not None
    ]
    more = f"; {', '.join(others)}" if others else ""
    yield f"Against bicubic, paired by picture: detail {', '.join(detail)}{more}."


def _where(scene: Scene) -> Iterator[str]:
    """The pictures with the least presence, on luma where it was scored."""
    plane = "y" if "y" in scene.presence else next(iter(scene.presence), "")
    values = scene.presence.get(plane, {})
    if len(values) > 1:
        least = sorted(values, key=lambda name: values[name])[:_MOST]
        smooth = sum(mark(value) == "over-smoothed" for value in values.values())
        named = ", ".join(f"{name} {values[name]:.2f}" for name in least)
        yield f"Least presence in {plane}: {named}; {smooth} of {len(values)} pictures look over-smoothed."


def _hints(scene: Scene) -> Iterator[str]:
    causes: dict[str, list[str]] = {}
    for plane, one in _by_plane(scene):
        if one["cause"]:
            causes.setdefault(one["cause"], []).append(plane)
    slopes = {plane: _interval(one["slope"]) for plane, one in _by_plane(scene)}
    if planes := causes.get("undertrained"):
        yield (
            f"Hint for {', '.join(planes)}: smoother than a squared error would have it (slope "
            f"{slopes[planes[0]]}). More training, or a stronger model, may bring detail back."
        )
    if planes := causes.get("loss"):
        yield (
            f"Hint for {', '.join(planes)}: as strong as a pixel loss wants it for what the network knows so "
            f"far (slope {slopes[planes[0]]}). Another loss or a stronger model may help, and more training "
            "where validation detail still grows."
        )
    smooth = any(one["verdict"] == "over-smoothed" for one in scene.verdicts.values())
    if smooth and scene.row.scale >= 4:
        yield (
            f"At ×{scene.row.scale} every network trained on pixels is over-smoothed, rightly: compare runs "
            "by their detail and presence (srbench compare)."
        )


def _training(story: Story) -> Iterator[str]:
    """Whether more training still brings texture back."""
    steps = sorted(story.history)
    if len(steps) < 2:
        return
    half = max((step for step in steps if step <= steps[-1] / 2), default=steps[0])
    for scale in sorted(story.history[steps[-1]], reverse=True):
        then, now = (story.history[step].get(scale) for step in (half, steps[-1]))
        if then is None or now is None:
            continue
        trend = "it still grows" if now > 0 and now > _STILL * then else "it grows no more"
        yield (
            f"Detail ×{scale} on {story.validated_on} while training, mean over planes: {then:.3f} at step "
            f"{half:,}, {now:.3f} at step {steps[-1]:,}; {trend}."
        )


def _by_plane(scene: Scene) -> Sequence[tuple[str, Mapping[str, Any]]]:
    return [(plane, scene.verdicts[plane]) for plane in sorted(scene.verdicts, key="rgby".index)]


def _interval(ends: Sequence[float | None], brackets: str = "") -> str:
    """`0.42, 0.36–0.48`, or `0.42 (0.36–0.48)`."""
    mean, low, high = ends
    if mean is None or low is None or high is None:
        return "unknown"
    if brackets:
        return f"{mean:.2f} ({low:.2f}–{high:.2f})"
    return f"{mean:.2f}, {low:.2f}–{high:.2f}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
