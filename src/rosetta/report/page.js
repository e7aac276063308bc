"use strict";

// Figures name their colours "@accent", "@c0" …; the style sheet decides what these are in light and in dark.
function resolve(value) {
  if (typeof value === "string" && value.startsWith("@")) {
    return getComputedStyle(document.documentElement).getPropertyValue("--" + value.slice(1)).trim();
  }
  if (Array.isArray(value)) return value.map(resolve);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item)]));
  }
  return value;
}

const drawings = [];

function draw(drawing) {
  const { plot, figure } = drawing;
  const data = figure.data.map(({ meta, ...trace }) => ({
    ...trace,
    ...(meta ? { x: meta[drawing.axis] } : {}),
    ...resolve({ marker: trace.marker ?? {}, line: trace.line ?? {}, error_x: trace.error_x ?? {} }),
    visible: drawing.hidden.has(trace.name) ? "legendonly" : true,
  }));
  const { height, ...layout } = resolve(figure.layout);
  const ink = resolve("@ink");
  const grid = resolve("@grid");
  for (const key of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    layout[key] = { gridcolor: grid, linecolor: grid, tickfont: { color: resolve("@quiet") }, ...layout[key] };
    if (drawing.axis && key.startsWith("x")) {
      layout[key].title = { ...layout[key].title, text: drawing.axis === "samples" ? "samples trained on" : "seconds trained" };
    }
  }
  Object.assign(layout, {
    height,
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: ink },
    hoverlabel: { bgcolor: resolve("@raised"), bordercolor: grid, font: { color: ink } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: resolve("@quiet"), activecolor: ink },
  });
  const config = { responsive: true, displayModeBar: false };
  return Plotly.react(plot, data, layout, config);
}

for (const plot of document.querySelectorAll(".plot")) {
  const figure = JSON.parse(plot.parentElement.querySelector("script").textContent);
  const switches = plot.parentElement.querySelectorAll("[data-axis]");
  const drawing = { plot, figure, axis: switches.length ? "samples" : null, hidden: new Set() };
  drawings.push(drawing);
  draw(drawing);
  plot.on("plotly_restyle", () => {
    drawing.hidden = new Set(plot.data.filter((trace) => trace.visible === "legendonly").map((trace) => trace.name));
  });
  for (const button of switches) {
    button.addEventListener("click", () => {
      drawing.axis = button.dataset.axis;
      for (const other of switches) other.setAttribute("aria-pressed", String(other === button));
      draw(drawing);
    });
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawings.forEach(draw));

// Cells without a value go last, whichever way the column is sorted.
function compare(a, b, direction) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const order = Number(a) - Number(b);
  return direction * (Number.isNaN(order) ? a.localeCompare(b, undefined, { numeric: true }) : order);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.querySelectorAll("thead th")];
  headers.forEach((header, column) => {
    header.querySelector("button")?.addEventListener("click", () => {
      const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.sort ?? "";
      const rows = [...table.tBodies[0].rows].sort((a, b) => compare(key(a), key(b), direction));
      table.tBodies[0].append(...rows);
    });
  });
}

for (const select of document.querySelectorAll(".pane select")) {
  select.addEventListener("change", () => {
    const templates = [...select.closest(".code").querySelectorAll("template")];
    const chosen = templates.find((template) => template.dataset.framework === select.value);
    select.closest(".pane").querySelector("code").replaceChildren(chosen.content.cloneNode(true));
  });
}
