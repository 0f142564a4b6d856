/** Keys that do what a click does, and the sheet that lists them. Off in fields, in dialogs and where staff say so. */

const OFF = "confr-shortcuts-off";
const SEQUENCE_MS = 1500;
const help = document.getElementById("help");
const shortcuts = new Map();
let typed = "";
let forget;

/**
 * Make a key, or two in a row ("g r"), do something.
 * @param {string} key as in KeyboardEvent.key, or two of them
 * @param {string} label what it does, translated
 * @param {(event: KeyboardEvent) => void} handler
 */
export function shortcut(key, label, handler) {
  shortcuts.set(key, { label, handler });
  if (help) list(key, label);
}

function list(key, label) {
  const row = help.querySelector("tbody").insertRow();
  const keys = row.insertCell();
  key.split(" ").forEach((each, index) => {
    if (index) keys.append(` ${help.dataset.then} `);
    keys.appendChild(document.createElement("kbd")).textContent = each;
  });
  row.insertCell().textContent = label;
}

function isFree(event) {
  const busy = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
  return !busy && !event.ctrlKey && !event.metaKey && !event.altKey && !document.querySelector("dialog[open]");
}

document.addEventListener("keydown", (event) => {
  if (!isFree(event) || event.key === "Shift" || localStorage.getItem(OFF)) return;
  const found = shortcuts.get(`${typed} ${event.key}`) ?? shortcuts.get(event.key);
  clearTimeout(forget);
  typed = found ? "" : event.key;
  forget = setTimeout(() => (typed = ""), SEQUENCE_MS);
  if (!found) return;
  event.preventDefault();
  found.handler(event);
});

if (help) {
  shortcut("?", help.dataset.help, () => help.showModal());
  const search = document.querySelector('input[type="search"]');
  if (search) shortcut("/", help.dataset.search, () => search.focus());
  for (const link of document.querySelectorAll("[data-shortcut]")) {
    shortcut(link.dataset.shortcut, link.textContent.trim(), () => link.click());
  }
  const on = help.querySelector("[data-shortcuts-on]");
  on.checked = !localStorage.getItem(OFF);
  on.addEventListener("change", () => (on.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1")));
}
