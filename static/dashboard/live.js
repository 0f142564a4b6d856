/**
 * The page's ear: one socket that tells what happens, comes back by itself, and loses and repeats nothing.
 * docs/dashboard.md describes what it says. Elements with `data-live="rooms members"` get a `live:changed` when one of
 * their topics changed, at most once a second; a hidden page gets it when it is looked at again.
 */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 15_000; // the server says something every five seconds
const STALE_MS = 5_000;
const LOOK_MS = 1_000;
const RESTARTED = 1012;
const FINAL = new Set([4400, 4401, 4403]);
const WORST_FIRST = ["stale", "reconnecting", "connected"];

const feeds = new Map();
const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/dashboard/live`;

/**
 * Listen to a scope, or to one conference of it.
 *
 * A scope emits "changed" (detail: {topics: Set, conferences: Set}). A conference emits "snapshot" (detail: the whole
 * state), and then "event" (detail: {seq, event, at, actor, data}) in order, each once; another "snapshot" replaces all
 * that came before. Both emit "state" (detail: "connected", "reconnecting" or "stale").
 * @param {{scope: string, conference?: string}} what
 * @returns {Feed}
 */
export function connect({ scope, conference }) {
  const key = `${scope}/${conference ?? ""}`;
  if (!feeds.has(key)) feeds.set(key, conference ? new ConferenceFeed({ scope, conference }) : new ScopeFeed({ scope }));
  return feeds.get(key);
}

/** What every feed is: a socket that is there again and again. `state` and `heardAt` say how fresh the data is. */
class Feed extends EventTarget {
  state = "reconnecting";
  heardAt = Date.now();
  wanted = true;
  failures = 0;
  greeted = false;
  welcome = false; // was greeted once

  constructor(wish) {
    super();
    this.wish = wish;
    this.open();
  }

  open() {
    clearTimeout(this.retry);
    this.retry = undefined;
    const socket = (this.socket = new WebSocket(address));
    socket.onopen = () => this.send(this.greeting());
    socket.onmessage = ({ data }) => socket === this.socket && this.hear(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.socket && this.lose(code);
    this.openedAt = Date.now();
  }

  greeting() {
    return this.wish;
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  hear(frame) {
    this.heardAt = Date.now();
    this.take(frame);
    if (frame.event !== "beat") this.failures = 0;
    this.welcome ||= this.greeted;
    if (this.greeted) this.become("connected");
  }

  lose(code) {
    this.socket = undefined;
    this.greeted = false;
    if (FINAL.has(code)) return this.end();
    this.become("reconnecting");
    const longest = code === RESTARTED ? FIRST_WAIT_MS : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures);
    this.failures += 1;
    this.retry = setTimeout(() => this.open(), Math.random() * longest);
  }

  /** Whoever may no longer watch what this page shows is shown another one; but never twice in a row. */
  end() {
    this.wanted = false;
    this.become("stale");
    if (this.welcome) location.reload();
  }

  /** Called once a second, when the page is shown, and when there is a network again. */
  look(now) {
    if (!this.wanted) return;
    const since = this.state === "connected" ? this.heardAt : this.openedAt;
    if (this.socket && now - since > SILENCE_MS) this.drop();
    if (this.state === "reconnecting" && now - this.heardAt > STALE_MS) this.become("stale");
  }

  /** Do not wait for a connection that died quietly. */
  drop() {
    const { socket } = this;
    this.lose(0);
    socket.close();
  }

  hurry() {
    if (this.wanted && this.retry !== undefined) this.open();
  }

  become(state) {
    if (this.state === "stale" && state === "reconnecting") return;
    if (this.state !== state) {
      this.state = state;
      this.emit("state", state);
    }
    showState();
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

class ScopeFeed extends Feed {
  take({ event, data }) {
    if (event === "watching") {
      this.greeted = true;
      this.tell({ topics: data.topics, conferences: [] }); // since the page was made, whatever it was
    } else if (event === "changed") this.tell(data);
  }

  tell({ topics, conferences }) {
    this.emit("changed", { topics: new Set(topics), conferences: new Set(conferences) });
    wake(topics);
  }
}

class ConferenceFeed extends Feed {
  seq = 0;
  arriving = null; // a snapshot whose members are not all there yet
  early = []; // what came meanwhile

  greeting() {
    this.arriving = null;
    this.early = [];
    return this.seq ? { ...this.wish, lastSeq: this.seq } : this.wish;
  }

  take(frame) {
    switch (frame.event) {
      case "beat":
        break;
      case "resumed":
        this.greeted = true;
        break;
      case "snapshot":
        this.greeted = true;
        this.arriving = frame;
        this.gather(frame.data);
        break;
      case "members":
        this.arriving.data.members.push(...frame.data.members);
        this.gather(frame.data);
        break;
      default:
        if (this.arriving) this.early.push(frame);
        else this.pass(frame);
    }
  }

  gather({ cursor }) {
    if (cursor !== null) return this.send({ membersAfter: cursor });
    const { seq, data } = this.arriving;
    this.arriving = null;
    this.seq = seq;
    this.emit("snapshot", { ...data, seq });
    for (const frame of this.early.splice(0)) this.pass(frame);
  }

  pass(frame) {
    if (frame.seq) {
      if (frame.seq <= this.seq) return;
      if (frame.prev !== this.seq) return this.drop(); // something is missing: ask for it
      this.seq = frame.seq;
    }
    this.emit("event", frame);
  }
}

// The badge that says how fresh the page is

function showState() {
  const worst = [...feeds.values()].sort((a, b) => WORST_FIRST.indexOf(a.state) - WORST_FIRST.indexOf(b.state))[0];
  for (const badge of document.querySelectorAll("[data-live-state]")) {
    const time = new Date(worst.heardAt).toLocaleTimeString(document.documentElement.lang, { hourCycle: "h23" });
    const text = badge.dataset[worst.state].replace("{time}", time);
    if (badge.textContent !== text) badge.textContent = text;
    badge.dataset.state = worst.state;
    badge.hidden = false;
  }
}

// Parts of the page that ask for themselves anew

const due = new Set();

function wake(topics) {
  topics.forEach((topic) => due.add(topic));
  if (!document.hidden) wakeDue();
}

function wakeDue() {
  for (const element of document.querySelectorAll("[data-live]")) {
    if (element.dataset.live.split(" ").some((topic) => due.has(topic))) {
      element.dispatchEvent(new CustomEvent("live:changed"));
    }
  }
  due.clear();
}

function lookAtAll() {
  feeds.forEach((feed) => feed.look(Date.now()));
}

function beBack() {
  lookAtAll();
  feeds.forEach((feed) => feed.hurry());
  wakeDue();
}

setInterval(lookAtAll, LOOK_MS);
document.addEventListener("visibilitychange", () => document.hidden || beBack());
addEventListener("online", beBack);
addEventListener("pageshow", ({ persisted }) => persisted && beBack());

if (document.querySelector("[data-live]")) {
  const slug = location.pathname.split("/")[2];
  connect({ scope: /^\d+$/.test(slug) ? slug : "all" });
}
