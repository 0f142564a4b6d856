// The browser example in jsdom with a real server: a moderator at a page, a user with a phone.
'use strict';

const assert = require('node:assert');
const { after, before, describe, test } = require('node:test');

const { openPage } = require('./support/page.js');
const { until } = require('./support/recorder.js');
const { APP_KEY, URL, roomName, tokenOf, user } = require('./support/server.js');

let page, token;

before(async () => {
  page = await openPage();
  token = await tokenOf('alice');
});
after(() => page.emedia.mgr.exitConference());

const text = (id) => page.byId(id).textContent;
const says = (id, what) => until(() => text(id).includes(what), `#${id} says "${text(id)}" and not "${what}"`);

/** Alice at the page, as admin of a new room, and bob with his phone in it. */
async function meeting() {
  const name = roomName();
  page.enter({ host: URL, appkey: APP_KEY, user: 'alice', token, mode: 'room', name, password: 'pw', role: '0' });
  await until(() => !page.byId('room').hidden);
  const bob = await user('bob');
  const { confrId } = await bob.mgr.joinRoom({ roomName: name, password: 'pw', role: 1, config: { nickName: 'Bobby' } });
  await says('members', 'Bobby');
  return { bob, confrId };
}

async function end() {
  page.byId('end').click();
  await until(() => !page.byId('over').hidden);
  page.byId('again').click();
}

describe('the page', { timeout: 60000 }, () => {
  test('says why it did not let one in', async () => {
    const fields = { host: URL, appkey: APP_KEY, user: 'alice', token: 'wrong', mode: 'room', name: 'x', password: '' };
    page.enter(fields);
    await says('refusal', '(-100)');
    assert.ok(page.byId('room').hidden);
    page.enter({ ...fields, token, mode: 'id', name: 'NOSUCHROOM' });
    await says('refusal', '(-301)');
    assert.ok(page.byId('over').hidden);
  });

  test('shows people and their roles, answers hands, gives roles, and removes', async () => {
    const { bob, confrId } = await meeting();
    assert.match(text('members'), /alice \(you\) Admin/);
    assert.match(text('members'), /Bobby Audience/);
    assert.equal(text('count'), '2');

    await bob.mgr.requestToTalker(confrId);
    await says('hands', 'Bobby');
    page.press('hands', 'Bobby', 'Yes');
    await bob.heard.next('onRoleChanged', (role) => role === 3);
    await until(() => page.byId('hands').children.length === 0);

    page.press('members', 'Bobby', 'Admin');
    await bob.heard.next('onRoleChanged', (role) => role === 7);
    await says('members', 'Bobby Admin');
    page.press('members', 'Bobby', 'Audience');
    await bob.heard.next('onRoleChanged', (role) => role === 1);
    page.press('members', 'Bobby', 'Mute');
    await bob.heard.next('onMuted');
    page.press('members', 'Bobby', 'Unmute');
    await bob.heard.next('onUnmuted');

    page.byId('mute-all').click();
    await bob.heard.next('onMuteAll');
    await says('mute-all', 'Unmute all');
    page.byId('mute-all').click();
    await bob.heard.next('onUnMuteAll');

    page.press('members', 'Bobby', 'Remove');
    assert.equal((await bob.heard.next('onConferenceExit'))[0], 12);
    await until(() => !text('members').includes('Bobby'));
    assert.match(text('log'), /Bobby left/);
    await end();
    assert.ok(!page.byId('door').hidden);
  });

  test('is told what it is when somebody else decides', async () => {
    const { bob, confrId } = await meeting();
    page.press('members', 'Bobby', 'Admin');
    await bob.heard.next('onRoleChanged', (role) => role === 7);
    await bob.mgr.grantRole(confrId, ['alice'], 1);
    await until(() => page.byId('end').hidden);
    assert.equal(page.byId('members').querySelectorAll('button').length, 0, 'nothing to do for who is no admin');
    page.byId('hand').click();
    const [who, , refuse] = await bob.heard.next('onRequestToTalker');
    assert.equal(who.name, 'alice');
    await says('hand', 'Hand raised');
    refuse();
    await says('notice', 'not now');
    await bob.mgr.kickMembersById(confrId, ['alice']);
    await says('why', 'An admin removed you.');
    assert.ok(page.byId('room').hidden);
    page.byId('again').click();
  });

  test('a name is text, whatever is in it', async () => {
    const { bob } = await meeting();
    const carol = await user('carol');
    const nickName = '<img src=x onerror=alert(1)>';
    await carol.mgr.joinConference(bob.mgr.getMembers()[0].id.replace(/M\d+$/, ''), 'pw', { nickName });
    await says('members', nickName);
    assert.equal(page.byId('members').querySelector('img'), null);
    await end();
  });

  test('whoever closes the page has left', async () => {
    const { bob } = await meeting();
    page.leavePage();
    const [who, reason] = await bob.heard.next('onMemberExited');
    assert.deepEqual([who.name, reason], ['alice', 0]);
  });
});
