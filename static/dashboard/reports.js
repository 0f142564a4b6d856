/** The replay of a report: buttons that move the slider; the server says what the room was at that moment. */

const STEP_MS = 600;
const scrubber = document.getElementById("scrubber");
let playing = false;
let next;

function moveTo(seq) {
  scrubber.value = seq; // the browser keeps it within the slider
  scrubber.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Go on by itself: the next step comes when the last one is shown, however slow the way to the server is. */
function play(on) {
  clearTimeout(next);
  playing = on;
  const button = document.querySelector("[data-playing]");
  const { play: toPlay, pause } = button.closest("[data-play]").dataset;
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? pause : toPlay;
  if (on) forward();
}

function forward() {
  if (scrubber.valueAsNumber >= Number(scrubber.max)) play(false);
  else moveTo(scrubber.valueAsNumber + 1);
}

/** The slider's value in words, and the current row in sight of its own list. */
function tell() {
  const moment = document.getElementById("moment");
  scrubber.setAttribute("aria-valuetext", `${moment.dataset.seq}, ${moment.dataset.at}`);
  const row = moment.querySelector('[aria-current="true"]');
  const box = moment.querySelector(".replay-events");
  if (row) box.scrollTop = row.offsetTop - box.clientHeight / 2;
}

if (scrubber) {
  document.addEventListener("click", ({ target }) => {
    const step = target.closest("[data-step]");
    const goto = target.closest("[data-goto]");
    if (step) moveTo(scrubber.valueAsNumber + Number(step.dataset.step));
    if (goto) moveTo(Number(goto.dataset.goto));
    if (target.closest("[data-playing]")) play(!playing);
  });
  document.addEventListener("htmx:after:swap", () => {
    tell();
    if (playing) next = setTimeout(forward, STEP_MS);
  });
  for (const failure of ["htmx:response:error", "htmx:error"]) document.addEventListener(failure, () => play(false));
  tell();
}
