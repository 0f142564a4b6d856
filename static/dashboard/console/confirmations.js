/** When an act on a room is done, by what the facts made of the room. Pure. */

const named = (state, names) => [...state.members.values()].filter((member) => names.includes(member.name));
const since = (event) => (state, asked) => (state.last[event] ?? 0) > asked.seq;
const areOut = (state, { body }) => named(state, body.names).length === 0;

function areMuted(state, { body }) {
  return named(state, body.names).every((member) => body.kinds.every((kind) => member.muted.includes(kind) === body.muted));
}

/** What an application's ban does in the room comes after the answer; that it holds, the answer says. */
const IS_DONE = {
  kick: areOut,
  ban: areOut,
  ban_network: (state, asked) => asked.body.everywhere || since("ban.added")(state, asked),
  unban: (state, asked) => asked.body.everywhere || !asked.answer.lifted || since("ban.lifted")(state, asked),
  mute: areMuted,
  mute_all: since("conference.muted"),
  role: (state, { body }) => named(state, body.names).every((member) => member.role === body.role),
  answer: since("role.answered"),
  stop_stream: (state, { body }) => !state.streams.has(body.stream),
  lock: (state, { body }) => state.conference.locked === body.locked,
  record: (state, { body }) => state.conference.rec === body.recorded,
  announce: since("message.broadcast"),
  send: since("message.sent"),
  end: (state) => state.conference.state === "closed",
};

/**
 * @param {object} state of the room (state.js)
 * @param {{act: string, body: object, answer: object, seq: number}} asked an act that the server has answered, and the
 *   number of the last fact when it was asked. One that is not here is done when the server says so.
 */
export function isDone(state, asked) {
  return IS_DONE[asked.act]?.(state, asked) ?? true;
}
