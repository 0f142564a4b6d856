// A hundred of our clients in one conference of a real server, whose web processes are killed under them.
'use strict';

const assert = require('node:assert');
const { test } = require('node:test');

const { until } = require('./support/recorder.js');
const { room, user, webProcesses } = require('./support/server.js');

const HUNDRED = 100;

const ids = (mgr) => mgr.getMembers().map((member) => member.id);

/** How often each member was told to have come, and to have gone. */
function counts(heard, name) {
  const told = heard.of(name).map(([member]) => member.id);
  return new Map(Array.from(new Set(told), (id) => [id, told.filter((each) => each === id).length]));
}

async function crowd() {
  const config = { maxTalkerCount: HUNDRED };
  const { confrId, alice } = await room(['alice'], { confrType: 11, config });
  const numbers = Array.from({ length: HUNDRED - 1 }, (none, index) => index);
  const others = await Promise.all(numbers.map((number) => user(`guest-${number}`, { timeout: 30000, enterTimeout: 60000 })));
  await Promise.all(others.map(({ mgr }) => mgr.joinConference(confrId, 'pw')));
  const everybody = [alice, ...others];
  await until(() => everybody.every(({ mgr }) => mgr.getMembers().length === HUNDRED), 'not all see all', 30000);
  return { confrId, alice, everybody };
}

test('a hundred clients see each other once, and survive the death of every web process', { timeout: 180000 }, async () => {
  const { confrId, alice, everybody } = await crowd();
  everybody.forEach(({ heard, mgr }) => {
    const joined = counts(heard, 'onMemberJoined');
    assert.equal(joined.size, HUNDRED);
    assert.ok([...joined.values()].every((times) => times === 1), 'each once');
    assert.deepEqual(heard.of('onMemberExited'), []);
    assert.equal(ids(mgr).length, new Set(ids(mgr)).size);
    heard.forget();
  });

  const killed = webProcesses();
  assert.ok(killed.length >= 2, 'there are web processes to kill');
  killed.forEach(({ pid }) => process.kill(pid, 'SIGKILL'));
  await Promise.all(everybody.map(({ heard }) => heard.next('onReconnect', () => true, 60000)));
  await alice.mgr.setConferenceAttrs({ confrId, key: 'after', val: 'the fall' });
  const isMark = (attributes) => attributes.some(({ key }) => key === 'after');
  await Promise.all(everybody.map(({ heard }) => heard.next('onConfrAttrsUpdated', isMark, 30000)));

  everybody.forEach(({ heard, mgr }) => {
    assert.deepEqual(heard.of('onMemberJoined'), [], 'nobody came, since nobody had gone');
    assert.deepEqual(heard.of('onMemberExited'), []);
    assert.deepEqual(heard.of('onConferenceExit'), []);
    assert.equal(mgr.getMembers().length, HUNDRED);
  });
});
