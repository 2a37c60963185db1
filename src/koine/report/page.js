"use strict";
// Sorting, filtering and copying. The page is whole without them, so whatever only they need is made here.
// Texts are set as textContent and nothing is read from anywhere but the page: what is data stays text.

const all = (selector, from = document) => [...from.querySelectorAll(selector)];

function tell(text) {
  document.getElementById("said").textContent = text;
}

function make(text, pressed) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", pressed);
  return button;
}

// --- copy: the commands, as they stand ---

async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or an old browser: mark it, and try the old way
    getSelection().selectAllChildren(from);
    if (!document.execCommand("copy")) return tell("Marked; copy it with the keyboard");
  }
  tell("Copied");
}

for (const pre of all("pre")) {
  const button = make("Copy", async () => {
    await copy(pre.textContent, pre);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  pre.after(button);
}

for (const box of all("[popover]")) box.append(make("Close", () => box.hidePopover()));

// A number's own line of the table, rather than all lines of its row.
for (const button of all("td button[popovertarget]")) {
  button.addEventListener("click", () => {
    const box = button.popoverTargetElement;
    box.querySelector("pre span").textContent = button.value;
    box.dataset.of ??= box.ariaLabel;
    box.ariaLabel = `${box.dataset.of}, ${button.value.replaceAll(",", " ").trim()}: ${button.textContent}`;
  });
}

// --- sort: by a column, within each group of rows ---

function key(row, column) {
  const cell = row.cells[column];
  const text = (cell.querySelector(":scope > button, :scope > b, :scope > .name") ?? cell).textContent.trim();
  const plain = text.replaceAll(",", "").replace("−", "-");
  return /^[-+]?\.?\d/.test(plain) ? parseFloat(plain) : text;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1; // what has no number comes last
  return a.localeCompare(b);
}

for (const table of all("table.sort")) {
  const heads = all("thead tr:last-child th", table);
  const bodies = [...table.tBodies].map(body => [body, all("tr:not(.group)", body)]);
  heads.forEach((head, column) => {
    // First with the best on top (numbers from the highest, texts and what is better when lower from the lowest), then the other way, then as before.
    const highest = head.matches(".n, :has(.axis)") && head.dataset.better !== "lower";
    const orders = highest ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
    const button = make("", () => {
      const order = orders[(orders.indexOf(head.getAttribute("aria-sort") ?? "none") + 1) % 3];
      heads.forEach(other => other.removeAttribute("aria-sort"));
      if (order !== "none") head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      for (const [body, rows] of bodies) {
        const keyed = rows.map(row => [key(row, column), row]);
        if (order !== "none") keyed.sort(([a], [b]) => typeof a === typeof b ? sign * compare(a, b) : compare(a, b));
        body.append(...keyed.map(([, row]) => row));
      }
      tell(order === "none" ? "Order as before" : `Sorted by ${button.textContent}, ${order}`);
    });
    button.append(...[...head.childNodes].filter(node => !node.classList?.contains("axis")));
    head.prepend(button);
  });
}

// --- filter: by backbone, strategy, language and script ---

const form = document.getElementById("filter");

for (const row of all(".langs tr[data-lang]")) { // so many rows that what stands in their cells is not said twice
  row.dataset.backbone = row.cells[0].textContent;
  row.dataset.strategy = row.cells[1].textContent;
}

function chosen(name) {
  const values = all(`input[name="${name}"]:checked`, form).map(input => input.value);
  return values.length ? new Set(values) : null;
}

function filter() {
  const scripts = chosen("script");
  let langs = chosen("lang");
  if (scripts) {
    const written = all('input[name="lang"]', form).filter(input => scripts.has(input.dataset.script)).map(input => input.value);
    langs = new Set(written.filter(lang => !langs || langs.has(lang)));
  }
  const wanted = { backbone: chosen("backbone"), strategy: chosen("strategy"), lang: langs };
  for (const one of all("[data-backbone], [data-strategy], [data-lang]", document.querySelector("main"))) {
    one.hidden = Object.entries(wanted).some(([name, values]) => values && name in one.dataset && !values.has(one.dataset[name]));
  }
  for (const table of all("table.heat")) { // a map's columns are languages, too
    const heads = [...table.tHead.rows[0].cells];
    for (const row of table.tBodies[0].rows) heads.forEach((head, i) => { row.cells[i].hidden = head.hidden; });
  }
  for (const group of all("tr.group")) {
    group.hidden = all("tr:not(.group)", group.parentElement).every(row => row.hidden);
  }
  const rows = all("table.sort tbody tr:not(.group)");
  const shown = rows.filter(row => !row.closest("[hidden]"));
  const told = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  form.querySelector("output").textContent = told;
  if (langs) all("details.langs").forEach(folded => { folded.open = true; });
  return told;
}

if (form) {
  form.hidden = false;
  filter();
  form.addEventListener("change", () => tell(`Showing ${filter()}`));
  form.addEventListener("reset", () => setTimeout(() => tell(`Showing ${filter()}`)));
  form.addEventListener("submit", event => event.preventDefault());
}
