/* The legend that switches runs in all charts; baselines are always drawn. */
(() => {
  const legend = page.byId("legend");
  if (!legend) return;
  const boxes = page.runs.flatMap((run, at) => {
    if (run.baseline) return [];
    const label = document.createElement("label");
    const box = document.createElement("input");
    const name = document.createElement("bdi");
    box.type = "checkbox";
    box.value = at;
    box.checked = page.isOn(at);
    box.addEventListener("change", () => {
      page.switchRun(at, box.checked);
      page.keepRuns();
    });
    name.textContent = run.label;
    label.append(box, " ", page.swatch(at), " ", name);
    legend.append(label);
    return [{ at, box, label }];
  });
  const all = (isOn) => () => {
    for (const { at, box, label } of boxes) {
      if (label.hidden) continue;
      box.checked = isOn;
      page.switchRun(at, isOn);
    }
    page.keepRuns();
  };
  page.byId("runs-all").addEventListener("click", all(true));
  page.byId("runs-none").addEventListener("click", all(false));
  const find = page.byId("find-run");
  find.addEventListener("input", () => {
    const wanted = find.value.toLowerCase();
    for (const { label } of boxes) label.hidden = !label.textContent.toLowerCase().includes(wanted);
  });
})();
