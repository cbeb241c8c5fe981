/* Radial power by plane with LR's Nyquist frequency, and the share of detail by octave. */
(() => {
  const parent = page.byId("spectra-charts");
  if (!parent) return;
  const NAMES = { r: "red", g: "green", b: "blue", y: "luma" };
  const scenes = page.data("spectra");
  const shown = scenes.flatMap(({ planes }) => Object.values(planes).flatMap(({ power }) => power.map(([run]) => run)));
  page.key(page.byId("spectra-key"), [...new Set(shown)]);
  for (const scene of scenes) {
    const over = `${scene.title}, mean of ${scene.pictures.length} pictures`;
    for (const [plane, { power, octaves }] of Object.entries(scene.planes)) {
      const figure = page.chart(parent, `Power in ${NAMES[plane]} · ${over}`, `Radial power in ${NAMES[plane]} of HR, bicubic and the runs`, () => ({
        traces: power.filter(([run]) => page.isOn(run)).map(([run, x, y]) => {
          const look = page.look(run);
          return { type: "scatter", mode: "lines", name: page.plain(page.nameOf(run)), x, y, line: { color: look.colour, dash: look.dash, width: run === "HR" ? 3 : 2 } };
        }),
        layout: page.layout({
          xaxis: { title: { text: "cycles a pixel of HR" }, range: [0, 0.51] },
          yaxis: { title: { text: "power" }, type: "log", exponentformat: "power" },
          shapes: [{ type: "line", x0: scene.nyquist, x1: scene.nyquist, y0: 0, y1: 1, yref: "paper", line: { color: page.colour("faint"), dash: "dash", width: 1 } }],
          annotations: [{ x: scene.nyquist, y: 1, yref: "paper", text: "Nyquist of LR", showarrow: false, xanchor: "left", yanchor: "top" }],
        }),
      }));
      figure.classList.add("row-start");
      page.chart(parent, `Detail recovered in ${NAMES[plane]}, by octave`, `Share of HR's detail recovered in ${NAMES[plane]} by octave; the table below has the values`, () => {
        const runs = [...new Set(octaves.map(([run]) => run))].filter(page.isOn);
        return {
          traces: runs.map((run) => {
            const look = page.look(run);
            const mine = octaves.filter(([one]) => one === run);
            return {
              type: "bar", name: page.plain(page.nameOf(run)), marker: { color: look.colour, pattern: { shape: look.pattern } },
              x: mine.map(([, low, high]) => `${Number(low.toFixed(3))} to ${Number(high.toFixed(3))}`), y: mine.map((one) => one[3]),
            };
          }),
          layout: page.layout({ xaxis: { title: { text: "cycles a pixel of HR" }, type: "category" }, yaxis: { title: { text: "share of HR's detail" } }, barmode: "group" }),
        };
      });
    }
  }
})();
