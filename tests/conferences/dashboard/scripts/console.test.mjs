// The console's state: what each fact makes of a room, and when an act has come true. Whether facts on a stale snapshot
// make a fresh one is asked of the real server's facts in replay.mjs.
import assert from "node:assert";
import { describe, test } from "node:test";

import { isDone } from "../../../../static/dashboard/console/confirmations.js";
import { counts, fromSnapshot, health, listed, reduce, streamsByMember } from "../../../../static/dashboard/console/state.js";

const NOBODY = { kind: "system", id: "", name: "", address: "", reason: "" };
const member = (number, role, more = {}) => ({
  member: number, name: `user${number}`, nickName: "", ext: "", role, muted: [], state: "present", address: "192.0.2.1",
  device: "phone", enteredAt: 1000, lostAt: null, ...more,
});
const snapshot = {
  seq: 10,
  conference: { confrId: "R", state: "live", locked: false, rec: false, muteNewcomers: [], name: "weekly" },
  attributes: { topic: "a" },
  members: [member(1, 7), member(2, 3), member(3, 1, { nickName: "Carol" })],
  streams: [{ id: "cam__Of_M2", member: 2, name: "user2", rtcId: "cam", type: 0, kind: "video", videoOff: false, audioOff: false, startedAt: 1000 }],
  waiting: [],
  past: [
    { seq: 8, event: "role.answered", at: 800, actor: NOBODY, data: { member: 5, role: 3, granted: false, to: [5] } },
    { seq: 9, event: "message.broadcast", at: 900, actor: NOBODY, data: { content: "hello" } },
  ],
  names: { 5: "erin" },
};
const start = fromSnapshot(snapshot);
const happen = (state, ...facts) =>
  facts.reduce((so, [event, data, actor = NOBODY]) => reduce(so, { seq: so.seq + 1, event, at: 5000, actor, data }), state);

describe("what a fact makes of the room", () => {
  test("nothing is changed in place, and what is not touched is the same", () => {
    const before = structuredClone(start);
    const after = happen(start, ["member.muted", { member: 2, muted: ["audio"], changed: ["audio"] }]);
    assert.deepEqual(start, before);
    assert.equal(after.streams, start.streams);
    assert.deepEqual(after.members.get(2).muted, ["audio"]);
  });

  test("a fact that is known already, or a note without a number, changes no numbers", () => {
    const known = reduce(start, { seq: 10, event: "member.exited", at: 1, actor: NOBODY, data: { member: 1 } });
    assert.equal(known, start);
    const note = reduce(start, { seq: 0, event: "audience.counted", at: 1, actor: null, data: { audience: 3 } });
    assert.equal(note.seq, 10);
    assert.equal(note.timeline, start.timeline);
  });

  test("who joins is there with the address and the device that the fact tells", () => {
    const data = { member: 4, name: "dora", nickName: "D", ext: "", role: 3, muted: [], device: "tablet" };
    const after = happen(start, ["member.joined", data, { ...NOBODY, kind: "user", address: "203.0.113.9" }]);
    assert.deepEqual(after.members.get(4), {
      ...data, state: "present", address: "203.0.113.9", enteredAt: 5000, lostAt: null,
    });
  });

  test("who is lost comes back from another address; when the server finds out by itself, from the same", () => {
    const lost = happen(start, ["member.lost", { member: 2 }]);
    assert.deepEqual([lost.members.get(2).state, lost.members.get(2).lostAt], ["reconnecting", 5000]);
    const back = happen(lost, ["member.returned", { member: 2 }, { ...NOBODY, kind: "user", address: "203.0.113.9" }]);
    assert.deepEqual([back.members.get(2).state, back.members.get(2).address], ["present", "203.0.113.9"]);
    assert.equal(happen(lost, ["member.returned", { member: 2 }]).members.get(2).address, "192.0.2.1");
  });

  test("a raised hand stays until it is answered, the role changes, or its owner goes", () => {
    const ask = ["role.requested", { member: 3, role: 3, ref: "r", name: "user3", nickName: "Carol" }];
    const asked = happen(start, ask, ask);
    assert.equal(asked.waiting.length, 1);
    for (const end of [
      ["role.answered", { member: 3, granted: false, role: 3 }],
      ["role.changed", { member: 3, role: 3, was: 1, muted: [] }],
      ["member.exited", { member: 3, reason: 0 }],
    ]) assert.deepEqual(happen(asked, end).waiting, []);
  });

  test("streams come, change and go", () => {
    const stream = { id: "s__Of_M1", rtcId: "s", type: 1, kind: "desktop", videoOff: false, audioOff: false };
    const added = happen(start, ["stream.added", { member: 1, name: "user1", stream }]);
    assert.deepEqual(streamsByMember(added.streams).get(1).map((each) => each.id), ["s__Of_M1"]);
    const off = happen(added, ["stream.changed", { member: 1, stream: { ...stream, audioOff: true } }]);
    assert.deepEqual([off.streams.get("s__Of_M1").audioOff, off.streams.get("s__Of_M1").name], [true, "user1"]);
    assert.equal(happen(off, ["stream.removed", { member: 1, stream, reason: "stopped" }]).streams.size, 1);
  });

  test("the end empties the room", () => {
    const after = happen(start, ["conference.closed", { reason: "destroyed" }]);
    assert.deepEqual([after.conference.state, after.members.size, after.streams.size], ["closed", 0, 0]);
  });

  test("settings, attributes and recording follow; a setting that the page does not know is left out", () => {
    const after = happen(
      start,
      ["conference.updated", { locked: true, passwordChanged: true }],
      ["conference.muted", { kinds: ["audio", "video"], muted: true, newcomers: true }],
      ["conference.muted", { kinds: ["video"], muted: false, newcomers: true }],
      ["conference.muted", { kinds: ["desktop"], muted: true, newcomers: false }],
      ["attributes.updated", { set: { mood: "good" }, deleted: ["topic"] }],
      ["recording.started", { take: 1 }],
    );
    assert.deepEqual(after.conference, { ...snapshot.conference, locked: true, rec: true, muteNewcomers: ["audio"] });
    assert.deepEqual(after.attributes, { mood: "good" });
  });

  test("the timeline and the messages keep what came last, and who a fact was about", () => {
    let state = start;
    for (let n = 0; n < 400; n += 1) state = happen(state, ["message.broadcast", { content: String(n) }]);
    assert.deepEqual([state.timeline.length, state.messages.length, state.messages.at(-1).data.content], [300, 300, "399"]);
    const gone = happen(start, ["stream.removed", { member: 2, stream: snapshot.streams[0], reason: "muted" }]);
    assert.equal(gone.timeline.at(-1).name, "user2");
  });

  test("whom the past tells of has a name, though the seat is empty; so have those who get a message", () => {
    assert.deepEqual([start.timeline[0].name, start.timeline[0].receivers], ["erin", ["erin"]]);
    const sent = happen(start, ["message.sent", { member: 0, name: "mona", to: [2, 9], content: "psst" }]);
    assert.deepEqual([sent.timeline.at(-1).name, sent.messages.at(-1).receivers], ["mona", ["user2", "#9"]]);
  });
});

describe("what is read from it", () => {
  test("the list begins with who may do most, and is searched by name, nickname, address and device", () => {
    assert.deepEqual(listed(start.members).map((each) => each.member), [1, 2, 3]);
    assert.deepEqual(listed(start.members, " carol ").map((each) => each.member), [3]);
    assert.deepEqual(listed(start.members, "192.0", 3).map((each) => each.member), [2]);
    assert.deepEqual(listed(start.members, "nobody"), []);
  });

  test("counts", () => {
    const lost = happen(start, ["member.lost", { member: 3 }]);
    assert.deepEqual(counts(lost.members), { admins: 1, talkers: 2, audience: 1, lost: 1 });
  });

  test("a stream is good while bytes come, silent without them, and disobeys a mute that it ignores", () => {
    const good = { bitrate: 1, at: 100_000, disobeys: [] };
    assert.equal(health(undefined, 100_000), "new");
    assert.equal(health({ ...good, at: null }, 100_000), "new");
    assert.equal(health(good, 101_000), "good");
    assert.equal(health({ ...good, bitrate: 0 }, 101_000), "silent");
    assert.equal(health(good, 120_000), "silent");
    assert.equal(health({ ...good, disobeys: ["audio"] }, 101_000), "disobeys");
  });
});

describe("an act has come true", () => {
  const asked = (act, body, answer = {}) => ({ act, body, answer, seq: 10 });
  const kicked = happen(start, ["member.exited", { member: 2, reason: 12 }]);
  const muted = happen(start, ["member.muted", { member: 2, muted: ["audio"], changed: ["audio"] }]);
  const cases = [
    [asked("kick", { names: ["user2"] }), kicked],
    [asked("ban", { names: ["user2"], everywhere: true }), kicked],
    [asked("mute", { names: ["user2", "stranger"], kinds: ["audio"], muted: true }), muted],
    [asked("role", { names: ["user3"], role: 3 }), happen(start, ["role.changed", { member: 3, role: 3, muted: [] }])],
    [asked("stop_stream", { stream: "cam__Of_M2" }), happen(start, ["stream.removed", { member: 2, stream: { id: "cam__Of_M2" } }])],
    [asked("lock", { locked: true }), happen(start, ["conference.updated", { locked: true }])],
    [asked("record", { recorded: true }), happen(start, ["recording.started", {}])],
    [asked("mute_all", {}), happen(start, ["conference.muted", { kinds: [], muted: true }])],
    [asked("announce", {}), happen(start, ["message.broadcast", { content: "x" }])],
    [asked("unban", {}, { lifted: 1 }), happen(start, ["ban.lifted", {}])],
    [asked("ban_network", { everywhere: false }), happen(start, ["ban.added", {}])],
    [asked("end", {}), happen(start, ["conference.closed", { reason: "destroyed" }])],
  ];
  for (const [act, after] of cases) {
    test(`${act.act}: not before the fact, but then`, () => {
      assert.equal(isDone(start, act), false);
      assert.equal(isDone(after, act), true);
    });
  }

  test("what needs no fact of this room is done when the server says so", () => {
    assert.equal(isDone(start, asked("invite", {})), true);
    assert.equal(isDone(start, asked("unban", {}, { lifted: 0 })), true);
    assert.equal(isDone(start, asked("ban_network", { everywhere: true })), true);
  });
});
