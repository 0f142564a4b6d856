/** What comes in over time: raised hands, what was said, and the timeline of all that happened. */

import { isTelling } from "./state.js";
import { fill, initials, texts, time } from "../texts.js";

export class Feed {
  /** @param {(granted: boolean, request: object) => void} answer to a raised hand */
  constructor(root, answer) {
    this.hands = root.querySelector("[data-hands]");
    this.messages = root.querySelector("[data-messages]");
    this.timeline = root.querySelector("[data-timeline]");
    this.hand = document.getElementById("hand-row");
    this.hands.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-granted]");
      const request = this.waiting?.find((each) => String(each.member) === button?.closest("[data-member]").dataset.member);
      if (request) answer(button.dataset.granted === "yes", request);
    });
  }

  show(state) {
    if (this.waiting !== state.waiting) this.showHands(state);
    if (this.said !== state.messages) this.showMessages(state);
    if (this.told !== state.timeline) this.showTimeline(state);
  }

  showHands(state) {
    this.waiting = state.waiting;
    const rows = state.waiting.map((request) => {
      const row = this.hand.content.firstElementChild.cloneNode(true);
      const name = request.nickName || request.name;
      row.dataset.member = request.member;
      row.querySelector("[data-field=initials]").textContent = initials(name);
      row.querySelector("[data-field=name]").textContent = name;
      row.querySelector("[data-field=wish]").textContent = fill(texts.asks, { role: texts.roles[request.role], time: time(request.at) });
      return row;
    });
    this.hands.replaceChildren(...rows);
    for (const place of document.querySelectorAll("[data-count-hands]")) place.textContent = rows.length || "";
    this.hands.classList.toggle("is-empty", !rows.length);
  }

  showMessages(state) {
    this.said = state.messages;
    this.follow(this.messages, state.messages, (fact) => {
      const to = fact.event === "message.broadcast" ? texts.toAll : fill(texts.toSome, { names: fact.receivers.join(", ") });
      return line(fact, `${who(fact)} → ${to}`, fact.data.content ?? "");
    });
  }

  showTimeline(state) {
    this.told = state.timeline;
    this.follow(this.timeline, state.timeline.filter(isTelling), (fact) => line(fact, "", sentence(fact)));
  }

  /** Add what is new below; a list that was read at its end stays at its end. */
  follow(list, facts, draw) {
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
    const first = facts[0]?.seq ?? Infinity;
    while (list.firstElementChild && Number(list.firstElementChild.dataset.seq) < first) list.firstElementChild.remove();
    const known = Number(list.lastElementChild?.dataset.seq ?? -1);
    list.append(...facts.filter((fact) => fact.seq > known).map(draw));
    list.classList.toggle("is-empty", !facts.length);
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
}

function line(fact, head, text) {
  const item = document.createElement("li");
  item.dataset.seq = fact.seq;
  item.dataset.event = fact.event;
  const at = item.appendChild(document.createElement("time"));
  at.dateTime = new Date(fact.at).toISOString();
  at.textContent = time(fact.at);
  const body = item.appendChild(document.createElement("div"));
  if (head) body.appendChild(document.createElement("strong")).textContent = head;
  body.appendChild(document.createElement("span")).textContent = text;
  return item;
}

/** Who did it: a member's or a staff member's name, the application, or Confr itself. */
function who(fact) {
  return fact.actor?.name || texts.actors[fact.actor?.kind] || "";
}

/** A fact as a sentence: what happened, by whom where it was somebody else, and why. */
export function sentence(fact) {
  const { data, actor } = fact;
  const name = fact.name ?? (data.names ? data.names.join(", ") : data.member ? `#${data.member}` : "");
  const kinds = (data.kinds ?? data.changed ?? []).map((kind) => texts.kinds[kind]).join(", ");
  const { content = "", network = "", stream } = data;
  const values = { name, kinds, content, network, role: texts.roles[data.role] ?? "", stream: stream?.rtcId ?? "" };
  const pattern = variant(fact) ?? fact.event;
  let text = fill(pattern, { ...values, receivers: fact.receivers.join(", ") });
  const isTold = pattern.includes("{name}") && who(fact) === name;
  if (who(fact) && !isTold && fact.event !== "member.lost") text += ` · ${who(fact)}`;
  if (actor?.reason) text += ` · ${fill(texts.because, { reason: actor.reason })}`;
  return text;
}

function variant({ event, data }) {
  const told = texts.events;
  switch (event) {
    case "conference.muted":
      return told[data.muted ? "conference.muted" : "conference.unmuted"];
    case "member.muted":
      return told[data.changed.some((kind) => data.muted.includes(kind)) ? "member.muted" : "member.unmuted"];
    case "member.exited":
      return told[data.reason === 12 ? "member.kicked" : data.reason === 6 ? "member.vanished" : "member.exited"];
    case "conference.updated":
      if ("locked" in data) return told[data.locked ? "conference.locked" : "conference.unlocked"];
      return told[event];
    case "recording.held":
      return told[data.hold ? "recording.held" : "recording.released"];
    case "role.answered":
      return told[data.granted ? "role.granted" : "role.declined"];
    default:
      return told[event];
  }
}
