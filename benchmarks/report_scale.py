"""`srbench report` of a store of 200 runs: seconds to build, bytes, and seconds to open in a browser.

    python benchmarks/report_scale.py [--runs 200] [--keep FILE]

The runs are those of `table_scale.py`, 6,400 scores each, with a history of 100 evaluations at two scales.
The browser is Chromium through Playwright (the extra `browser`); without either, only building is measured.

Opened is when the load event has fired and the first curves are drawn; then a table is sorted, filtered and
searched, and all runs are switched on. Goals for 200 runs: built in 60 s on 2 cores, opened in 3 s, under
15 MB.
"""

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from table_scale import stored_runs

from srbench.files import canonical_json
from srbench.store.layout import RunPaths

EVALUATIONS = 100


def main() -> None:
    """Print a line a figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the page there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="srbench-report-") as folder:
        root, page = Path(folder) / "results", Path(folder) / "report.html"
        for name in islice(stored_runs(root), arguments.runs):
            write_history(RunPaths(root / name))
        line = [sys.executable, "-m", "srbench", "-q", "report", "-o", str(page), "--results", str(root)]
        began = time.perf_counter()
        subprocess.run(line, check=True, capture_output=True)
        size = page.stat().st_size
        print(f"{arguments.runs} runs: built in {time.perf_counter() - began:.1f} s, {size / 1e6:.1f} MB")
        if arguments.keep:
            shutil.copyfile(page, arguments.keep)
        open_in_browser(page)


def write_history(paths: RunPaths) -> None:
    """Curves of losses, PSNR and detail that rise and level off."""
    if not paths.timings.exists():  # bicubic
        return
    shift = sum(map(ord, paths.id)) % 100 / 50
    history, timings = [], []
    for number in range(1, EVALUATIONS + 1):
        step, rise = number * 10, math.log(number)
        psnr = {plane: 24 + at / 2 + rise / 2 + shift for at, plane in enumerate("rgby")}
        detail = dict.fromkeys("rgby", 0.05 * rise + shift / 50)
        history.append(
            {
                "step": step, "epoch": step / 27, "on": "val",
                "loss": dict.fromkeys("rgb", 0.1 / number**0.3 + shift / 100),
                "psnr": {"2": psnr, "4": psnr}, "detail": {"2": detail, "4": detail},
            }
        )  # fmt: skip
        timings.append({"step": step, "elapsed_s": 3.0 * step + shift})
    paths.history.write_text("".join(canonical_json(one) + "\n" for one in history), encoding="utf-8")
    paths.timings.write_text("".join(canonical_json(one) + "\n" for one in timings), encoding="utf-8")


def open_in_browser(page: Path) -> None:
    """Print how long it takes to open and to use."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("not opened: the extra browser is not installed")
        return
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("not opened: there is no Chromium here")
        return
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.perf_counter()
        tab.goto(page.as_uri())
        load = time.perf_counter() - began
        print(f"load event after {load:.2f} s")
        tab.evaluate("document.getElementById('curves').scrollIntoView({behavior: 'instant'})")
        tab.locator("#trio .plot .trace").first.wait_for()
        print(f"first curves drawn after {time.perf_counter() - began:.2f} s")
        measured(tab, "sort a column", "document.querySelector('#summary th.number button').click()")
        measured(tab, "choose a metric", _CHOOSE)
        measured(tab, "search", _SEARCH)
        measured(tab, "all runs in the charts in sight", "document.getElementById('runs-all').click()")
        browser.close()


_CHOOSE = """(() => {
  const one = document.querySelector('[data-filter="metric"]');
  one.selectedIndex = 1;
  one.dispatchEvent(new Event("change"));
})()"""
_SEARCH = """(() => {
  const one = document.getElementById("search");
  one.value = "edsr";
  one.dispatchEvent(new Event("input"));
})()"""


def measured(tab: "object", what: str, script: str) -> None:
    """Print seconds until the page has been painted again."""
    seconds = tab.evaluate(  # type: ignore[attr-defined]
        f"""async () => {{
          const began = performance.now();
          {script};
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          return (performance.now() - began) / 1000;
        }}"""
    )
    print(f"{what}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
