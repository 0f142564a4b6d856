// Three clients of three protocols in one conference: the vendor's web SDK, our SDK, and our own socket at `/live`.
// Each sees every event of the others once and in order.
'use strict';

const assert = require('node:assert/strict');
const { test, afterEach } = require('node:test');
const WebSocket = require('ws');

const { create } = require('../../static/sdk/emedia.js');
const { APP_KEY, URL, WebUser, backend, tokenOf, until } = require('./web_sdk.js');

/** A member at `/live`: `told` holds the pushes in order. */
async function native(confrId, memName) {
  const { ticket, url } = await backend('POST', `/conferences/${confrId}/tickets`, { memName });
  const socket = new WebSocket(url);
  open.push(() => socket.terminate());
  const told = [];
  const replies = new Map();
  let asked = 0;
  socket.on('message', (text) => {
    const frame = JSON.parse(text);
    if (frame.event) told.push(frame);
    else replies.get(frame.id)(frame);
  });
  await new Promise((resolve) => socket.on('open', resolve));
  const ask = async (op, data = {}) => {
    const id = ++asked;
    const reply = new Promise((resolve) => replies.set(id, resolve));
    socket.send(JSON.stringify({ id, op, data }));
    const { result, error } = await reply;
    if (error) throw new Error(`${op}: ${error.code}`);
    return result;
  };
  const { memId } = await ask('enter', { ticket });
  return { told, ask, memId, socket };
}

/** A user of our SDK: `told` holds what its callbacks were called with, in short. */
async function ours(confrId, name) {
  const { mgr, config } = create({ fetch, WebSocket });
  config({ host: URL, appkey: APP_KEY });
  mgr.setIdentity(name, await tokenOf(name));
  const told = [];
  const listen = (callback, short) => mgr.on(callback, (...given) => told.push([callback, short(...given)]));
  listen('onMemberJoined', (member) => member.name);
  listen('onMemberExited', (member) => member.name);
  listen('onConfrAttrsUpdated', (attrs) => attrs.find(({ key }) => key === 'topic').val);
  listen('onRoleChanged', (role) => role);
  listen('onMuteAll', () => true);
  listen('onConferenceExit', (reason) => reason);
  await mgr.joinConference(confrId, 'pw');
  open.push(() => mgr.exitConference(confrId).catch(() => {})); // where it is over, it has left
  return { mgr, told };
}

// What is left open when a test fails would keep the process alive, and nobody would hear why it failed.
const open = [];
afterEach(() => {
  while (open.length) open.pop()();
});

test('the web SDK, our SDK and a native client see each other, each event once and in order', { timeout: 60_000 }, async () => {
  const alice = await WebUser.make('alice');
  open.push(() => alice.close());
  const { id: confrId } = await alice.join(`mixed-${process.pid}-${Date.now()}`, { role: 7 });
  const bob = await ours(confrId, 'bob');
  const carol = await native(confrId, 'carol');
  await alice.until('onMemberJoined', { name: `${APP_KEY}_carol@easemob.com` });
  await until(() => bob.told.some(([name, who]) => name === 'onMemberJoined' && who === 'carol'));

  await carol.ask('setConferenceAttrs', { attrs: { topic: 'native' } });
  await bob.mgr.setConferenceAttrs({ confrId, key: 'topic', val: 'ours' });
  await new Promise((success, error) => alice.mgr.setConferenceAttrs({ key: 'topic', val: 'web', success, error }));
  await alice.mgr.muteAll(confrId);
  await alice.mgr.grantRole(alice.confr, [`${APP_KEY}_bob`], 7);
  await until(() => bob.told.some(([name]) => name === 'onRoleChanged'));
  await bob.mgr.kickMembersById(confrId, ['carol']);
  await alice.until('onMemberExited');
  await bob.mgr.destroyConference(confrId);
  await alice.until('onConferenceExit');
  await until(() => bob.told.some(([name]) => name === 'onConferenceExit'));

  const short = (name) => name && name.replace(`${APP_KEY}_`, '').replace('@easemob.com', '');
  const ofWeb = ({ name, attrs, role, reason }) => (attrs ? attrs[0].val : short(name) || role || reason);
  assert.deepEqual(
    alice.told.map(([callback, given]) => [callback, ofWeb(given)]),
    [
      ['onMemberJoined', 'bob'],
      ['onMemberJoined', 'carol'],
      ['onConfrAttrsUpdated', 'native'],
      ['onConfrAttrsUpdated', 'ours'],
      ['onConfrAttrsUpdated', 'web'],
      ['onAdminChanged', 7],
      ['onMemberExited', 'carol'],
      ['onConferenceExit', 11],
    ],
  );
  const end = bob.told.findIndex(([callback]) => callback === 'onConferenceExit');
  assert.deepEqual(
    bob.told.slice(0, end + 1).filter(([, what]) => what !== 'alice' && what !== 'bob'), // its own roster at the door
    [
      ['onMemberJoined', 'carol'],
      ['onConfrAttrsUpdated', 'native'],
      ['onConfrAttrsUpdated', 'ours'],
      ['onConfrAttrsUpdated', 'web'],
      ['onMuteAll', true],
      ['onRoleChanged', 7],
      ['onMemberExited', 'carol'],
      ['onConferenceExit', 11],
    ],
  );
  const ofNative = ({ set, memName, reason, kinds }) => (set ? set.topic : memName || reason || kinds[0]);
  assert.deepEqual(
    carol.told.map(({ event, data }) => [event, ofNative(data)]),
    [
      ['onConfrAttrsUpdated', 'native'],
      ['onConfrAttrsUpdated', 'ours'],
      ['onConfrAttrsUpdated', 'web'],
      ['onMuteAll', 'audio'],
      ['onMediaChanaged', 'bob'],
      ['onMediaChanaged', 'carol'],
      ['onRoleChanged', 'bob'],
      ['onConferenceExit', 12],
    ],
  );
});
