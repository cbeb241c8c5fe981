/* Curves of training, and the legend that switches runs in all charts. */
(() => {
  const legend = page.byId("legend");
  if (!legend) return;
  const { xs, charts } = page.data("curves");
  const across = page.bindRadios("across", "across", page.redraw);
  const logX = page.byId("log-x");
  const logY = page.byId("log-y");
  page.bind(logX, "logx", page.redraw);
  page.bind(logY, "logy", page.redraw);

  let plane = null;
  for (const chart of charts) {
    const said = `${chart.title} of ${chart.curves.length} runs over training, on ${chart.on.join(" and ")} pictures`;
    const parent = page.byId(chart.trio ? "trio" : "others");
    const figure = page.chart(parent, chart.title, said, () => {
      const traces = chart.curves.filter(([run]) => page.isOn(run)).map(([run, axis, values]) => {
        const look = page.look(run);
        return {
          type: "scatter", mode: values.length > 60 ? "lines" : "lines+markers", name: page.plain(page.nameOf(run)),
          x: xs[axis][across()], y: values, line: { color: look.colour, dash: look.dash, width: 2 },
          marker: { size: 5, symbol: look.symbol }, connectgaps: false,
          hovertemplate: "%{x}, %{y}<extra>%{fullData.name}</extra>", // plotly leaves out the name of a lone curve
        };
      });
      const isLoss = chart.axis.startsWith("loss");
      return {
        traces,
        layout: page.layout({
          uirevision: `${across()} ${logX.checked} ${logY.checked}`,
          xaxis: { title: { text: across() }, type: logX.checked ? "log" : "linear" },
          yaxis: { title: { text: page.plain(chart.axis) }, type: isLoss && logY.checked ? "log" : "linear" },
        }),
      };
    });
    if (chart.trio && chart.plane !== plane) figure.classList.add("row-start");
    plane = chart.plane;
  }
  if (!charts.some((chart) => !chart.trio)) page.byId("more-curves").hidden = true;

  const drawn = new Set(charts.flatMap((chart) => chart.curves.map(([run]) => run)));
  page.key(page.byId("curves-key"), [...drawn].sort((a, b) => a - b));
  const boxes = page.runs.map((run, at) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    const name = document.createElement("bdi");
    box.type = "checkbox";
    box.checked = page.isOn(at);
    box.addEventListener("change", () => {
      page.switchRun(at, box.checked);
      page.keepRuns();
    });
    name.textContent = run.label;
    label.append(box, " ", page.swatch(at), " ", name);
    if (!drawn.has(at)) label.title = "has no curves";
    legend.append(label);
    return { at, box, label };
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
