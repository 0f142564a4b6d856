// Our SDK with a real server, its database, Redis and sockets; every user has a phone of its own with `wx`.
'use strict';

const assert = require('node:assert');
const { describe, test } = require('node:test');

const { until } = require('./support/recorder.js');
const { API_KEY, APP_KEY, URL, backend, room, roomName, user } = require('./support/server.js');

const names = (members) => members.map((member) => member.name);

/** The number that whole room is at now: nothing that was done before is still on its way. */
async function settled(...users) {
  const mark = 'mark-' + Math.random().toString(36).slice(2);
  await users[0].mgr.setConferenceAttrs({ key: 'mark', val: mark });
  const isMark = (attributes) => attributes.some(({ val }) => val === mark);
  await Promise.all(users.map(({ heard }) => heard.next('onConfrAttrsUpdated', isMark)));
}

describe('getting in', () => {
  test('a conference is created, looked at, entered by its creator and by others', async () => {
    const [alice, bob] = [await user('alice'), await user('bob')];
    const confr = await alice.mgr.createConference(alice.mgr.ConfrType.COMMUNICATION, 'secret', false, false);
    assert.match(confr.confrId, /^[0-9A-Z]{24}$/);
    assert.equal(confr.data.ticket, confr.ticket);
    assert.equal(confr.data.data.roleToken, confr.roleToken);

    const asAlice = await alice.mgr.joinConferenceWithTicket(confr.confrId, confr.data.ticket, { seat: 1 });
    assert.equal(asAlice.role, alice.mgr.Role.ADMIN);
    assert.equal(asAlice.memId, `${confr.confrId}M1`);
    assert.equal(String(asAlice), asAlice.memId);

    const asBob = await bob.mgr.joinConference(confr.confrId, 'secret', { nickName: 'Bobby' });
    assert.equal(asBob.role, bob.mgr.Role.TALKER);
    const [seen] = await alice.heard.next('onMemberJoined', (member) => member.name === 'bob');
    assert.deepEqual([seen.nickName, seen.ext.nickName, seen.globalName], ['Bobby', 'Bobby', `${APP_KEY}_bob@easemob.com`]);
    assert.deepEqual(JSON.parse(seen.ext), { nickName: 'Bobby' });
    assert.deepEqual(names(bob.mgr.getMembers()), ['bob', 'alice']);
    assert.equal(bob.mgr.getMembers()[1].ext.seat, 1);

    const { data } = await bob.mgr.getConferenceInfo(confr.confrId, 'secret');
    assert.deepEqual([data.confr.id, data.confr.type, data.confr.memTotal], [confr.confrId, 10, 2]);
  });

  test('a password that is left out is made up, and is needed', async () => {
    const [alice, bob] = [await user('alice'), await user('bob')];
    const confr = await alice.mgr.createConference(10);
    assert.ok(confr.password.length >= 8);
    await assert.rejects(bob.mgr.joinConference(confr.confrId, ''), { error: -508 });
    assert.equal((await bob.mgr.joinConference(confr.confrId, confr.password)).role, 3);
  });

  test('refusals say what is wrong, in the language that was asked for, and leave nobody inside', async () => {
    const { confrId, alice } = await room(['alice']);
    const charlie = await user('charlie');
    await assert.rejects(charlie.mgr.joinConference(confrId, 'wrong'), { error: -508, message: /password is wrong/ });
    charlie.emedia.config({ language: 'zh' });
    await assert.rejects(charlie.mgr.joinConference(confrId, 'wrong'), { error: -508, message: /密码/ });
    await assert.rejects(charlie.mgr.joinConference('NOSUCHROOM', 'pw'), { error: -301 });
    await charlie.mgr.joinConference(confrId, 'pw');
    await assert.rejects(charlie.mgr.muteBymemberId(confrId, `${confrId}M1`), { error: -101, message: /无权/ });
    await charlie.mgr.exitConference(confrId);
    charlie.heard.forget();
    await alice.heard.next('onMemberExited');
    await assert.rejects(charlie.mgr.getConferenceInfo(confrId, 'wrong'), { error: -508 });
    charlie.mgr.setIdentity('charlie', 'no token of ours');
    await assert.rejects(charlie.mgr.joinConference(confrId, 'pw'), { error: -100 });
    charlie.mgr.setIdentity('alice', charlie.token);
    await assert.rejects(charlie.mgr.createConference(10, 'pw'), { error: -100 });
    assert.deepEqual(charlie.heard.story, []);
    assert.deepEqual(names(alice.mgr.getMembers()), ['alice']);
  });

  test('joinRoom makes the room, or enters the one that is there', async () => {
    const [alice, bob] = [await user('alice'), await user('bob')];
    const roomOption = { roomName: roomName(), password: 'pw' };
    const made = await alice.mgr.joinRoom({ ...roomOption, config: { nickName: 'Al', ext: { seat: 2 } } });
    assert.equal(made.isCreator, true);
    const found = await bob.mgr.joinRoom({ ...roomOption, role: bob.mgr.Role.AUDIENCE });
    assert.equal(found.confrId, made.confrId);
    assert.equal(found.isCreator, undefined);
    assert.equal(found.role, 1);
    const [, al] = bob.mgr.getMembers();
    assert.deepEqual([al.nickName, al.ext.seat], ['Al', 2]);
    await assert.rejects((await user('carol')).mgr.joinRoom({ ...roomOption, password: 'no' }), { error: -508 });
  });

  test('a full conference refuses with what is full', async () => {
    const config = { maxTalkerCount: 1, maxAudienceCount: 1, memDefaultRole: 3 };
    const { confrId } = await room(['alice'], { confrType: 12, config });
    const [carol, dave] = [await user('carol'), await user('dave')];
    await assert.rejects(carol.mgr.joinConference(confrId, 'pw'), { error: -523 });
    assert.equal((await carol.mgr.joinConference(confrId, 'pw', {}, { role: 1 })).role, 1);
    await assert.rejects(dave.mgr.joinConference(confrId, 'pw', {}, { role: 1 }), { error: -522 });
  });

  test('all three forms of a name are one person', async () => {
    const { confrId, alice, bob } = await room(['alice', 'bob']);
    await alice.mgr.grantRole(confrId, [`${APP_KEY}_bob@easemob.com`], 7);
    await bob.heard.next('onRoleChanged', (role) => role === 7);
    await alice.mgr.grantRole(confrId, [`${APP_KEY}_bob`], 3);
    await bob.heard.next('onRoleChanged', (role) => role === 3);
    const long = await user('carol');
    long.mgr.setIdentity(`${APP_KEY}_carol`, long.token);
    await long.mgr.joinConference(confrId, 'pw');
    const [carol] = await alice.heard.next('onMemberJoined', (member) => member.name === 'carol');
    await alice.mgr.kickMembersById(confrId, carol);
    await long.heard.next('onConferenceExit');
  });
});

describe('moderation', () => {
  test('a kick is final, is told to all, and holds', async () => {
    const { confrId, alice, bob, carol } = await room(['alice', 'bob', 'carol']);
    await assert.rejects(bob.mgr.kickMembersById(confrId, ['carol']), { error: -101 });
    await alice.mgr.kickMembersById(confrId, ['bob']);
    const [reason, failed] = await bob.heard.next('onConferenceExit');
    assert.deepEqual([reason, failed], [bob.mgr.ExitReason.KICKED, undefined]);
    const [who, why] = await carol.heard.next('onMemberExited');
    assert.deepEqual([who.name, why], ['bob', 12]);
    await assert.rejects(bob.mgr.joinConference(confrId, 'pw'), { error: -701 });
    assert.deepEqual(names(carol.mgr.getMembers()), ['carol', 'alice']);
  });

  test('who is kicked while away finds the door shut', async () => {
    const { confrId, alice, bob } = await room(['alice', 'bob']);
    bob.phone.loseNetwork();
    await bob.heard.next('onReconnecting');
    await alice.mgr.kickMembersById(confrId, ['bob']);
    bob.phone.findNetwork();
    assert.deepEqual((await bob.heard.next('onConferenceExit')).slice(0, 2), [2, -701]);
  });

  test('roles go up and down, and the role token follows', async () => {
    const { confrId, alice, bob, carol } = await room(['alice', 'bob', 'carol']);
    await assert.rejects(bob.mgr.grantRole(confrId, ['bob'], 7), { error: -702 });
    await alice.mgr.grantRole(confrId, ['bob'], '7');
    await bob.heard.next('onRoleChanged', (role) => role === 7);
    const isBob = ({ memberId, role }) => memberId === `${confrId}M2` && role === 7;
    await carol.heard.next('onAdminChanged', isBob);
    const [changed] = await carol.heard.next('onMemberChanged');
    assert.deepEqual([changed.name, changed.role], ['bob', 7]);
    await bob.mgr.grantRole(confrId, ['carol'], 1);
    await carol.heard.next('onRoleChanged', (role) => role === 1);
    await bob.mgr.degradeRole(confrId, ['bob'], 3);
    await bob.heard.next('onRoleChanged', (role) => role === 3);
    await assert.rejects(bob.mgr.grantRole(confrId, ['carol'], 3), { error: -702 });
    await assert.rejects(alice.mgr.grantRole(confrId, ['nobody'], 3), { error: -504 });
  });

  test('mute-all reaches everybody but admins, and who comes later', async () => {
    const { confrId, alice, bob } = await room(['alice', 'bob']);
    await assert.rejects(bob.mgr.muteAll(confrId), { error: -101 });
    await alice.mgr.muteAll(confrId);
    await bob.heard.next('onMuteAll');
    const carol = await user('carol');
    await carol.mgr.joinConference(confrId, 'pw');
    await carol.heard.next('onMuteAll');
    await alice.mgr.unmuteAll(confrId);
    await Promise.all([bob, carol].map(({ heard }) => heard.next('onUnMuteAll')));
    await settled(alice, bob, carol);
    assert.deepEqual(alice.heard.of('onMuteAll'), []);
    assert.deepEqual(bob.heard.of('onMuted'), [], 'told once');
  });

  test('one member is muted by an admin and by nobody else', async () => {
    const { confrId, alice, bob, carol } = await room(['alice', 'bob', 'carol']);
    await assert.rejects(bob.mgr.muteBymemberId(confrId, `${confrId}M3`), { error: -101 });
    await alice.mgr.muteBymemberId(confrId, `${confrId}M3`);
    await carol.heard.next('onMuted');
    await assert.rejects(carol.mgr.pubStream('mic', { kind: 'audio' }), { error: -101 });
    await alice.mgr.unmuteByMemberId(confrId, `${confrId}M3`);
    await carol.heard.next('onUnmuted');
    await settled(alice, bob, carol);
    assert.deepEqual([bob.heard.of('onMuted'), alice.heard.of('onMuted')], [[], []]);
  });

  test('a raised hand is agreed to, and refused', async () => {
    const roles = { bob: 1 };
    const { confrId, alice, bob } = await room(['alice', 'bob'], { confrType: 12, roles });
    await bob.mgr.requestToTalker(confrId);
    const [who, , refuse] = await alice.heard.next('onRequestToTalker');
    assert.deepEqual([who.name, who.memberId, who.nickName], ['bob', `${confrId}M2`, 'bob']);
    refuse(who.memberId);
    assert.deepEqual(await bob.heard.next('onRequestToTalkerReply'), [1]);

    alice.heard.forget();
    bob.heard.forget();
    await bob.mgr.raiseHand(confrId);
    const [, agree] = await alice.heard.next('onRequestToTalker');
    await agree(who.memberId);
    assert.deepEqual(await bob.heard.next('onRequestToTalkerReply'), [0]);
    assert.equal(bob.heard.of('onRoleChanged')[0][0], 3);
    await alice.heard.next('onMemberJoined', (member) => member.name === 'bob', 5000);

    await bob.mgr.requestToAdmin(confrId);
    const [, promote] = await alice.heard.next('onRequestToAdmin');
    await promote();
    assert.deepEqual(await bob.heard.next('onRequestToAdminReply'), [0]);
    await settled(alice, bob);
    assert.equal(bob.heard.of('onRequestToTalkerReply').length, 1);
  });

  test('the end of a conference reaches everybody once, with reason 11', async () => {
    const { confrId, users, alice, bob } = await room(['alice', 'bob', 'carol']);
    await assert.rejects(bob.mgr.destroyConference(confrId), { error: -101 });
    await alice.mgr.destroyConference(confrId);
    for (const { heard } of users) {
      assert.deepEqual((await heard.next('onConferenceExit')).slice(0, 2), [11, undefined]);
    }
    await assert.rejects(bob.mgr.joinConference(confrId, 'pw'), { error: -506 });
    users.forEach(({ heard }) => assert.equal(heard.of('onConferenceExit').length, 1));
  });

  test('when the last admin leaves, the next one is told', async () => {
    const { alice, bob, carol } = await room(['alice', 'bob', 'carol']);
    await alice.mgr.exitConference();
    await bob.heard.next('onRoleChanged', (role) => role === 7);
    await carol.heard.next('onMemberChanged', (member) => member.name === 'bob' && member.role === 7);
  });
});

describe('attributes', () => {
  test('are set, changed and deleted, told to all, and shown to who comes later', async () => {
    const { confrId, alice, bob } = await room(['alice', 'bob']);
    await bob.mgr.setConferenceAttrs({ confrId, key: 'topic', val: 'tea' });
    for (const { heard } of [alice, bob]) {
      assert.deepEqual(await heard.next('onConfrAttrsUpdated'), [[{ key: 'topic', val: 'tea', op: 'UPDATE' }]]);
    }
    const carol = await user('carol');
    await carol.mgr.joinConference(confrId, 'pw');
    assert.deepEqual(await carol.heard.next('onConfrAttrsUpdated'), [[{ key: 'topic', val: 'tea', op: '' }]]);
    const answered = new Promise((success) => alice.mgr.deleteConferenceAttrs({ confrId, key: 'topic', success }));
    assert.equal((await answered).data.error, 0);
    await carol.heard.next('onConfrAttrsUpdated', ([attribute]) => attribute.op === 'DEL');
    const refused = new Promise((error) =>
      alice.mgr.setConferenceAttrs({ confrId, key: 'big', val: 'x'.repeat(20000), error }),
    );
    assert.equal((await refused).error, -200);
  });
});

describe('losses', () => {
  test('whoever loses the network comes back to the same seat and misses nothing', async () => {
    const { confrId, alice, bob, carol } = await room(['alice', 'bob', 'carol']);
    bob.heard.forget();
    alice.heard.forget();
    bob.phone.loseNetwork();
    await bob.heard.next('onReconnecting');
    const dave = await user('dave');
    await dave.mgr.joinConference(confrId, 'pw');
    await carol.mgr.exitConference();
    await alice.mgr.setConferenceAttrs({ key: 'while', val: 'away' });
    await alice.mgr.grantRole(confrId, ['bob'], 7);
    await alice.mgr.muteAll(confrId);
    await alice.mgr.unmuteAll(confrId);
    bob.phone.findNetwork();
    const [memId] = await bob.heard.next('onReconnect');
    assert.equal(memId, `${confrId}M2`);
    await settled(alice, bob);
    const story = bob.heard.story.filter((line) => !line.startsWith('onReconnecting'));
    assert.deepEqual(story.slice().sort(), [
      'onConfrAttrsUpdated',
      'onConfrAttrsUpdated', // the mark of `settled`
      'onMemberExited carol',
      'onMemberJoined dave',
      'onReconnect ' + memId,
      'onRoleChanged 7',
    ]);
    assert.deepEqual(names(bob.mgr.getMembers()), ['bob', 'alice', 'dave']);
    const seen = alice.heard.story.filter((line) => /^onMember(Joined|Exited)/.test(line));
    assert.deepEqual(seen, ['onMemberJoined dave', 'onMemberExited carol'], 'nobody saw bob go or come');
  });

  test('a change of networks, which nobody announces, is found and repaired', async () => {
    const { alice, bob } = await room(['alice', 'bob'], { options: { timeout: 1500 } });
    bob.heard.forget();
    bob.phone.changeNetwork('4g');
    await bob.heard.next('onReconnect');
    await settled(alice, bob);
    assert.equal(bob.heard.of('onMemberJoined').length, 0);
  });

  test('another device takes the seat over; the first is told and stays away', async () => {
    const { confrId, alice, bob } = await room(['alice', 'bob']);
    alice.heard.forget();
    const again = await user('bob');
    await again.mgr.joinConference(confrId, 'pw');
    assert.deepEqual((await bob.heard.next('onConferenceExit')).slice(0, 2), [10, undefined]);
    await settled(alice, again);
    assert.equal(bob.heard.of('onReconnecting').length, 0);
    assert.deepEqual(names(alice.mgr.getMembers()), ['alice', 'bob']);
    assert.deepEqual(alice.heard.of('onMemberExited'), []);
  });

  test('who leaves on the way in does not haunt the room', async () => {
    const { confrId, alice } = await room(['alice']);
    const bob = await user('bob');
    const joining = bob.mgr.joinConference(confrId, 'pw');
    await bob.mgr.exitConference(confrId);
    await assert.rejects(joining, { error: -504 });
    await settled(alice);
    assert.deepEqual(names(alice.mgr.getMembers()), ['alice']);
  });

  test('a goodbye is heard at once', async () => {
    const { confrId, alice, bob } = await room(['alice', 'bob']);
    await bob.mgr.exitConference(confrId);
    const [who, reason] = await alice.heard.next('onMemberExited');
    assert.deepEqual([who.name, reason], ['bob', 0]);
    assert.deepEqual(bob.heard.story.slice(-3), ['onMemberExited bob', 'onMemberExited alice', 'onConferenceExit 0']);
    await until(() => bob.phone.sockets.size === 0);
  });
});

describe('the backend', () => {
  test('a ticket that the backend got is enough to enter with, and to moderate', async () => {
    const { confrId, bob } = await room(['anna', 'bob']);
    const answer = await fetch(`${URL}/easemob/rtc/req/ticket`, {
      method: 'POST',
      body: JSON.stringify({ uid: 'anna', token: API_KEY, confrId, password: 'pw' }),
    });
    const { ticket } = await answer.json();
    const anna = await user('anna');
    const confr = await anna.mgr.joinConferenceWithTicket(confrId, ticket);
    assert.equal(confr.role, 7);
    await anna.mgr.kickMembersById(confrId, ['bob']);
    assert.equal((await bob.heard.next('onConferenceExit'))[0], 12);
  });

  test('so is the answer of the REST API, whole; the name in it may be an e-mail address', async () => {
    const { confrId, alice } = await room(['alice']);
    const ann = await user('ann@corp.com');
    const ticket = await backend('POST', `/conferences/${confrId}/tickets`, { memName: ann.name });
    await ann.mgr.joinConferenceWithTicket(confrId, ticket);
    assert.deepEqual(names(ann.mgr.getMembers()), [ann.name, 'alice']);
    const [seen] = await alice.heard.next('onMemberJoined', (member) => member.name === ann.name);
    await alice.mgr.kickMembersById(confrId, seen);
    assert.equal((await ann.heard.next('onConferenceExit'))[0], 12);
  });

  test("acts of the application's backend reach the SDK like those of an admin", async () => {
    const { confrId, alice, bob } = await room(['alice', 'bob']);
    await backend('POST', `/conferences/${confrId}/roles`, { memNames: ['bob'], role: 7 });
    await bob.heard.next('onRoleChanged', (role) => role === 7);
    await backend('POST', `/conferences/${confrId}/kick`, { memNames: ['bob'] });
    assert.equal((await bob.heard.next('onConferenceExit'))[0], 12);
    await alice.heard.next('onMemberExited', (member) => member.name === 'bob');
    await backend('DELETE', `/conferences/${confrId}`);
    assert.equal((await alice.heard.next('onConferenceExit'))[0], 11);
  });
});
