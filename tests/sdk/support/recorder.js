// Writes down what callbacks are called with, and waits for them with a deadline.
'use strict';

const CALLBACKS = [
  'onMemberJoined',
  'onMemberExited',
  'onMemberChanged',
  'onStreamAdded',
  'onStreamRemoved',
  'onUnpublished',
  'onMediaChanaged',
  'onRoleChanged',
  'onConferenceExit',
  'onConfrAttrsUpdated',
  'onReconnecting',
  'onReconnect',
  'onAdminChanged',
  'onMuteAll',
  'onUnMuteAll',
  'onMuted',
  'onUnmuted',
  'onRequestToTalker',
  'onRequestToAdmin',
  'onRequestToTalkerReply',
  'onRequestToAdminReply',
  'onPubVideoTooMuch',
  'onPubDesktopTooMuch',
];

class Recorder {
  constructor(mgr, names = CALLBACKS) {
    this.events = []; // [name, ...arguments]
    this.taken = 0;
    names.forEach((name) => mgr.on(name, (...args) => this.events.push([name, ...args])));
  }

  /** The arguments of every call of `name`. */
  of(name) {
    return this.events.filter((event) => event[0] === name).map((event) => event.slice(1));
  }

  /** The names in order, with what tells them apart. */
  get story() {
    return this.events.map(([name, first]) => {
      const about = first && typeof first === 'object' ? first.name || first.rtcId || first.id : first;
      return about === undefined || Array.isArray(first) ? name : `${name} ${about}`;
    });
  }

  forget() {
    this.events.length = 0;
  }

  /** The arguments of the first call of `name` that fits, waiting for it. */
  async next(name, fits = () => true, milliseconds = 5000) {
    const found = () => this.of(name).find((args) => fits(...args));
    await until(found, `${name} did not come; what came: ${JSON.stringify(this.story)}`, milliseconds);
    return found();
  }
}

/** Wait until `condition` holds; fail with `message` after the deadline. */
async function until(condition, message = 'it did not happen in time', milliseconds = 5000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(message);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

module.exports = { CALLBACKS, Recorder, until };
