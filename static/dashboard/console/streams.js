/** The live streams: a card each, with its owner and how it is doing. */

import { health } from "./state.js";
import { bitrate, duration, fill, texts } from "../texts.js";

const EVERY_MS = 3000;

export class Streams {
  /** @param {(what: string, stream: object) => void} act a card's button */
  constructor(box, measuresUrl, act) {
    Object.assign(this, { box, measuresUrl, cards: new Map(), measures: {} });
    this.template = document.getElementById("stream-card");
    box.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-do]");
      const stream = this.streams?.get(button?.closest("[data-stream]").dataset.stream);
      if (stream) act(button.dataset.do, stream);
    });
    setInterval(() => this.measure(), EVERY_MS);
    document.addEventListener("visibilitychange", () => this.measure());
  }

  /** Ask how the streams are doing. The server reads it off its own table: nobody at the media server is asked. */
  async measure() {
    if (document.hidden || !this.streams?.size) return;
    try {
      const response = await fetch(this.measuresUrl, { headers: { Accept: "application/json" } });
      if (response.ok) this.measures = await response.json();
    } catch {
      return; // the live badge says that the connection is gone
    }
    this.draw();
  }

  show(state, pending) {
    if (this.streams === state.streams && this.pending === pending) return;
    const hasNew = [...state.streams.keys()].some((id) => !this.cards.has(id));
    Object.assign(this, { streams: state.streams, members: state.members, pending });
    this.draw();
    if (hasNew) this.measure();
  }

  draw() {
    for (const [id, card] of this.cards) {
      if (this.streams.has(id)) continue;
      card.remove();
      this.cards.delete(id);
    }
    for (const stream of this.streams.values()) this.drawCard(stream);
    this.box.classList.toggle("is-empty", !this.streams.size);
    document.querySelector("[data-count-streams]").textContent = this.streams.size;
  }

  drawCard(stream) {
    const card = this.cards.get(stream.id) ?? this.newCard(stream);
    const measure = this.measures[stream.id];
    const state = health(measure, Date.now());
    const member = this.members.get(stream.member);
    const set = (field, text) => (card.querySelector(`[data-field="${field}"]`).textContent = text);
    set("name", member?.nickName || stream.name || texts.mix);
    set("kind", texts.streamKinds[stream.type === 1 ? "desktop" : stream.videoOff || stream.kind === "audio" ? "audio" : "video"]);
    set("size", measure?.width ? `${measure.width}×${measure.height}` : "");
    set("bitrate", bitrate(measure?.bitrate));
    set("age", duration(Date.now() - stream.startedAt));
    set("health", fill(texts.health[state], { kinds: (measure?.disobeys ?? []).map((kind) => texts.kinds[kind]).join(", ") }));
    card.dataset.health = state;
    card.setAttribute("aria-busy", this.pending.has(stream.id));
  }

  newCard(stream) {
    const card = this.template.content.firstElementChild.cloneNode(true);
    card.dataset.stream = stream.id;
    this.cards.set(stream.id, card);
    this.box.append(card);
    return card;
  }
}
