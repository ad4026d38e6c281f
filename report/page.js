"use strict";
// What report.html does besides showing: it sorts and filters tables, shows one model alone, and marks where the reader
// is. Without this script, the page shows all the same.

const chosenModel = () => document.querySelector("input[name=model]:checked")?.value ?? "";

// A cell's value: a number where the column has numbers. Cells without a value are undefined.
function valueOf(row, place) {
  const cell = row.cells[place];
  const text = cell.dataset.value ?? cell.textContent.trim();
  return text === "" ? undefined : cell.dataset.value === undefined ? text : Number(text);
}

function compare(one, other, sign) {
  if (one === undefined || other === undefined) {
    return (one === undefined) - (other === undefined); // last in both directions
  }
  return sign * (typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true }));
}

// Rows are hidden that are of another model than the chosen one, or that lack a word of the filter.
function filter(part) {
  const words = part.querySelector("input[type=search]").value.toLowerCase().split(/\s+/);
  const rows = [...part.querySelector("tbody").rows];
  for (const row of rows) {
    const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
    const other = chosenModel() && row.dataset.model && row.dataset.model !== chosenModel();
    row.hidden = Boolean(other) || !words.every((word) => text.includes(word));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  part.querySelector("output").textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      heads.forEach((one) => one.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, place), row]);
      rows.sort(([one], [other]) => compare(one, other, sign));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}

const LONG = 8; // rows from which a table can be filtered
const parts = [...document.querySelectorAll(".table")].filter((part) => part.querySelector("table"));
for (const part of parts) {
  makeSortable(part.querySelector("table"));
  part.querySelector(".tools").hidden = part.querySelector("tbody").rows.length < LONG;
  part.querySelector("input").addEventListener("input", () => filter(part));
}

for (const choice of document.querySelectorAll("input[name=model]")) {
  choice.closest("fieldset").hidden = false;
  choice.addEventListener("change", () => {
    for (const figure of document.querySelectorAll("figure[data-model]")) {
      figure.hidden = chosenModel() !== "" && figure.dataset.model !== chosenModel();
    }
    for (const pictures of document.querySelectorAll(".pictures")) {
      pictures.hidden = pictures.querySelector("figure:not([hidden])") === null;
    }
    parts.forEach(filter);
  });
}

// The link to the section that the reader is in: the last one whose beginning is above a third of the window.
const links = [...document.querySelectorAll("nav li a")];
const sections = links.map((link) => document.querySelector(link.hash));
function mark() {
  const passed = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 3).length;
  links.forEach((link) => link.removeAttribute("aria-current"));
  links[Math.max(passed - 1, 0)].setAttribute("aria-current", "true");
}
addEventListener("scroll", mark, { passive: true });
mark();
