/* PSNR against how real SR looks, with intervals, names and the Pareto front. */
(() => {
  const parent = page.byId("trade-charts");
  if (!parent) return;
  const MOST_NAMED = 16;
  const bars = (points, at, ends) => ({
    type: "data", symmetric: false, thickness: 1, width: 3,
    array: points.map((one) => one[ends][1] - one.at[at]),
    arrayminus: points.map((one) => one.at[at] - one[ends][0]),
  });
  for (const panel of page.data("trade")) {
    const said = `${panel.upwards} against ${panel.across} of ${panel.points.length} runs; the table below has the values`;
    page.chart(parent, panel.title, said, () => {
      const isNamed = (one, at) => one.baseline || panel.points.length <= MOST_NAMED || panel.front.includes(at);
      const traces = panel.points.flatMap((one, at) => {
        if (!page.isOn(one.run) && !one.baseline) return [];
        const look = page.look(one.run);
        const isRight = one.at[0] > panel.points.reduce((sum, other) => sum + other.at[0], 0) / panel.points.length;
        return [{
          type: "scatter", mode: isNamed(one, at) ? "markers+text" : "markers", name: page.plain(one.label),
          x: [one.at[0]], y: [one.at[1]], text: [page.plain(one.label)],
          textposition: `${at % 2 ? "bottom" : "top"} ${isRight ? "left" : "right"}`,
          marker: { size: 9, color: one.baseline ? page.colour("ink") : look.colour, symbol: one.baseline ? "star" : look.symbol },
          error_x: { ...bars([one], 0, "x"), color: look.colour }, error_y: { ...bars([one], 1, "y"), color: look.colour },
          hovertemplate: "%{x:.3f}, %{y:.4f}<extra>%{fullData.name}</extra>",
        }];
      });
      const front = panel.front.map((at) => panel.points[at]);
      traces.unshift({
        type: "scatter", mode: "lines", name: "Pareto front", hoverinfo: "skip",
        x: front.map((one) => one.at[0]), y: front.map((one) => one.at[1]),
        line: { dash: "dot", color: page.colour("faint"), width: 2 },
      });
      return {
        traces,
        layout: page.layout({
          xaxis: { title: { text: page.plain(panel.across) } },
          yaxis: { title: { text: page.plain(panel.upwards) }, autorange: panel.better === "lower" ? "reversed" : true },
        }),
      };
    }, "tall");
  }
})();
