/* Tables: sorting by a click on a heading, and filters over the rows and columns of the summary. */
(() => {
  const text = (cell) => cell.textContent.trim();
  const collator = new Intl.Collator(undefined, { numeric: true });

  const sort = (table, at, direction) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, number) => {
      const cell = row.cells[at];
      const value = cell.dataset.v === undefined ? null : Number(cell.dataset.v);
      return { row, number, value, text: value === null ? text(cell) : "" };
    });
    const isNumeric = rows.some((one) => one.value !== null);
    const sign = direction === "descending" ? -1 : 1;
    rows.sort((a, b) => {
      if (!isNumeric) return sign * collator.compare(a.text, b.text) || a.number - b.number;
      if (a.value === null || b.value === null) return (a.value === null) - (b.value === null) || a.number - b.number;
      return sign * (a.value - b.value) || a.number - b.number;
    });
    body.append(...rows.map((one) => one.row));
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[at].setAttribute("aria-sort", direction);
  };

  document.querySelectorAll("table.sortable").forEach((table, number) => {
    const key = `sort${number}`;
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const first = head.classList.contains("number") ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const direction = now === first ? other : first;
        sort(table, at, direction);
        page.set(key, `${at},${direction}`);
      });
    });
    const [at, direction] = page.get(key, "").split(",");
    if (["ascending", "descending"].includes(direction) && table.tHead.rows[0].cells[at]) sort(table, Number(at), direction);
  });

  const form = document.querySelector("form.filters[aria-label='Filters']");
  if (!form) return;
  const selects = [...form.querySelectorAll("select")];
  const search = page.byId("search");
  const blocks = [...document.querySelectorAll("#summary .block")].map((block) => ({
    block,
    heads: [...block.querySelectorAll("thead th")],
    rows: [...block.querySelectorAll("tbody tr")].map((row) => ({
      row, keys: JSON.parse(row.dataset.keys), text: row.textContent.toLowerCase(),
    })),
  }));

  const styles = document.head.appendChild(document.createElement("style"));
  const hideColumns = (wanted) => {
    const rules = [];
    blocks.forEach(({ block, heads }, number) => {
      block.dataset.number = number;
      heads.forEach((head, at) => {
        const isHidden = ["metric", "plane"].some((key) => wanted[key] && head.dataset[key] !== undefined && head.dataset[key] !== wanted[key]);
        if (isHidden) rules.push(`.block[data-number="${number}"] tr > :nth-child(${at + 1})`);
      });
    });
    styles.textContent = rules.length ? `${rules.join(",")}{display:none}` : "";
  };

  const apply = () => {
    const wanted = Object.fromEntries(selects.map((one) => [one.dataset.filter, one.value]));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    let total = 0;
    for (const { block, rows } of blocks) {
      let here = 0;
      for (const { row, keys, text: said } of rows) {
        const fits = Object.entries(keys).every(([key, values]) => !wanted[key] || values.includes(wanted[key]))
          && words.every((word) => said.includes(word));
        if (row.hidden === fits) row.hidden = !fits;
        here += fits;
      }
      block.hidden = here === 0;
      shown += here;
      total += rows.length;
    }
    hideColumns(wanted);
    page.byId("count").textContent = `${shown} of ${total} rows`;
  };
  for (const one of selects) page.bind(one, `f-${one.dataset.filter}`, apply);
  page.bind(search, "search", apply);
  const summary = page.byId("summary");
  const intervals = page.byId("intervals");
  const widen = () => summary.classList.toggle("with-intervals", intervals.checked);
  page.bind(intervals, "intervals", widen);
  widen();
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => {
    for (const one of selects) page.set(`f-${one.dataset.filter}`, null);
    page.set("search", null);
    page.set("intervals", null);
    widen();
    apply();
  }));
  apply();
})();
