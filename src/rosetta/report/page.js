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
    if (drawing.axis === "seconds" && layout[key].title.text === "samples trained on") {
      layout[key].title = { ...layout[key].title, text: "seconds trained" };
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

function setUpPlot(plot) {
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

// The header sorts the other way at every click, its neighbours no longer do.
function turn(header, neighbours) {
  const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of neighbours) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  return direction;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.querySelectorAll("thead th")];
  headers.forEach((header, column) => {
    header.querySelector("button")?.addEventListener("click", () => {
      const direction = turn(header, headers);
      const key = (row) => row.cells[column].dataset.sort ?? "";
      const rows = [...table.tBodies[0].rows].sort((a, b) => compare(key(a), key(b), direction));
      table.tBodies[0].append(...rows);
    });
  });
}

// The matrix of workloads (rows) and contenders (columns, which keep their number wherever they stand).
function setUpMatrix(table, controls) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const columns = [...table.querySelectorAll("thead [data-column]")];
  const rowHeaders = rows.map((row) => row.cells[0]);
  const restore = controls.querySelector(".restore");
  const cellOf = (row, column) => row.querySelector(`[data-column="${column.dataset.column}"]`);
  const key = (row, column) => cellOf(row, column).dataset.sort;
  const arrangeColumns = (order) => {
    for (const row of table.rows) row.append(...order.map((column) => cellOf(row, column)));
  };
  controls.hidden = false;

  for (const column of columns) {
    column.querySelector("button").addEventListener("click", () => {
      const direction = turn(column, columns);
      body.append(...[...rows].sort((a, b) => compare(key(a, column), key(b, column), direction)));
      restore.disabled = false;
    });
  }
  rows.forEach((row, index) => {
    rowHeaders[index].querySelector("button").addEventListener("click", () => {
      const direction = turn(rowHeaders[index], rowHeaders);
      arrangeColumns([...columns].sort((a, b) => compare(key(row, a), key(row, b), direction)));
      restore.disabled = false;
    });
  });
  restore.addEventListener("click", () => {
    body.append(...rows);
    arrangeColumns(columns);
    for (const header of [...columns, ...rowHeaders]) header.removeAttribute("aria-sort");
    restore.disabled = true;
  });

  for (const group of controls.querySelectorAll("[data-filter]")) {
    const boxes = [...group.querySelectorAll("input")];
    const every = group.querySelector(".every");
    const apply = () => {
      for (const box of boxes) {
        const found = table.querySelectorAll(`[data-${group.dataset.filter}="${box.value}"]`);
        for (const element of found) element.hidden = !box.checked;
      }
      every.textContent = boxes.every((box) => box.checked) ? "none" : "all";
    };
    group.addEventListener("change", apply);
    every.addEventListener("click", () => {
      const checked = every.textContent === "all";
      for (const box of boxes) box.checked = checked;
      apply();
    });
  }
}

// A cell's title has its figures, "label: value" a line; here they become a table that the keyboard reaches too.
function setUpDetails(table, tip) {
  let waiting;
  let shown = null;
  const keep = () => clearTimeout(waiting);
  const hide = () => {
    keep();
    tip.hidden = true;
    shown = null;
  };
  const hideSoon = () => {
    keep();
    waiting = setTimeout(hide, 150); // time to move the pointer onto the figures
  };
  const place = () => {
    if (shown === null) return;
    const around = shown.getBoundingClientRect();
    const { clientWidth, clientHeight } = document.documentElement;
    const above = around.bottom + tip.offsetHeight > clientHeight && around.top > tip.offsetHeight;
    tip.style.left = `${Math.max(8, Math.min(around.left, clientWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${above ? around.top - tip.offsetHeight : around.bottom}px`;
  };
  const show = (cell) => {
    keep();
    const [heading, ...lines] = cell.dataset.details.split("\n");
    const name = document.createElement("strong");
    const figures = document.createElement("dl");
    name.textContent = heading;
    for (const line of lines) {
      const colon = line.indexOf(": ");
      for (const [kind, text] of [["dt", line.slice(0, colon)], ["dd", line.slice(colon + 2)]]) {
        figures.append(Object.assign(document.createElement(kind), { textContent: text }));
      }
    }
    tip.replaceChildren(name, figures);
    tip.hidden = false;
    shown = cell;
    place();
  };
  for (const cell of table.querySelectorAll("td[title]")) {
    cell.dataset.details = cell.title;
    cell.removeAttribute("title");
    cell.setAttribute("aria-describedby", tip.id);
    cell.addEventListener("pointerenter", () => show(cell));
    cell.addEventListener("pointerleave", hideSoon);
    cell.addEventListener("focus", () => show(cell));
    cell.addEventListener("blur", hide);
  }
  tip.addEventListener("pointerenter", keep);
  tip.addEventListener("pointerleave", hideSoon);
  addEventListener("scroll", place, { capture: true, passive: true });
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

const matrix = document.querySelector("table.matrix");
if (matrix) {
  setUpMatrix(matrix, document.querySelector(".controls"));
  setUpDetails(matrix, document.querySelector("#details"));
}

for (const select of document.querySelectorAll(".pane select")) {
  select.addEventListener("change", () => {
    const templates = [...select.closest(".code").querySelectorAll("template")];
    const chosen = templates.find((template) => template.dataset.framework === select.value);
    select.closest(".pane").querySelector("code").replaceChildren(chosen.content.cloneNode(true));
  });
}

// One after the other, so that a page of many figures answers while they are drawn.
async function drawAll() {
  for (const plot of document.querySelectorAll(".plot")) {
    setUpPlot(plot);
    await new Promise((resume) => setTimeout(resume));
  }
}

drawAll();
