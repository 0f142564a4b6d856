/** The console's dialogs: each holds the form of one act, `data-act`, whose fields are the act's body. */

import { fill, texts } from "../texts.js";

/**
 * Ask for what an act needs, and do it.
 * @param {string} id of the dialog
 * @param {object} fixed what of the body is known already
 * @param {string} subject whom or what it is about, in the dialog's title
 * @param {(act: string, body: object) => void} run
 */
export function ask(id, fixed, subject, run) {
  const dialog = document.getElementById(id);
  const form = dialog.querySelector("form");
  form.reset();
  for (const place of dialog.querySelectorAll("[data-subject]")) place.textContent = subject;
  form.onsubmit = (event) => {
    event.preventDefault();
    dialog.close();
    const { act = form.dataset.act, ...wish } = body(form);
    run(act, { ...wish, ...fixed });
  };
  const before = document.activeElement;
  dialog.addEventListener("close", () => before?.isConnected && before.focus(), { once: true });
  dialog.showModal();
}

/** The fields of a form as JSON: lists, choices of several, and yes or no are what they are; what is empty is left out. */
export function body(form) {
  const found = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
    if (field.type === "checkbox" && field.hasAttribute("value")) {
      found[field.name] = [...(found[field.name] ?? []), ...(field.checked ? [field.value] : [])];
    } else if (field.type === "checkbox") {
      found[field.name] = field.checked;
    } else if (field.value !== "") {
      found[field.name] = valueOf(field);
    }
  }
  return found;
}

function valueOf(field) {
  if (field.dataset.list !== undefined) return lines(field.value);
  return field.dataset.yesNo === undefined ? field.value : field.value === "true";
}

const lines = (text) => text.split(/[\n,]/).map((name) => name.trim()).filter(Boolean);

/** Names for a title: a few in full, of more the number. */
export function people(members) {
  if (members.length <= 3) return members.map((member) => member.nickName || member.name).join(", ");
  return fill(texts.several, { count: members.length });
}

/** Show an invitation: its link, its picture, and a way to copy it. */
export function showInvitation({ link, qr, expiresAt }) {
  const dialog = document.getElementById("invitation");
  dialog.querySelector("img").src = qr;
  dialog.querySelector("input").value = link;
  dialog.querySelector("[data-expires]").textContent = new Date(expiresAt).toLocaleString(document.documentElement.lang);
  const copy = dialog.querySelector("[data-copy]");
  copy.textContent = copy.dataset.copy;
  copy.onclick = async () => {
    dialog.querySelector("input").select();
    await navigator.clipboard?.writeText(link);
    copy.textContent = copy.dataset.copied;
  };
  dialog.showModal();
}
