/**
 * Lists whose rows can be chosen. A row's checkbox belongs to a form (`form="…"`); `data-choose-all` ticks all of a
 * form, `data-for-chosen` buttons are enabled while something is chosen, and a dialog that one of them opens lists in
 * its `[data-chosen]` what it is about to happen to.
 */

const boxes = (form) => [...document.querySelectorAll(`input[type="checkbox"][form="${form}"]`)];
const chosen = (form) => boxes(form).filter((box) => box.checked);

function refresh() {
  for (const button of document.querySelectorAll("[data-for-chosen]")) {
    button.disabled = !chosen(button.dataset.forChosen).length;
  }
  for (const all of document.querySelectorAll("[data-choose-all]")) {
    const [count, most] = [chosen(all.dataset.chooseAll).length, boxes(all.dataset.chooseAll).length];
    all.checked = most > 0 && count === most;
    all.indeterminate = count > 0 && count < most;
  }
}

document.addEventListener("change", ({ target }) => {
  if (target.dataset.chooseAll) for (const box of boxes(target.dataset.chooseAll)) box.checked = target.checked;
  refresh();
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-for-chosen][data-opens]");
  if (!button) return;
  const list = document.getElementById(button.dataset.opens).querySelector("[data-chosen]");
  const items = chosen(button.dataset.forChosen).map((box) => {
    const item = document.createElement("li");
    item.textContent = box.dataset.label;
    return item;
  });
  list.replaceChildren(...items);
});

document.addEventListener("htmx:after:swap", refresh);
refresh();
