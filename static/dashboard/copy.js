/** Buttons that copy the value of a field: `data-copies` names it, `data-copied` is what the button says then. */

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copies]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copies);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    return; // the browser gives no clipboard away (plain http): the text is selected, for a key press
  }
  button.querySelector("[data-label]").textContent = button.dataset.copied;
});
