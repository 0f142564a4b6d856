/** The wall: a page of live streams as tiles. It asks anew every few seconds, and at once when streams changed. */

import { Acts } from "./acts.js";
import { ask } from "./console/dialogs.js";
import { health } from "./console/state.js";
import { connect } from "./live.js";
import { Preview } from "./preview.js";
import { shortcut } from "./shortcuts.js";
import { bitrate, fill, initials, texts } from "./texts.js";

const EVERY_MS = 4000;
const SIZE = "confr-wall-size";
const STEP_PX = 20;

const settings = JSON.parse(document.getElementById("wall-settings").textContent);
const wall = document.getElementById("wall");
const filter = document.getElementById("wall-filter");
const pauseButton = document.getElementById("wall-pause");
const template = document.getElementById("tile");
const preview = new Preview(document.getElementById("preview"), "");

const elements = new Map(); // by the stream's primary key
let tiles = new Map();
let pages = [0]; // what each page so far comes after
let next = null;
let paused = false;
let asking = null;

const at = (address, tile) => address.replace("SLUG", tile.slug).replace("ROOM", tile.confrId);
const acts = new Acts((act, tile) => at(settings.act, tile).replace("ACT", act), isDone, drawAll);

/** An act has come true when the tiles that came after it say so. */
function isDone({ act, body, where }) {
  const now = tiles.get(where.pk);
  return !now || (act === "mute" && body.kinds.every((kind) => now.muted.includes(kind) === body.muted));
}

// From the server to the page

async function refresh() {
  asking?.abort();
  asking = new AbortController();
  const wish = new URLSearchParams({ after: pages.at(-1), text: filter.elements.text.value, kind: filter.elements.kind.value });
  try {
    const response = await fetch(`${settings.tiles}?${wish}`, { headers: { Accept: "application/json" }, signal: asking.signal });
    if (response.ok) show(await response.json());
  } catch {
    // the next turn asks again; the live badge says that the connection is gone
  }
}

function show(answer) {
  tiles = new Map(answer.tiles.map((tile) => [tile.pk, tile]));
  next = answer.next;
  if (!tiles.size && pages.length > 1) return turn(-1);
  for (const [pk, element] of elements) {
    if (tiles.has(pk)) continue;
    const hadFocus = element.contains(document.activeElement);
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    elements.delete(pk);
    if (hadFocus) neighbour?.focus();
  }
  acts.check();
  drawAll();
  drawFigures(answer.total);
  preview.follow(new Map(answer.tiles.map((tile) => [tile.id, tile])));
  wall.removeAttribute("aria-busy");
}

function drawFigures(total) {
  const from = (pages.length - 1) * settings.size + 1;
  document.getElementById("wall-figures").textContent = tiles.size ? fill(texts.figures, { from, to: from + tiles.size - 1, total }) : "";
  document.getElementById("wall-empty").hidden = tiles.size > 0;
  filter.querySelector('[data-page="before"]').disabled = pages.length === 1;
  filter.querySelector('[data-page="next"]').disabled = next === null;
}

function drawAll() {
  const pending = acts.names;
  for (const tile of tiles.values()) draw(tile, pending);
  if (!wall.querySelector('.tile[tabindex="0"]')) wall.firstElementChild?.setAttribute("tabindex", 0);
}

function draw(tile, pending) {
  const element = elements.get(tile.pk) ?? add(tile);
  const set = (field, text) => (element.querySelector(`[data-field="${field}"]`).textContent = text);
  const name = tile.name || texts.mix;
  set("initials", initials(name));
  set("name", name);
  set("watch", fill(texts.watch, { name }));
  set("kind", texts.streamKinds[kindOf(tile)]);
  set("size", tile.width ? `${tile.width}×${tile.height}` : "");
  set("bitrate", bitrate(tile.bitrate));
  set("muted", tile.muted.map((kind) => texts.kinds[kind]).join(", "));
  const state = health(tile, Date.now());
  element.dataset.health = state;
  set("health", fill(texts.health[state], { kinds: tile.disobeys.map((kind) => texts.kinds[kind]).join(", ") }));
  const room = element.querySelector("[data-room]");
  room.textContent = tile.room;
  room.href = at(settings.room, tile);
  element.setAttribute("aria-busy", pending.has(tile.id) || pending.has(tile.user));
  drawPicture(element, tile);
  drawActs(element, tile, name);
}

function add(tile) {
  const element = template.content.firstElementChild.cloneNode(true);
  element.dataset.pk = tile.pk;
  elements.set(tile.pk, element);
  wall.append(element);
  return element;
}

/** A picture has its time in its address, so that the browser keeps it until there is a newer one. */
function drawPicture(element, tile) {
  const image = element.querySelector("img");
  image.hidden = !tile.seen;
  const address = tile.seen ? `${settings.picture.replace("0.jpg", `${tile.pk}.jpg`)}?at=${tile.seen}` : "";
  if (tile.seen && !paused && image.getAttribute("src") !== address) image.src = address;
}

function drawActs(element, tile, name) {
  for (const button of element.querySelectorAll("[data-do]")) {
    const act = button.dataset.do;
    button.hidden = act !== "watch" && (!tile.may.includes(act) || (!tile.user && act !== "stop_stream"));
    button.disabled = !tile.may.includes(act);
    if (act !== "mute") continue;
    const muted = tile.muted.includes(soundOf(tile));
    button.setAttribute("aria-pressed", muted);
    button.title = fill((muted ? texts.unmute : texts.mute)[soundOf(tile)], { name });
    button.setAttribute("aria-label", button.title);
  }
}

const soundOf = (tile) => (tile.type === 1 ? "desktop" : "audio");
const kindOf = (tile) => (tile.type === 1 ? "desktop" : tile.videoOff || tile.kind === "audio" ? "audio" : "video");

// From the page to the server

function act(what, tile) {
  if (!tile?.may.includes(what)) return;
  const run = async (name, body) => {
    await acts.run(name, body, { where: tile });
    refresh();
  };
  const subject = tile.name || texts.mix;
  switch (what) {
    case "watch":
      return preview.open(tile, `${subject} · ${tile.room}`, at(settings.watch, tile));
    case "mute":
      return run("mute", { names: [tile.user], kinds: [soundOf(tile)], muted: !tile.muted.includes(soundOf(tile)) });
    case "stop_stream":
      return ask("ask-stop_stream", { stream: tile.id }, subject, run);
    case "kick":
      return ask("ask-kick", { names: [tile.user] }, subject, run);
  }
}

const tileOf = (element) => tiles.get(Number(element?.closest("[data-pk]")?.dataset.pk));

wall.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-do]");
  if (button) act(button.dataset.do, tileOf(button));
});
preview.box.addEventListener("act", ({ detail: { act: what, stream } }) => act(what, tiles.get(stream.pk)));

// Filters, pages, size, pause

filter.addEventListener("submit", (event) => event.preventDefault());
filter.addEventListener("input", ({ target }) => {
  if (target.name === "size") return resize(Number(target.value));
  pages = [0];
  refresh();
});
filter.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-page]");
  if (button) turn(button.dataset.page === "next" ? 1 : -1);
});
pauseButton.addEventListener("click", pause);

function turn(step) {
  if (step > 0 && next !== null) pages.push(next);
  if (step < 0 && pages.length > 1) pages.pop();
  refresh();
}

function pause() {
  paused = !paused;
  pauseButton.setAttribute("aria-pressed", paused);
  if (!paused) refresh();
}

function resize(size) {
  filter.elements.size.value = size;
  wall.style.setProperty("--tile", `${filter.elements.size.value}px`);
  localStorage.setItem(SIZE, filter.elements.size.value);
}

// Keys: arrows go from tile to tile, the rest is in the help sheet

function focusTile(element) {
  if (!element) return;
  wall.querySelector('.tile[tabindex="0"]')?.setAttribute("tabindex", -1);
  element.setAttribute("tabindex", 0);
  element.focus();
}

wall.addEventListener("keydown", (event) => {
  const current = event.target.closest(".tile");
  const columns = getComputedStyle(wall).gridTemplateColumns.split(" ").length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
  if (step) {
    event.preventDefault();
    focusTile(wall.children[[...wall.children].indexOf(current) + step]);
  } else if (event.key === "Enter" && event.target === current) act("watch", tileOf(current));
});

const here = () => tileOf(document.activeElement);
const DOES = {
  p: pause,
  n: () => turn(1),
  b: () => turn(-1),
  "+": () => resize(Number(filter.elements.size.value) + STEP_PX),
  "-": () => resize(Number(filter.elements.size.value) - STEP_PX),
  w: () => act("watch", here()),
  m: () => act("mute", here()),
  S: () => act("stop_stream", here()),
  K: () => act("kick", here()),
};
for (const [key, label] of Object.entries(texts.keys)) shortcut(key, label, DOES[key]);

resize(Number(localStorage.getItem(SIZE) ?? filter.elements.size.value));
connect({ scope: settings.slug }).addEventListener("changed", ({ detail: { topics } }) => {
  if (!document.hidden && !paused && ["streams", "members"].some((topic) => topics.has(topic))) refresh();
});
setInterval(() => document.hidden || paused || refresh(), EVERY_MS);
document.addEventListener("visibilitychange", () => document.hidden || paused || refresh());
refresh();
