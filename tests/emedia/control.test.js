// The control plane of the vendor's web SDK against a real server. Publishing is WebRTC, and not ours.
'use strict';

const assert = require('node:assert/strict');
const node = require('node:test');

const { APP_KEY, URL, WebUser, backend, until } = require('./web_sdk.js');

const { afterEach } = node;
// What is never answered fails by its name.
const test = (name, act) => node.test(name, { timeout: 60_000 }, act);
const users = [];
let rooms = 0;

async function make(name, config) {
  const user = await WebUser.make(name, config);
  users.push(user);
  return user;
}

const newRoom = () => `room-${process.pid}-${Date.now()}-${rooms++}`;

/** alice (ADMIN), bob (TALKER) and carol (the role asked for) in one room. */
async function meeting({ carol: role = 3 } = {}) {
  const [alice, bob, carol] = [await make('alice'), await make('bob'), await make('carol')];
  const room = newRoom();
  await alice.join(room, { role: 7 });
  await bob.join(room);
  await carol.join(room, { role });
  await alice.until('onMemberJoined', { name: carol.longName });
  await bob.until('onMemberJoined', { name: carol.longName });
  return { alice, bob, carol, room };
}

afterEach(() => {
  while (users.length) users.pop().close();
});

test('joinRoom makes a room, and answers what the SDK keeps of a conference', async () => {
  const alice = await make('alice');
  const bob = await make('bob');
  const room = newRoom();
  const confr = await alice.join(room, { role: 7 });
  assert.equal(confr.isCreator, true);
  assert.deepEqual([confr.type, confr.mixed, confr.role, confr.password], [10, false, 7, 'pw']);
  assert.ok(confr.roleToken && confr.ticket && confr.joinId && confr.confrId === confr.id);
  const joined = await bob.join(room);
  assert.equal(joined.isCreator, undefined);
  assert.equal(joined.role, 3);
});

test('everybody is in the roster once, with the name and the ext that was given', async () => {
  const [alice, bob] = [await make('alice'), await make('bob')];
  const room = newRoom();
  await alice.join(room, { role: 7, config: { ext: { seat: 'a' } } });
  await bob.join(room, { config: { nickName: 'Bobby', ext: { seat: 'b' } } });
  await alice.until('onMemberJoined');
  const told = { id: bob.confr.joinId, name: bob.longName, role: 3, ext: { seat: 'b', nickName: 'Bobby' } };
  assert.deepEqual(alice.of('onMemberJoined'), [told]);
  assert.deepEqual(
    bob.of('onMemberJoined').map(({ name, role, ext }) => [name, role, ext]),
    [[alice.longName, 7, { seat: 'a' }]],
  );
  assert.equal(alice.service.current._cacheMembers[bob.confr.joinId].nickName, 'Bobby');
});

test('a wrong password is refused with its code', async () => {
  const [alice, bob] = [await make('alice'), await make('bob')];
  const room = newRoom();
  await alice.join(room, { role: 7 });
  await assert.rejects(bob.join(room, { password: 'wrong' }), { error: -508 });
});

test('a token of somebody else is refused', async () => {
  const bob = await make('bob');
  bob.mgr.setIdentity(`${APP_KEY}_alice`, bob.mgr.identityToken);
  await assert.rejects(bob.join(newRoom()), { error: -100 });
});

test('a room with no talker seat left says so, and lets one in as audience', async () => {
  const [alice, bob] = [await make('alice'), await make('bob')];
  const room = newRoom();
  await alice.join(room, { role: 7, config: { confrType: 12, maxTalkerCount: 1, memDefaultRole: 3 } });
  await assert.rejects(bob.join(room, { role: 3 }), { error: -523 });
  assert.equal((await answer(bob, room, 1)).role, 1);
});

/** What req/ticket answers. The SDK itself stumbles as audience of LIVE: it subscribes to a mix over WebRTC. */
async function answer(user, room, role) {
  const { identityName: uid, identityToken: token } = user.mgr;
  const post = async (path, body) => {
    const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
    return (await fetch(URL + path, options)).json();
  };
  const found = { roomName: room, password: 'pw', memName: uid, token };
  const { confrId } = await post(`/${APP_KEY.replace('#', '/')}/conferences/room`, found);
  return post('/easemob/rtc/req/ticket', { uid, token, confrId, password: 'pw', role });
}

test('createConference, getConferenceTkt, joinConferenceWithTicket, joinConference', async () => {
  const [alice, bob, carol] = [await make('alice'), await make('bob'), await make('carol')];
  const confr = await alice.mgr.createConference(alice.mgr.ConfrType.COMMUNICATION_MIX, 'secret');
  assert.deepEqual([confr.type, confr.mixed, confr.role], [11, true, 7]);
  alice.confr = await alice.mgr.joinConferenceWithTicket(confr.confrId, confr.ticket, { a: 1 });
  await bob.mgr.getConferenceTkt(confr.confrId, 'secret');
  bob.confr = await bob.mgr.joinConferenceWithTicket(confr.confrId, bob.mgr._confrs[confr.confrId].ticket, {});
  carol.confr = await carol.mgr.joinConference(confr.confrId, 'secret', {});
  await alice.until('onMemberJoined', { name: carol.longName });
  assert.deepEqual(alice.of('onMemberJoined').map(({ name }) => name), [bob.longName, carol.longName]);
  const { confr: info } = await bob.mgr.getConferenceInfo(confr.confrId, 'secret');
  assert.deepEqual(
    [info.id, info.type, info.memTotal, info.audienceTotal, info.talkers.length],
    [confr.confrId, 11, 3, 0, 3],
  );
  await assert.rejects(carol.mgr.getConferenceInfo('NONE', 'secret'), { error: -301 });
});

test('grantRole makes an admin: told to itself by its role, to all by onAdminChanged', async () => {
  const { alice, bob, carol } = await meeting();
  assert.equal(await alice.mgr.grantRole(alice.confr, [bob.memName], 7), alice.confr.id);
  await bob.until('onRoleChanged', { role: 7 });
  for (const user of [alice, bob, carol]) {
    assert.deepEqual(await user.until('onAdminChanged'), { memberId: bob.confr.joinId, role: 7 });
  }
  assert.deepEqual([alice.of('onRoleChanged'), carol.of('onRoleChanged')], [[], []]);
  await assert.rejects(carol.mgr.grantRole(carol.confr, [carol.memName], 7), { error: -702 });
});

test('after grantRole the roster says the new role', async () => {
  const { alice, bob } = await meeting();
  await alice.mgr.grantRole(alice.confr, [bob.memName], 1);
  await bob.until('onRoleChanged', { role: 1 });
  await until(() => alice.service.current._cacheMembers[bob.confr.joinId].role === 1);
  assert.deepEqual(alice.of('onMemberExited'), []);
  assert.equal(alice.of('onMemberJoined').length, 2);
});

test('degradeRole: down by oneself', async () => {
  const { alice, bob } = await meeting();
  await alice.mgr.grantRole(alice.confr, [bob.memName], 7);
  await bob.until('onRoleChanged', { role: 7 });
  const itself = bob.window.Array.of(bob.memName); // it asks for an Array of its own window
  await bob.mgr.degradeRole(bob.confr.id, itself, 1);
  await bob.until('onRoleChanged', { role: 1 });
  assert.deepEqual(await alice.until('onAdminChanged', { role: 1 }), { memberId: bob.confr.joinId, role: 1 });
});

test('kick: the kicked leave with reason 12, the others are told, and the way back is shut', async () => {
  const { alice, bob, carol, room } = await meeting();
  await alice.mgr.kickMembersById(alice.confr, [bob.memName]);
  assert.equal((await bob.until('onConferenceExit')).reason, 12);
  for (const user of [alice, carol]) {
    assert.equal((await user.until('onMemberExited', { name: bob.longName })).reason, 12);
  }
  await assert.rejects(bob.join(room), { error: -701 });
  await assert.rejects(carol.mgr.kickMembersById(carol.confr, [alice.memName]), { error: -101 });
  assert.equal(bob.of('onConferenceExit').length, 1);
});

test('attributes are told to everybody, the writer too, and to who comes later', async () => {
  const { alice, bob, room } = await meeting();
  await new Promise((success, error) => bob.mgr.setConferenceAttrs({ key: 'topic', val: 'today', success, error }));
  for (const user of [alice, bob]) {
    const { attrs } = await user.until('onConfrAttrsUpdated');
    assert.deepEqual(attrs, [{ key: 'topic', val: 'today', op: 'UPDATE' }]);
  }
  const dora = await make('dora');
  await dora.join(room);
  assert.deepEqual((await dora.until('onConfrAttrsUpdated')).attrs, [{ key: 'topic', val: 'today', op: '' }]);
  await new Promise((success, error) => alice.mgr.deleteConferenceAttrs({ key: 'topic', success, error }));
  assert.equal((await bob.until('onConfrAttrsUpdated', {}, 2)).attrs[0].op, 'DEL');
});

test('muteAll and unmuteAll are told once each, and not to admins', async () => {
  const { alice, bob, carol } = await meeting();
  await alice.mgr.muteAll(alice.confr.id);
  await bob.until('onMuteAll');
  await carol.until('onMuteAll');
  await alice.mgr.unmuteAll(alice.confr.id);
  await bob.until('onUnMuteAll');
  await carol.until('onUnMuteAll');
  const mutes = (user) => user.told.map(([name]) => name).filter((name) => /mute/i.test(name));
  assert.deepEqual([alice, bob, carol].map(mutes), [[], ['onMuteAll', 'onUnMuteAll'], ['onMuteAll', 'onUnMuteAll']]);
});

test('one member is muted by an admin only, and the server enforces it', async () => {
  const { alice, bob, carol } = await meeting();
  carol.mgr.muteBymemberId(carol.confr.id, bob.confr.joinId);
  alice.mgr.muteBymemberId(alice.confr.id, bob.confr.joinId);
  await bob.until('onMuted');
  const { items } = await backend('GET', `/conferences/${alice.confr.id}/members`);
  const muted = Object.fromEntries(items.map((member) => [member.memName, member.muted]));
  assert.deepEqual(muted, { alice: [], bob: ['audio'], carol: [] });
  alice.mgr.unmuteBymemberId(alice.confr.id, bob.confr.joinId);
  await bob.until('onUnmuted');
  assert.deepEqual([bob.of('onMuted').length, bob.of('onUnmuted').length, carol.of('onMuted').length], [1, 1, 0]);
});

test('a hand is raised, and the admin agrees', async () => {
  const { alice, carol } = await meeting({ carol: 1 });
  carol.mgr.requestToTalker(carol.confr.id);
  const applicant = await alice.until('onRequestToTalker');
  assert.equal(applicant.memberId, carol.confr.joinId);
  const [, agree] = alice.answers.onRequestToTalker;
  await agree(applicant.memberId);
  await carol.until('onRoleChanged', { role: 3 });
});

test('a hand is raised, and the admin refuses', async () => {
  const { alice, bob, carol } = await meeting({ carol: 1 });
  carol.mgr.requestToTalker(carol.confr.id);
  bob.mgr.requestToAdmin(bob.confr.id);
  const hand = await alice.until('onRequestToTalker');
  const wish = await alice.until('onRequestToAdmin');
  alice.answers.onRequestToTalker[2](hand.memberId);
  alice.answers.onRequestToAdmin[2](wish.memberId);
  assert.deepEqual(await carol.until('onRequestToTalkerReply'), { result: 1 });
  assert.deepEqual(await bob.until('onRequestToAdminReply'), { result: 1 });
  assert.deepEqual([carol.of('onRequestToAdminReply'), bob.of('onRequestToTalkerReply')], [[], []]);
});

test('the last admin leaves: the talker who is longest inside is admin, and may act', async () => {
  const { alice, bob, carol } = await meeting();
  alice.mgr.exitConference();
  await bob.until('onMemberExited', { name: alice.longName });
  await bob.until('onRoleChanged', { role: 7 });
  assert.deepEqual(await carol.until('onAdminChanged'), { memberId: bob.confr.joinId, role: 7 });
  await bob.mgr.kickMembersById(bob.confr, [carol.memName]);
  assert.equal((await carol.until('onConferenceExit')).reason, 12);
});

test('destroyConference ends it for everybody with reason 11', async () => {
  const { alice, bob, carol } = await meeting();
  await assert.rejects(bob.mgr.destroyConference(bob.confr.id), { error: -101 });
  await alice.mgr.destroyConference(alice.confr.id);
  for (const user of [alice, bob, carol]) assert.equal((await user.until('onConferenceExit')).reason, 11);
});

test('exitConference(true) ends it for everybody', async () => {
  const { alice, bob, carol } = await meeting();
  alice.mgr.exitConference(true);
  for (const user of [bob, carol]) assert.equal((await user.until('onConferenceExit')).reason, 11);
});

test('calls for a relay to a CDN are refused by their own codes', async () => {
  const { alice } = await meeting();
  const { id } = alice.confr;
  await assert.rejects(alice.mgr.addLive(id, { cdn: 'rtmp://cdn.example/a' }), { error: -530 });
  await assert.rejects(alice.mgr.updateLiveLayout(id, 'L1', []), { error: -533 });
  await assert.rejects(alice.mgr.deleteLive(id, 'L1'), { error: -533 });
});

test('the network goes and comes back: the same member, and what happened meanwhile is told once', async () => {
  const { alice, bob, carol, room } = await meeting();
  const { joinId } = bob.confr;
  bob.offline();
  carol.mgr.exitConference();
  await alice.until('onMemberExited', { name: carol.longName });
  const dora = await make('dora');
  await dora.join(room);
  bob.online();
  await bob.until('onMemberJoined', { name: dora.longName });
  await bob.until('onMemberExited', { name: carol.longName });
  assert.equal(bob.service.current.getMemberId(), joinId);
  assert.deepEqual(alice.of('onMemberExited').map(({ name }) => name), [carol.longName]);
  const joined = bob.of('onMemberJoined').map(({ name }) => name);
  assert.deepEqual(joined.sort(), [alice.longName, carol.longName, dora.longName]);
  alice.mgr.muteBymemberId(alice.confr.id, joinId);
  await bob.until('onMuted');
});

test('a heartbeat repairs what a client has missed', async () => {
  const { alice, bob } = await meeting();
  const { current } = bob.service;
  delete current._cacheMembers[alice.confr.joinId]; // as if the push had been lost
  current._cver = 1;
  current._sysCopy();
  await bob.until('onMemberJoined', { name: alice.longName }, 2);
  assert.deepEqual(bob.of('onMemberExited'), []);
});

test('a second device of the same user takes the place of the first, which is told with reason 10', async () => {
  const { alice, bob, room } = await meeting();
  const again = await make('bob');
  await again.join(room);
  assert.equal((await bob.until('onConferenceExit')).reason, 10);
  assert.equal(again.confr.joinId, bob.confr.joinId);
  assert.deepEqual(alice.of('onMemberExited'), []);
});

test('nothing that the server sends makes the SDK throw', async () => {
  const { alice, bob, carol } = await meeting();
  await alice.mgr.grantRole(alice.confr, [carol.memName], 1);
  await alice.mgr.muteAll(alice.confr.id);
  await backend('POST', `/conferences/${alice.confr.id}/broadcast`, { content: 'hello' });
  await backend('PATCH', `/conferences/${alice.confr.id}`, { locked: true });
  carol.mgr.exitConference();
  await bob.until('onMemberExited', { name: carol.longName });
  await alice.mgr.destroyConference(alice.confr.id);
  await bob.until('onConferenceExit');
  for (const user of [alice, bob, carol]) assert.deepEqual(user.of('error'), []);
});
