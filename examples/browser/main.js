// The door, and the way from there into the room and out again.
import { config } from './config.js';
import { byId, show, translate } from './elements.js';
import { Room } from './room.js';
import { textsFor } from './texts.js';

const { emedia } = globalThis;
const texts = textsFor(navigator.language);
const room = new Room(emedia.mgr, texts);
const door = byId('door');

async function enter(event) {
  event.preventDefault();
  const { host, appkey, user, token, mode, name, password, role } = Object.fromEntries(new FormData(door));
  emedia.config({ host, appkey, memName: user, token });
  byId('refusal').textContent = texts.entering;
  try {
    await room.enter({ mode, name, password, role: Number(role) });
    show('door', false);
    show('room', true);
    byId('refusal').textContent = '';
  } catch (error) {
    byId('refusal').textContent = `${error.message} (${error.error})`;
  }
}

function backToTheDoor() {
  room.confr = undefined;
  show('over', false);
  show('door', true);
}

document.documentElement.lang = navigator.language;
translate(texts);
door.elements.host.value = config.server;
door.elements.appkey.value = config.appKey;
door.addEventListener('submit', enter);
byId('again').addEventListener('click', backToTheDoor);
addEventListener('pagehide', () => emedia.mgr.exitConference());
room.listen();
