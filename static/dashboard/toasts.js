/** Short news at the corner of the page: ours, the server's, and what it refused. */

const SECONDS = 6;
const box = document.getElementById("toasts");
const template = document.getElementById("toast");

/**
 * Say something in passing. What went wrong stays until it is closed.
 * @param {string} text
 * @param {"success"|"info"|"warning"|"danger"} tone
 */
export function toast(text, tone = "info") {
  const notice = template.content.firstElementChild.cloneNode(true);
  notice.classList.replace("tone-info", `tone-${tone}`);
  notice.dataset.tone = tone;
  notice.querySelector("[data-text]").textContent = text;
  box.append(notice);
  expire(notice);
}

/** Say why something was not done: whatever `post` of forms.js threw. */
export function refuse(error) {
  if (error.status === 401) location.reload(); // signed out meanwhile: the page asks to sign in
  else if (error.status === 403 && !error.code) location.reload(); // signed in anew meanwhile: the token is too old
  else if (error.code === "second_factor_needed") location.assign(error.location); // which leads back here
  else toast(error.detail || (error.status ? box.dataset.failed : box.dataset.offline), "danger");
}

function expire(notice) {
  if (["danger", "error"].includes(notice.dataset.tone)) return;
  setTimeout(() => notice.remove(), SECONDS * 1000);
}

/** The refusal in htmx's answer, in the shape that `post` throws. */
function problem(ctx) {
  try {
    return { ...JSON.parse(ctx.text), status: ctx.response.status };
  } catch {
    return { status: ctx.response.status };
  }
}

box.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.parentElement.remove());
document.addEventListener("htmx:response:error", (event) => refuse(problem(event.detail.ctx)));
document.addEventListener("htmx:error", (event) => event.detail.ctx && refuse({}));
for (const notice of box.children) expire(notice);
