// Small helpers for the DOM. Texts go in as text, never as HTML.

export const byId = (id) => document.getElementById(id);

/** `element('button', {class: 'danger'}, 'Remove')`; functions become listeners: `{click: …}`. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => {
    if (typeof value === 'function') made.addEventListener(key, value);
    else if (value !== false) made.setAttribute(key, value === true ? '' : value);
  });
  made.append(...children);
  return made;
}

export function show(id, isShown) {
  byId(id).hidden = !isShown;
}

/** Fill in whatever says `data-text` or `data-role`. */
export function translate(texts) {
  document.querySelectorAll('[data-text]').forEach((each) => (each.textContent = texts[each.dataset.text]));
  document.querySelectorAll('[data-role]').forEach((each) => (each.textContent = texts.roleNames[each.dataset.role]));
}
