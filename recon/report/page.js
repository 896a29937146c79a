"use strict";
// Rows of views: sorting by a column, opening one to look at, and wiping between two pictures.
const table = document.querySelector("table.views");
if (table) {
  const body = table.tBodies[0];
  const value = (row, column) => column === 0 ? row.cells[0].textContent
    : parseFloat(row.cells[column].dataset.value ?? "NaN");
  const sort = (column, descending) => {
    const rows = [...body.querySelectorAll("tr.view")];
    rows.sort((a, b) => {
      const x = value(a, column), y = value(b, column);
      if (column === 0) return descending ? y.localeCompare(x) : x.localeCompare(y);
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
      return descending ? y - x : x - y;
    });
    for (const row of rows) {
      const more = row.nextElementSibling;
      body.append(row);
      if (more?.classList.contains("more")) body.append(more);
    }
  };
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    // Open rows move with theirs only while they stand right behind them, so gather pairs first.
    sort(head.cellIndex, descending);
  });
  const toggle = (row) => {
    const open = row.getAttribute("aria-expanded") === "true";
    row.setAttribute("aria-expanded", String(!open));
    if (open) { row.nextElementSibling.remove(); return; }
    const more = document.getElementById(row.dataset.more).content.firstElementChild.cloneNode(true);
    row.after(more);
    wipes(more);
  };
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr.view");
    if (row) toggle(row);
  });
  body.addEventListener("keydown", (event) => {
    if (event.target.matches("tr.view") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      toggle(event.target);
    }
  });
}
function wipes(more) {
  const pictures = [...more.querySelectorAll(".pictures img")];
  const [below, above] = more.querySelectorAll(".wipe img");
  const choices = more.querySelectorAll(".wipes select");
  const show = () => {
    below.src = pictures[choices[0].selectedIndex].src;
    above.src = pictures[choices[1].selectedIndex].src;
  };
  choices[0].selectedIndex = 0;
  choices[1].selectedIndex = Math.min(1, pictures.length - 1);
  for (const choice of choices) choice.addEventListener("change", show);
  const slider = more.querySelector(".wipe input");
  slider.addEventListener("input", () => more.querySelector(".wipe").style.setProperty("--at", slider.value + "%"));
  show();
}
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("code").textContent;
    try { await navigator.clipboard.writeText(text); button.textContent = "copied"; }
    catch { getSelection().selectAllChildren(button.parentElement.querySelector("code")); button.textContent = "selected: press Ctrl-C"; }
  });
}
