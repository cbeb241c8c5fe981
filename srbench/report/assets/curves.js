/* Curves of training. */
(() => {
  if (!page.byId("trio")) return;
  const { xs, charts } = page.data("curves");
  const across = page.bindRadios("across", "across", page.redraw);
  for (const one of document.querySelectorAll("input[name='across']")) {
    one.disabled = xs.every((axes) => axes[one.value].every((value) => value === null)); // was not noted
  }
  const logX = page.byId("log-x");
  const logY = page.byId("log-y");
  page.bind(logX, "logx", page.redraw);
  page.bind(logY, "logy", page.redraw);

  let plane = null;
  for (const chart of charts) {
    const said = `${chart.title} of ${chart.curves.length} runs over training, on ${chart.on} pictures`;
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
})();
