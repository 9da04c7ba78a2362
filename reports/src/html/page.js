"use strict";
// What the page does beyond being read: the numbers of an instant in every chart at once, the filter of requests, and
// the button that copies. Everything it tells stands in the page's tables already.
(() => {
  const charts = [...document.querySelectorAll("figure.chart")].map((figure) => {
    const svg = figure.querySelector("svg");
    const [left, right, until] = figure.dataset.plot.split(" ").map(Number);
    const title = svg.querySelector("title");
    // As an attribute, or the browser would show it over the numbers.
    svg.setAttribute("aria-label", title.textContent);
    svg.removeAttribute("aria-labelledby");
    title.remove();
    const read = document.createElement("p");
    read.className = "read";
    svg.after(read);
    const cursor = document.createElementNS(svg.namespaceURI, "line");
    cursor.setAttribute("class", "cursor");
    cursor.setAttribute("y1", "26");
    cursor.setAttribute("y2", "204");
    cursor.setAttribute("visibility", "hidden");
    svg.append(cursor);
    return { figure, svg, left, right, until, step: 0, read, cursor, table: null };
  });
  const figures = (chart) => {
    if (!chart.table) {
      const table = chart.figure.querySelector("table");
      chart.titles = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
      chart.table = table.tBodies[0].rows;
      chart.step = chart.table.length > 1
        ? parseFloat(chart.table[1].cells[0].textContent) - parseFloat(chart.table[0].cells[0].textContent)
        : Number(chart.figure.dataset.window);
    }
    return chart.table;
  };
  let now = null;
  const show = (at) => {
    now = at;
    for (const chart of charts) {
      const rows = figures(chart);
      const x = chart.left + (at / chart.until) * (chart.right - chart.left);
      const row = rows[Math.min(rows.length - 1, Math.floor(at / chart.step + 1e-9))];
      chart.cursor.setAttribute("x1", x);
      chart.cursor.setAttribute("x2", x);
      chart.cursor.setAttribute("visibility", row ? "visible" : "hidden");
      chart.read.replaceChildren();
      if (!row) continue;
      const cells = [...row.cells].map((cell) => cell.textContent);
      const instant = document.createElement("b");
      instant.textContent = cells[0];
      const told = cells.slice(1).map((text, i) => chart.titles[i] + " " + text);
      chart.read.append(instant, "  " + told.join(" · "));
    }
  };
  const hide = () => {
    now = null;
    for (const chart of charts) {
      chart.cursor.setAttribute("visibility", "hidden");
      chart.read.replaceChildren();
    }
  };
  for (const chart of charts) {
    const point = (event) => {
      const box = chart.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * chart.svg.viewBox.baseVal.width;
      const share = (x - chart.left) / (chart.right - chart.left);
      if (share >= 0 && share <= 1) show(share * chart.until);
    };
    chart.svg.addEventListener("pointermove", point);
    chart.svg.addEventListener("pointerdown", point);
    chart.svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
    chart.svg.tabIndex = 0;
    chart.svg.addEventListener("keydown", (event) => {
      figures(chart);
      const far = event.shiftKey ? 10 : 1;
      const to = { ArrowRight: far, ArrowLeft: -far }[event.key];
      const end = { Home: 0, End: chart.until - chart.step / 2 }[event.key];
      if (event.key === "Escape") return hide();
      if (to === undefined && end === undefined) return;
      event.preventDefault();
      const next = end !== undefined ? end : now === null ? 0 : now + to * chart.step;
      chart.read.setAttribute("aria-live", "polite");
      show(Math.max(0, Math.min(chart.until, next)));
    });
    chart.svg.addEventListener("blur", () => chart.read.removeAttribute("aria-live"));
  }

  for (const filter of document.querySelectorAll(".filter")) {
    const rows = [...filter.parentElement.querySelectorAll("[data-kind]")];
    const [kind, words] = [filter.querySelector("select"), filter.querySelector("input")];
    const count = filter.querySelector("output");
    const narrow = () => {
      const wanted = words.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fits = (kind.value === "" || row.dataset.kind === kind.value)
          && (wanted === "" || row.textContent.toLowerCase().includes(wanted));
        row.hidden = !fits;
        if (fits && row.tagName === "TR") shown += 1;
      }
      count.textContent = shown + " shown";
    };
    kind.addEventListener("input", narrow);
    words.addEventListener("input", narrow);
    filter.hidden = false;
  }

  for (const button of document.querySelectorAll("button[data-copies]")) {
    const source = document.getElementById(button.dataset.copies);
    const said = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      let copied = true;
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        const range = document.createRange();
        range.selectNodeContents(source);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        copied = document.execCommand("copy");
      }
      button.textContent = copied ? "Copied" : "Selected: press Ctrl+C";
      setTimeout(() => { button.textContent = said; }, 2000);
    });
  }

  // Paper does not unfold: everything is printed but the figures of the charts. Newer browsers are told by the style.
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details:not(.figures):not([open])")];
    for (const folded of unfolded) folded.open = true;
  });
  addEventListener("afterprint", () => {
    for (const folded of unfolded) folded.open = false;
    unfolded = [];
  });

  // A link to what is folded away unfolds it.
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const folded = target && target.closest("details");
    if (folded) folded.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
