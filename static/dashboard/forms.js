/** What forms and dialogs of every page do: posts that say what happened, dialogs that open and close. */

const token = document.querySelector('meta[name="csrf-token"]').content;

/**
 * Post JSON to an address of ours.
 * @param {string} url
 * @param {object} data
 * @returns {Promise<object>} the answer; empty when there is none
 * @throws {{status: number, code: string, title: string, detail: string}} a refusal; without status: no answer
 */
export async function post(url, data = {}) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": token },
      body: JSON.stringify(data),
    });
  } catch {
    throw { code: "offline" };
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw { ...answer, status: response.status };
  return answer;
}

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  if (ctx.request.method !== "GET") ctx.request.headers["X-CSRFToken"] = token;
});

let pressed; // where the click began: who selects text and lets go elsewhere has not clicked there

document.addEventListener("pointerdown", (event) => {
  pressed = event.target;
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  const closer = event.target.closest("[data-closes]");
  if (closer) closer.closest("dialog").close();
  if (event.target === pressed && isBeside(event)) event.target.close();
});

/** Whether a click is beside the open dialog: what lies behind that belongs to it, as its padding does. */
function isBeside({ target, clientX, clientY }) {
  if (!(target instanceof HTMLDialogElement)) return false;
  const { left, right, top, bottom } = target.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

document.addEventListener("submit", ({ target: form, submitter }) => {
  const pressed = submitter ?? form.querySelector("button:not([type=button])");
  if (form.method === "post" && pressed) setTimeout(() => pressed.setAttribute("aria-disabled", "true"));
});

document.querySelector("dialog[data-open]")?.showModal(); // the server has something to say about its form
