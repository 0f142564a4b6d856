/**
 * What a room is, by what the server says: a snapshot, and then every fact in order. Pure; nothing is changed in place.
 *
 * @typedef {{seq: number, event: string, at: number, actor: object, data: object}} Fact
 */

const KEPT = 300; // facts and messages that are shown
const HARMLESS = new Set(["member.lost", "member.returned"]);
const MESSAGES = new Set(["message.broadcast", "message.sent"]);

/** @returns the state at the moment of a snapshot, as docs/dashboard.md describes it */
export function fromSnapshot(snapshot) {
  const past = (snapshot.past ?? []).map((fact) => withNames((number) => snapshot.names[number], fact));
  return {
    seq: snapshot.seq,
    conference: snapshot.conference,
    attributes: snapshot.attributes,
    members: new Map(snapshot.members.map((member) => [member.member, member])),
    streams: new Map(snapshot.streams.map((stream) => [stream.id, stream])),
    waiting: snapshot.waiting,
    messages: past.filter((fact) => MESSAGES.has(fact.event)),
    timeline: past,
    last: lastOf(past),
  };
}

const lastOf = (facts) => Object.fromEntries(facts.map((fact) => [fact.event, fact.seq]));

/** The state after one more fact. Of one that is known already nothing comes. */
export function reduce(state, told) {
  if (told.seq && told.seq <= state.seq) return state;
  const fact = withNames((number) => state.members.get(number)?.name, told);
  const change = CHANGES[fact.event]?.(state, fact) ?? {};
  const noted = fact.seq ? { seq: fact.seq, last: { ...state.last, [fact.event]: fact.seq } } : {};
  const timeline = fact.seq ? keep(state.timeline, fact) : state.timeline;
  return { ...state, timeline, ...noted, ...change };
}

/** Who a fact is about, and for whom, while that is known: later they may be gone. */
function withNames(nameOf, fact) {
  const { name, member, to = [] } = fact.data;
  return { ...fact, name: name ?? nameOf(member), receivers: to.map((number) => nameOf(number) ?? `#${number}`) };
}

const keep = (list, item) => [...list.slice(1 - KEPT), item];

const CHANGES = {
  "conference.updated": (state, { data }) => ({ conference: { ...state.conference, ...known(state.conference, data) } }),
  "conference.muted": newcomersMuted,
  "conference.closed": (state, { data, at }) => ({
    conference: { ...state.conference, state: "closed", closeReason: data.reason, closedAt: at },
    members: new Map(),
    streams: new Map(),
    waiting: [],
  }),
  "member.joined": (state, { data, at, actor }) => ({ members: put(state.members, data.member, entrant(data, at, actor)) }),
  "member.lost": (state, { data, at }) => changed(state, data.member, { state: "reconnecting", lostAt: at }),
  "member.returned": (state, { data, actor }) => {
    const address = actor.kind === "user" ? { address: actor.address || null } : {};
    return changed(state, data.member, { state: "present", lostAt: null, ...address });
  },
  "member.exited": (state, { data }) => ({ members: without(state.members, data.member), waiting: notOf(state, data.member) }),
  "member.muted": (state, { data }) => changed(state, data.member, { muted: data.muted }),
  "role.changed": (state, { data }) => ({
    ...changed(state, data.member, { role: data.role, muted: data.muted }),
    waiting: notOf(state, data.member),
  }),
  "role.requested": (state, { data, at }) => ({ waiting: [...notOf(state, data.member), request(data, at)] }),
  "role.answered": (state, { data }) => ({ waiting: notOf(state, data.member) }),
  "stream.added": (state, { data, at }) => ({ streams: put(state.streams, data.stream.id, published(data, at)) }),
  "stream.changed": (state, { data }) => {
    const stream = state.streams.get(data.stream.id);
    return stream ? { streams: put(state.streams, stream.id, { ...stream, ...data.stream }) } : {};
  },
  "stream.removed": (state, { data }) => ({ streams: without(state.streams, data.stream.id) }),
  "attributes.updated": (state, { data }) => {
    const attributes = { ...state.attributes, ...data.set };
    for (const name of data.deleted) delete attributes[name];
    return { attributes };
  },
  "recording.started": (state) => ({ conference: { ...state.conference, rec: true } }),
  "recording.stopped": (state) => ({ conference: { ...state.conference, rec: false } }),
  "message.broadcast": said,
  "message.sent": said,
};

function newcomersMuted(state, { data }) {
  if (!data.newcomers) return {};
  const kinds = new Set(state.conference.muteNewcomers);
  for (const kind of data.kinds) data.muted ? kinds.add(kind) : kinds.delete(kind);
  return { conference: { ...state.conference, muteNewcomers: [...kinds].sort() } };
}

function said(state, fact) {
  return { messages: keep(state.messages, fact) };
}

const known = (row, data) => Object.fromEntries(Object.entries(data).filter(([name]) => name in row));

const entrant = (data, at, actor) => ({
  member: data.member,
  name: data.name,
  nickName: data.nickName,
  ext: data.ext,
  role: data.role,
  muted: data.muted,
  state: "present",
  address: actor.address || null,
  device: data.device,
  enteredAt: at,
  lostAt: null,
});

const published = (data, at) => ({ ...data.stream, member: data.member, name: data.name, startedAt: at });

const request = (data, at) => ({
  member: data.member,
  role: data.role,
  ref: data.ref,
  name: data.name,
  nickName: data.nickName,
  at,
});

const notOf = (state, member) => state.waiting.filter((request) => request.member !== member);

function changed(state, member, change) {
  const found = state.members.get(member);
  return found ? { members: put(state.members, member, { ...found, ...change }) } : {};
}

const put = (map, key, value) => new Map(map).set(key, value);

function without(map, key) {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}

// What is read from a state

export const ADMIN = 7;
export const TALKER = 3;
export const AUDIENCE = 1;

/** The members in the order of the list: who may do more comes first, then who came first; only those who match. */
export function listed(members, wanted = "", role = 0) {
  const text = wanted.trim().toLowerCase();
  const matches = (member) =>
    (!role || member.role === role) &&
    (!text || [member.name, member.nickName, member.address, member.device].some((each) => each?.toLowerCase().includes(text)));
  return [...members.values()].filter(matches).sort((a, b) => b.role - a.role || a.member - b.member);
}

/** How many are inside, by role. */
export function counts(members) {
  const count = { admins: 0, talkers: 0, audience: 0, lost: 0 };
  for (const { role, state } of members.values()) {
    if (role === ADMIN) count.admins += 1;
    if (role >= TALKER) count.talkers += 1;
    else count.audience += 1;
    if (state !== "present") count.lost += 1;
  }
  return count;
}

/** The streams of each member, by its number. */
export function streamsByMember(streams) {
  const found = new Map();
  for (const stream of streams.values()) found.set(stream.member, [...(found.get(stream.member) ?? []), stream]);
  return found;
}

/** Whether a fact is worth a line in the timeline: who reconnects all the time would drown the rest. */
export const isTelling = (fact) => !HARMLESS.has(fact.event);

const SILENT_AFTER_MS = 10_000;

/** How a stream is doing: "good", "silent" (nothing comes), "disobeys" (a mute), or "new" (not measured yet). */
export function health(measure, now) {
  if (!measure?.at) return "new";
  if (measure.disobeys.length) return "disobeys";
  return measure.bitrate > 0 && now - measure.at < SILENT_AFTER_MS ? "good" : "silent";
}
