/**
 * The list of members: a grid of which only the rows in sight exist, so that thousands of members cost no more than
 * a screenful. Its rows are clones of the page's template; one of them can have the focus, any of them be selected.
 */

import { counts, listed, streamsByMember } from "./state.js";
import { fill, initials, texts, time } from "../texts.js";

const ROW_PX = 60;
const MORE_ROWS = 6;
const KINDS = ["audio", "video", "desktop"];
const NONE = [];

export class Members {
  /** @param {HTMLElement} box the scrolling grid. @param {(what: string, member: object) => void} act a row's button */
  constructor(box, act) {
    this.box = box;
    this.act = act;
    this.body = box.querySelector("[data-rows]");
    this.template = document.getElementById("member-row");
    this.nothing = document.getElementById("no-members");
    this.rows = new Map();
    this.selected = new Set();
    this.list = [];
    this.wanted = { text: "", role: 0 };
    this.current = 0;
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("click", (event) => this.clicked(event));
    box.addEventListener("change", (event) => this.chosen(event));
    box.addEventListener("focusin", (event) => this.focused(event));
    box.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Show the members of a state. */
  show(state, pending) {
    if (this.members !== state.members || this.shown !== this.wanted) this.sort(state);
    if (this.streamsOf !== state.streams) this.streams = streamsByMember((this.streamsOf = state.streams));
    this.pending = pending;
    this.draw();
  }

  sort(state) {
    this.members = state.members;
    this.shown = this.wanted;
    this.list = listed(state.members, this.wanted.text, this.wanted.role);
    for (const number of this.selected) if (!state.members.has(number)) this.selected.delete(number);
    if (!state.members.has(this.current)) this.current = this.list[0]?.member ?? 0;
    this.box.setAttribute("aria-rowcount", this.list.length);
    this.body.style.height = `${this.list.length * ROW_PX}px`;
    this.box.classList.toggle("is-empty", !this.list.length);
    this.nothing.textContent = state.members.size ? this.nothing.dataset.noMatch : this.nothing.dataset.nobody;
    this.tell(state);
  }

  tell(state) {
    const { admins, talkers, audience, lost } = counts(state.members);
    const told = { all: state.members.size, shown: this.list.length, admins, talkers, audience, lost };
    for (const place of document.querySelectorAll("[data-count]")) place.textContent = told[place.dataset.count];
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW_PX) - MORE_ROWS);
    const last = Math.min(this.list.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW_PX) + MORE_ROWS);
    const inSight = new Map(this.list.slice(first, last).map((member, index) => [member.member, first + index]));
    for (const [number, row] of this.rows) {
      if (inSight.has(number) || row.contains(document.activeElement)) continue;
      row.remove();
      this.rows.delete(number);
    }
    for (const [number, place] of inSight) this.drawRow(this.members.get(number), place);
    for (const [number, row] of this.rows) if (!this.members.has(number)) this.dropFocused(number, row);
  }

  /** The row that has the focus is of somebody who went: the focus goes to a neighbour. */
  dropFocused(number, row) {
    row.remove();
    this.rows.delete(number);
    this.focus(this.current);
  }

  drawRow(member, place) {
    const row = this.rows.get(member.member) ?? this.newRow(member);
    row.style.transform = `translateY(${place * ROW_PX}px)`;
    row.setAttribute("aria-rowindex", place + 1);
    row.tabIndex = member.member === this.current ? 0 : -1;
    this.fillSelection(row, member.member);
    const streams = this.streams.get(member.member) ?? NONE;
    row.toggleAttribute("data-pending", this.pending.has(member.name));
    row.setAttribute("aria-busy", this.pending.has(member.name));
    if (row.shown === member && row.streams === streams) return;
    row.shown = member;
    row.streams = streams;
    this.fill(row, member, streams);
  }

  newRow(member) {
    const row = this.template.content.firstElementChild.cloneNode(true);
    row.dataset.member = member.member;
    this.rows.set(member.member, row);
    this.body.append(row);
    return row;
  }

  fill(row, member, streams) {
    const name = member.nickName || member.name;
    const set = (field, text) => (row.querySelector(`[data-field="${field}"]`).textContent = text);
    set("initials", initials(name));
    set("name", name);
    set("user", member.nickName && member.nickName !== member.name ? member.name : "");
    set("address", member.address ?? "");
    set("device", member.device ?? "");
    set("since", time(member.enteredAt));
    row.dataset.state = member.state;
    set("state", member.state === "present" ? "" : texts.reconnecting);
    row.querySelector("[data-select]").setAttribute("aria-label", fill(texts.selectOne, { name }));
    row.setAttribute("aria-label", name);
    const role = row.querySelector("[data-role]");
    if (role.tagName === "SELECT") role.value = member.role;
    else role.textContent = texts.roles[member.role];
    for (const kind of KINDS) this.fillMute(row, member, streams, kind);
  }

  fillMute(row, member, streams, kind) {
    const button = row.querySelector(`[data-mute="${kind}"]`);
    const muted = member.muted.includes(kind);
    const on = streams.some((stream) => carries(stream, kind));
    button.setAttribute("aria-pressed", muted);
    button.dataset.on = on;
    button.title = fill(muted ? texts.unmute[kind] : texts.mute[kind], { name: member.nickName || member.name });
    button.setAttribute("aria-label", button.title);
  }

  fillSelection(row, number) {
    const selected = this.selected.has(number);
    row.setAttribute("aria-selected", selected);
    row.querySelector("[data-select]").checked = selected;
  }

  // What is done with rows

  memberOf(target) {
    return this.members?.get(Number(target.closest("[data-member]")?.dataset.member));
  }

  clicked(event) {
    const member = this.memberOf(event.target);
    const button = event.target.closest("button[data-do], button[data-mute]");
    if (!member || !button || button.getAttribute("aria-disabled") === "true") return;
    if (button.dataset.mute) this.act("mute", member, button.dataset.mute);
    else this.act(button.dataset.do, member);
  }

  chosen({ target }) {
    const member = this.memberOf(target);
    if (!member) return;
    if (target.matches("[data-select]")) this.select(member.member, target.checked);
    if (target.matches("select[data-role]")) {
      this.act("role", member, Number(target.value));
      target.value = member.role; // until the server says so
    }
  }

  focused({ target }) {
    const member = this.memberOf(target);
    if (member) this.current = member.member;
  }

  /** A grid's own keys, which work also where the shortcuts are switched off. */
  pressed(event) {
    if (!event.target.matches(".member")) return;
    if (event.key === "ArrowDown") this.move(1);
    else if (event.key === "ArrowUp") this.move(-1);
    else if (event.key === " ") this.select(this.current);
    else return;
    event.preventDefault();
  }

  select(number, selected = !this.selected.has(number)) {
    if (selected) this.selected.add(number);
    else this.selected.delete(number);
    this.box.dispatchEvent(new Event("selected"));
  }

  selectShown(selected) {
    for (const { member } of this.list) {
      if (selected) this.selected.add(member);
      else this.selected.delete(member);
    }
    this.box.dispatchEvent(new Event("selected"));
  }

  /** Those who are selected, or else the one with the focus. */
  get chosenMembers() {
    const numbers = this.selected.size ? [...this.selected] : [this.current];
    return numbers.map((number) => this.members?.get(number)).filter(Boolean);
  }

  move(steps) {
    const place = this.list.findIndex((member) => member.member === this.current);
    const next = this.list[Math.min(this.list.length - 1, Math.max(0, place + steps))];
    if (next) this.focus(next.member);
  }

  focus(number) {
    const place = this.list.findIndex((member) => member.member === number);
    if (place < 0) return;
    this.current = number;
    const top = place * ROW_PX;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    const bottom = top + ROW_PX - this.box.clientHeight;
    if (bottom > this.box.scrollTop) this.box.scrollTop = bottom;
    this.draw();
    this.rows.get(number)?.focus({ preventScroll: true });
  }
}

function carries(stream, kind) {
  if (kind === "audio") return !stream.audioOff;
  return (stream.type === 1 ? "desktop" : "video") === kind && !stream.videoOff;
}
