/** Whoever holds an invitation enters the room over `/live` (docs/websocket.md), sees who is there, and watches. */

import { Player } from "./player.js";

const page = document.getElementById("content");
const status = document.getElementById("status");
const people = document.getElementById("people");
const tiles = document.getElementById("streams");
const [enterButton, leaveButton] = ["enter", "leave"].map((id) => document.getElementById(id));
const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
const players = new Map();
const asked = new Map();
let socket;
let lastId = 0;

const HEARD = {
  onMemberJoined: (member) => showMember(member),
  onMemberExited: ({ memId }) => document.getElementById(memId)?.remove(),
  onStreamAdded: (stream) => play(stream),
  onStreamRemoved: ({ streamId }) => endPlaying(streamId),
};

function enter() {
  status.textContent = page.dataset.entering;
  enterButton.disabled = true;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.onopen = () => ask("enter", { ticket, device: "browser", lang: document.documentElement.lang }).then(begin, refuse);
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = leave;
}

function ask(op, data) {
  lastId += 1;
  socket.send(JSON.stringify({ id: lastId, op, data }));
  return new Promise((resolve, reject) => asked.set(lastId, { resolve, reject }));
}

function hear({ id, result, error, event, data }) {
  if (event) return HEARD[event]?.(data);
  const { resolve, reject } = asked.get(id);
  asked.delete(id);
  if (error) reject(error);
  else resolve(result);
}

function begin({ memName, members, streams, heartbeatSeconds }) {
  status.textContent = page.dataset.inside.replace("{name}", () => memName);
  leaveButton.hidden = false;
  members.forEach(showMember);
  streams.forEach(play);
  socket.beat = setInterval(() => ask("ping", {}), heartbeatSeconds * 1000);
}

function refuse({ message }) {
  socket.onclose = null;
  status.textContent = message;
  enterButton.disabled = false;
}

function leave() {
  clearInterval(socket.beat);
  [...players.keys()].forEach(endPlaying);
  people.replaceChildren();
  status.textContent = page.dataset.over;
  leaveButton.hidden = true;
  enterButton.disabled = false;
}

function showMember({ memId, memName, nickName }) {
  const item = document.createElement("li");
  item.id = memId;
  item.textContent = nickName || memName;
  document.getElementById(memId)?.remove();
  people.append(item);
}

function play({ streamId, kind, voff }) {
  const box = document.getElementById("player").content.cloneNode(true).firstElementChild;
  const player = new Player(box, () => ask("subStream", { streamId }), { audioOnly: kind === "audio" || Boolean(voff) });
  players.set(streamId, player);
  tiles.append(box);
  player.start();
}

function endPlaying(streamId) {
  const player = players.get(streamId);
  players.delete(streamId);
  player?.stop();
  player?.box.remove();
}

if (!ticket) {
  status.textContent = page.dataset.missing;
  enterButton.hidden = true;
}
addEventListener("hashchange", () => location.reload()); // another invitation in the same window
enterButton.addEventListener("click", enter);
leaveButton.addEventListener("click", () => ask("exit", {}));
