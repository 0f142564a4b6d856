/** The console of one room: what the socket tells becomes the state, the state becomes the page, buttons become acts. */

import { Acts } from "../acts.js";
import { connect } from "../live.js";
import { Preview } from "../preview.js";
import { fill, texts } from "../texts.js";
import { toast } from "../toasts.js";
import { isDone } from "./confirmations.js";
import { ask, people, showInvitation } from "./dialogs.js";
import { Feed, sentence } from "./feed.js";
import { keys } from "./keys.js";
import { Members } from "./members.js";
import { fromSnapshot, reduce } from "./state.js";
import { Streams } from "./streams.js";

// What somebody who does not look at the page must hear of.
const IMPORTANT = new Set([
  "member.exited", "role.changed", "role.requested", "conference.updated", "conference.muted", "conference.closed",
  "recording.started", "recording.stopped", "ban.added", "stream.refused",
]);
const MOST_SPOKEN = 3;

const settings = JSON.parse(document.getElementById("room-settings").textContent);
const root = document.getElementById("room");
const announcer = document.getElementById("announcer");
const selection = document.getElementById("selection");

let state = null;
let due = false;
let heard = [];

const acts = new Acts(
  (act) => settings.act.replace("ACT", act),
  (asked) => isDone(state, asked),
  render,
);
const members = new Members(document.getElementById("members"), actOnMember);
const streams = new Streams(document.getElementById("streams"), settings.measures, actOnStream);
const feed = new Feed(root, answerHand);
const preview = new Preview(document.getElementById("preview"), settings.watch);

// From the socket to the page: however much happens, the page is drawn once per frame.

const room = connect({ scope: settings.slug, conference: settings.confrId });
room.addEventListener("snapshot", ({ detail }) => {
  state = fromSnapshot(detail);
  render();
});
room.addEventListener("event", ({ detail }) => {
  state = reduce(state, detail);
  if (IMPORTANT.has(detail.event)) heard.push(state.timeline.at(-1));
  render();
});

function render() {
  if (due || !state) return;
  due = true;
  requestAnimationFrame(draw);
}

function draw() {
  due = false;
  acts.check();
  const pending = acts.names;
  members.show(state, pending);
  streams.show(state, pending);
  feed.show(state);
  drawConference(state.conference, pending);
  drawSelection();
  preview.follow(state.streams);
  announce();
  root.dataset.seq = state.seq;
  if (root.hasAttribute("aria-busy")) root.removeAttribute("aria-busy");
}

function drawConference(conference, pending) {
  root.dataset.state = conference.state;
  for (const badge of document.querySelectorAll("[data-shown-if]")) badge.hidden = !conference[badge.dataset.shownIf];
  for (const button of document.querySelectorAll("[data-room]")) {
    const act = button.dataset.act;
    button.setAttribute("aria-busy", pending.has(act));
    button.disabled = conference.state === "closed" || pending.has(act);
  }
  for (const [field, label] of [["locked", texts.lockLabels], ["rec", texts.recordLabels]]) {
    const button = document.querySelector(`[data-toggles="${field}"]`);
    if (button) button.querySelector("[data-label]").textContent = label[conference[field] ? 1 : 0];
  }
  document.getElementById("over").hidden = conference.state !== "closed";
}

function drawSelection() {
  const count = members.selected.size;
  selection.hidden = !count;
  selection.querySelector("[data-selected]").textContent = count;
  document.getElementById("select-all").checked = count > 0 && count >= members.list.length;
}

function announce() {
  if (!heard.length) return;
  announcer.textContent = heard.slice(-MOST_SPOKEN).map(sentence).join(". ");
  heard = [];
}

// From the page to the server

async function run(act, body) {
  const answer = await acts.run(act, body, { seq: state.seq });
  if (act === "invite" && answer) showInvitation(answer);
  const outside = Object.entries(answer?.inside ?? {}).filter(([, inside]) => !inside);
  if (outside.length) toast(fill(texts.notInside, { names: outside.map(([name]) => name).join(", ") }), "info");
}

const named = (chosen) => ({ names: chosen.map((member) => member.name) });

/** A button, or a key, about some members. What their role forbids the page's user is not on the page, nor done here. */
function actOn(what, chosen, detail) {
  if (!chosen.length) return;
  if (what === "watch") return watchFirst(chosen[0]);
  if (!settings.may[what]) return;
  switch (what) {
    case "mute":
      return run("mute", { ...named(chosen), kinds: [detail], muted: !chosen.every((member) => member.muted.includes(detail)) });
    case "role":
      return run("role", { ...named(chosen), role: detail });
    case "mute_all":
      return ask("ask-mute_all", { except_names: named(chosen).names }, fill(texts.except, { names: people(chosen) }), run);
    default:
      return ask(`ask-${what}`, { ...named(chosen), network: chosen[0].address }, people(chosen), run);
  }
}

function actOnMember(what, member, detail) {
  actOn(what, [member], detail);
}

function watchFirst(member) {
  const stream = [...state.streams.values()].find((each) => each.member === member.member);
  if (stream) actOnStream("watch", stream);
}

function actOnStream(what, stream) {
  const member = state.members.get(stream.member);
  if (what === "watch" && settings.may.watch) return preview.open(stream, member?.nickName || stream.name);
  if (what === "stop_stream") return ask("ask-stop_stream", { stream: stream.id }, stream.name, run);
  if (member) actOn(what, [member], stream.type === 1 ? "desktop" : "audio");
}

function answerHand(granted, { name, member, role, ref }) {
  run("answer", { name, member, role, ref, granted });
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-room], [data-chosen]");
  if (!button || !state) return;
  const { act, kind, role, toggles } = button.dataset;
  if (button.hasAttribute("data-chosen")) return actOn(act, members.chosenMembers, kind ?? Number(role));
  if (toggles === "locked") return run("lock", { locked: !state.conference.locked });
  if (toggles === "rec") return run("record", { recorded: !state.conference.rec });
  return ask(`ask-${act}`, {}, "", run);
});

preview.box.addEventListener("act", ({ detail: { act, stream } }) => actOnStream(act, stream));
members.box.addEventListener("selected", render);
document.getElementById("select-all").addEventListener("change", ({ target }) => members.selectShown(target.checked));
document.getElementById("find").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("find").addEventListener("input", ({ currentTarget: form }) => {
  members.wanted = { text: form.elements.text.value, role: Number(form.elements.role.value) };
  render();
});

keys({
  move: (steps) => members.move(steps),
  select: () => members.select(members.current),
  clear: () => members.selectShown(false),
  act: (what, detail) => state && actOn(what, members.chosenMembers, detail),
  open: (act) => document.querySelector(`[data-room][data-act="${act}"]`)?.click(),
});
