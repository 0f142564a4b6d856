/** The rooms page: choosing rooms, asking what would happen to them, and rows that follow what happens. */

import { connect } from "./live.js";
import { shortcut } from "./shortcuts.js";

const bar = document.getElementById("bulk");
const preview = document.getElementById("preview");
let lastChosen = null;

const list = () => document.getElementById("list");
const boxes = () => [...document.querySelectorAll('input[name="conference"][type="checkbox"]')];

/** Say how many rooms are chosen; only then there is something to do. */
function count() {
  const all = bar.elements.everything.checked;
  const chosen = boxes().filter((box) => box.checked).length;
  const page = bar.querySelector("[data-choose-page]");
  page.checked = chosen > 0 && chosen === boxes().length;
  page.indeterminate = chosen > 0 && !page.checked;
  const { none, some, all: everything } = bar.dataset;
  const text = all ? everything.replace("{count}", list().dataset.count) : chosen ? some.replace("{count}", chosen) : none;
  const told = bar.querySelector("[data-chosen]");
  if (told.textContent !== text) told.textContent = text;
  for (const button of bar.querySelectorAll('[name="verb"]')) button.disabled = !all && !chosen;
}

function choosePage(chosen) {
  for (const box of boxes()) box.checked = chosen;
  bar.elements.everything.checked = false;
  count();
}

/** With the shift key everything between this box and the last one gets the state of this one. */
function chooseUpTo(box) {
  const all = boxes();
  const [first, last] = [all.indexOf(lastChosen), all.indexOf(box)].sort((a, b) => a - b);
  if (first >= 0) for (const each of all.slice(first, last + 1)) each.checked = box.checked;
}

if (bar) {
  document.addEventListener("click", ({ target, shiftKey }) => {
    if (!target.matches?.('input[name="conference"]')) return;
    if (shiftKey) chooseUpTo(target);
    lastChosen = target;
    bar.elements.everything.checked = false;
    count();
  });
  bar.querySelector("[data-choose-page]").addEventListener("change", (event) => choosePage(event.target.checked));
  bar.elements.everything.addEventListener("change", () => {
    for (const box of boxes()) box.checked = false;
    count();
  });
  shortcut("a", bar.dataset.chooseLabel, () => choosePage(!boxes().every((box) => box.checked)));
  count(); // the browser may have kept what was chosen before a reload
}

document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.target === preview) preview.showModal();
  else if (bar) count();
});

if (list()) connect({ scope: list().dataset.scope });
