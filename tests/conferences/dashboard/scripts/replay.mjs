// Reads {stories: [{stale, facts, fresh}]} and fails where facts on a stale snapshot do not make the fresh one.
import assert from "node:assert";
import { readFileSync } from "node:fs";

import { fromSnapshot, reduce } from "../../../../static/dashboard/console/state.js";

const FIELDS = ["name", "state", "locked", "rec", "muteNewcomers", "closeReason", "defaultRole", "maxTalkers"];
const MEASURED = ["seat", "bitrate", "width", "height", "measuredAt", "startedAt"]; // no facts
const PAST = 50; // what a snapshot tells of it
const pick = (row, names) => Object.fromEntries(names.map((name) => [name, row[name]]));
const omit = (row, names) => Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name)));
const byKey = (map) => [...map.entries()].sort(([a], [b]) => (a > b ? 1 : -1));

const shown = (facts, seq) => facts.map((fact) => fact.seq).filter((each) => each > seq - PAST);

/** What must be equal. Moments are the same to the second: a snapshot rounds where a fact cuts off. */
function comparable(state) {
  const seconds = (at) => at && Math.round(at / 1000);
  const seated = (member) => ({ ...member, enteredAt: seconds(member.enteredAt), lostAt: seconds(member.lostAt) });
  return {
    seq: state.seq,
    conference: pick(state.conference, FIELDS),
    attributes: state.attributes,
    members: byKey(state.members).map(([, member]) => seated(member)),
    streams: byKey(state.streams).map(([, stream]) => omit(stream, MEASURED)),
    waiting: state.waiting,
    messages: shown(state.messages, state.seq),
    timeline: shown(state.timeline, state.seq),
  };
}

const { stories } = JSON.parse(readFileSync(0, "utf8"));
for (const { stale, facts, fresh } of stories) {
  const made = facts.reduce(reduce, fromSnapshot(stale));
  for (const [name, value] of Object.entries(comparable(fromSnapshot(fresh)))) {
    assert.deepStrictEqual(comparable(made)[name], value, name);
  }
  const again = facts.reduce(reduce, made); // facts that are told twice
  assert.deepStrictEqual(comparable(again), comparable(made));
}
console.log(stories.length);
