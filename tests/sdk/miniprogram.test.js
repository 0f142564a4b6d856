// The mini-program without WeChat, with a real server: its pages tapped as by fingers.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { after, describe, test } = require('node:test');

const { Phone } = require('./support/phone.js');
const { Program, tap } = require('./support/program.js');
const { until } = require('./support/recorder.js');
const { APP_KEY, URL, roomName, tokenOf, user } = require('./support/server.js');

const ROOT = path.join(__dirname, '..', '..', 'examples', 'miniprogram');
const programs = [];

after(() => programs.forEach((program) => program.pages.forEach((page) => page.onUnload && page.onUnload())));

/** The mini-program on a phone, at its first page. */
function start() {
  const program = new Program(ROOT, new Phone());
  program.emedia = program.load('sdk/emedia.js');
  program.emedia.config({ host: URL, appkey: APP_KEY, heartbeat: 1000, reconnectDelay: 50 });
  program.open('/pages/lobby/lobby');
  programs.push(program);
  return program;
}

async function fill(program, fields) {
  Object.entries(fields).forEach(([field, value]) => program.page.typed(tap({ field }, { value })));
}

/** From the lobby into a room; resolves when it is entered. */
async function enter(program, { mode = 'room', ...fields }) {
  const { page: lobby } = program;
  lobby.chooseMode(tap({ mode }));
  fill(program, { user: 'alice', token: await tokenOf(fields.user || 'alice'), password: 'pw', ...fields });
  await lobby.go();
  assert.equal(program.pages.length, 2, program.toasts.join());
  await program.page.loaded;
  await until(() => program.page.data.confrId || program.page.data.ended);
  return program.page;
}

const shows = (page, condition, what) => until(() => condition(page.data), `${what}: ${JSON.stringify(page.data)}`);

/** Alice in the mini-program, admin of a new room; bob with a phone of his own. */
async function meeting() {
  const program = start();
  const name = roomName();
  const page = await enter(program, { name });
  const bob = await user('bob');
  const { confrId } = await bob.mgr.joinRoom({ roomName: name, password: 'pw', config: { nickName: 'Bobby' } });
  await shows(page, ({ members }) => members.length === 2, 'two people');
  return { program, page, bob, confrId };
}

/** Choose in the sheet that a member's line opens. */
function choose(program, member, label) {
  const list = program.attach('components/members/members.js', {
    members: program.page.data.members,
    isAdmin: program.page.data.isAdmin,
    texts: program.page.data.texts,
  });
  list.openMenu(tap({ member }));
  const tapIndex = program.sheet.itemList.indexOf(label);
  assert.ok(tapIndex >= 0, program.sheet.itemList.join());
  program.sheet.success({ tapIndex });
  return list.events.pop();
}

describe('the lobby', { timeout: 60000 }, () => {
  test('asks for what is missing, and says what the server says', async () => {
    const program = start();
    const { page } = program;
    assert.equal(program.title, '会议', 'the phone speaks Chinese');
    await page.go();
    assert.equal(program.toasts.pop(), page.data.texts.needRoom);
    fill(program, { name: 'x' });
    await page.go();
    assert.equal(program.toasts.pop(), page.data.texts.needName);
    page.chooseMode(tap({ mode: 'create' }));
    fill(program, { user: 'alice', token: 'wrong' });
    await page.go();
    assert.match(program.toasts.pop(), /\S/);
    assert.equal(program.pages.length, 1);
    assert.equal(page.data.busy, false);
  });

  test('creates a conference of the type that was chosen, with a password that was made up', async () => {
    const program = start();
    program.page.typeChosen(tap({}, { value: '2' }));
    const page = await enter(program, { mode: 'create', password: '' });
    await shows(page, ({ isAdmin }) => isAdmin, 'admin');
    page.share();
    const [confrId, password] = program.clipboard.split(' ');
    const bob = await user('bob');
    assert.equal((await bob.mgr.joinConference(confrId, password)).role, 1, 'in LIVE others are audience');
    assert.equal((await bob.mgr.getConferenceInfo(confrId, password)).data.confr.type, 12);
  });

  test('joins by id in the role that was chosen, and says why not', async () => {
    const { page, confrId } = await meeting();
    const other = start();
    other.page.roleChosen(tap({}, { value: '2' }));
    const asAudience = await enter(other, { mode: 'id', name: confrId, user: 'carol' });
    await shows(asAudience, ({ role, canTalk }) => role === 1 && !canTalk, 'audience');
    assert.equal(asAudience.data.pushUrl, '');
    await shows(page, ({ members }) => members.length === 3, 'three');
    const stranger = start();
    const refused = await enter(stranger, { mode: 'id', name: confrId, user: 'dave', password: 'wrong' });
    assert.equal(refused.data.ended.failed, -508);
    assert.match(refused.data.ended.text, /密码/);
    refused.leave();
    assert.equal(stranger.pages.length, 1);
  });
});

describe('the room', { timeout: 60000 }, () => {
  test('goes on air when one may talk, and shows everybody', async () => {
    const { page } = await meeting();
    await shows(page, ({ pushUrl }) => /^rtmp:/.test(pushUrl), 'an address to push to');
    assert.deepEqual(page.data.members.map(({ label, roleName }) => `${label} ${roleName}`), [
      'alice (我) 管理员',
      'Bobby 主播',
    ]);
    assert.equal(page.data.notice, '');
    await shows(page, ({ elapsed }) => elapsed === '00:01', 'the clock');
  });

  test('an admin answers hands, gives roles, mutes, removes and ends', async () => {
    const { program, page, bob, confrId } = await meeting();
    const member = `${confrId}M2`;
    const [, grant] = choose(program, member, page.data.texts.makeAudience);
    await page.grant({ detail: grant });
    await bob.heard.next('onRoleChanged', (role) => role === 1);

    await bob.mgr.requestToTalker(confrId);
    await shows(page, ({ hands }) => hands.length === 1 && hands[0].name === 'Bobby', 'a hand');
    await page.answerHand({ detail: { memberId: member, yes: true } });
    await bob.heard.next('onRoleChanged', (role) => role === 3);
    await shows(page, ({ hands }) => hands.length === 0, 'no hand');

    const [name, mute] = choose(program, member, page.data.texts.mute);
    assert.equal(name, 'mute');
    await page.muteMember({ detail: mute });
    await bob.heard.next('onMuted');
    await page.muteEverybody({ detail: { on: true } });
    await bob.heard.next('onMuteAll');
    assert.equal(page.data.muteAll, true);

    const [event, kick] = choose(program, member, page.data.texts.kick);
    assert.equal(event, 'kick');
    await page.kick({ detail: kick });
    assert.equal((await bob.heard.next('onConferenceExit'))[0], 12);
    await shows(page, ({ members }) => members.length === 1, 'alone');
    await page.endForAll();
    await shows(page, ({ ended }) => ended && ended.reason === 11, 'the end');
    assert.equal(page.data.pushUrl, '');
  });

  test('audience raises a hand, is told, and goes on air when it may', async () => {
    const { page, bob, confrId } = await meeting();
    await page.grant({ detail: { name: 'bob', role: 7 } });
    await bob.heard.next('onRoleChanged', (role) => role === 7);
    await bob.mgr.grantRole(confrId, ['alice'], 1);
    await shows(page, ({ canTalk, pushUrl }) => !canTalk && pushUrl === '', 'off air');
    await page.raiseHand();
    assert.equal(page.data.handRaised, true);
    const [, , refuse] = await bob.heard.next('onRequestToTalker');
    refuse();
    await shows(page, ({ handRaised }) => !handRaised, 'the answer');
    await page.raiseHand();
    const [, agree] = await until(() => bob.heard.of('onRequestToTalker')[1]);
    await agree();
    await shows(page, ({ canTalk, pushUrl }) => canTalk && pushUrl, 'on air');
  });

  test('who is muted cannot switch the microphone on, and sees why', async () => {
    const { page, bob, confrId } = await meeting();
    await shows(page, ({ pushUrl }) => pushUrl, 'on air');
    await page.grant({ detail: { name: 'bob', role: 7 } });
    await bob.heard.next('onRoleChanged');
    await bob.mgr.grantRole(confrId, ['alice'], 3);
    await bob.mgr.muteBymemberId(confrId, `${confrId}M1`);
    await shows(page, ({ muted, mic, notice }) => muted && !mic && notice === 'muted', 'muted');
    page.toggleMic();
    assert.equal(page.data.mic, false);
    await bob.mgr.unmuteBymemberId(confrId, `${confrId}M1`);
    await shows(page, ({ muted }) => !muted, 'unmuted');
    page.toggleMic();
    assert.equal(page.data.mic, true);
  });

  test('without the permission for the microphone one watches; without the camera one is heard', async () => {
    const program = start();
    program.refusedScopes = ['scope.camera', 'scope.record'];
    const page = await enter(program, { name: roomName() });
    await shows(page, ({ notice }) => notice === 'permission', 'the notice');
    assert.equal(page.data.pushUrl, '');
    program.refusedScopes = ['scope.camera'];
    await page.permissionsChanged();
    assert.match(page.data.pushUrl, /^rtmp:/);
    assert.deepEqual([page.data.camera, page.kind], [false, 'audio']);
    const first = page.data.pushUrl;
    page.toggleCamera();
    await shows(page, ({ pushUrl }) => pushUrl && pushUrl !== first, 'another stream, since audio cannot show a picture');
    assert.equal(page.kind, undefined);
  });

  test('a phone call, a lost push and a camera that is refused are told and repaired', async () => {
    const { program, page } = await meeting();
    const { pushUrl } = await shows(page, (data) => data.pushUrl && data, 'on air');
    page.pusherChanged(tap({}, { code: -1307 }));
    await shows(page, (data) => data.pushUrl && data.pushUrl !== pushUrl, 'a new address');
    page.pusherChanged(tap({}, { code: 5000 }));
    assert.deepEqual([page.data.notice, page.data.pushUrl], ['interrupted', '']);
    program.hide();
    program.show();
    await shows(page, (data) => data.pushUrl && data.notice === '', 'on air again');
    page.pusherFailed(tap({}, { errCode: -1301 }));
    assert.equal(page.data.notice, 'permission');
    page.flipCamera();
    assert.ok(program.flipped);
  });

  test('without a network it says so, and comes back by itself', async () => {
    const { program, page, bob } = await meeting();
    program.phone.loseNetwork();
    await shows(page, ({ notice }) => notice === 'offline' || notice === 'network', 'the loss');
    await bob.mgr.exitConference();
    program.phone.findNetwork();
    await shows(page, ({ notice, members }) => notice === '' && members.length === 1, 'back, and bob is gone');
    assert.equal(page.data.ended, null);
  });

  test('leaving by the button or by going back is heard by the others', async () => {
    const { program, page, bob } = await meeting();
    page.leave();
    await page.left;
    const [who, reason] = await bob.heard.next('onMemberExited');
    assert.deepEqual([who.name, reason], ['alice', 0]);
    assert.equal(program.pages.length, 1);
    assert.equal(page.data.ended, null);
  });

  test('going back while it is still entering leaves no ghost', async () => {
    const program = start();
    const name = roomName();
    program.page.chooseMode(tap({ mode: 'room' }));
    fill(program, { user: 'alice', token: await tokenOf('alice'), name, password: 'pw' });
    await program.page.go();
    const { page } = program;
    page.leave();
    await page.left;
    await page.loaded;
    const bob = await user('bob');
    const confr = await bob.mgr.joinRoom({ roomName: name, password: 'pw' });
    assert.deepEqual(bob.mgr.getMembers(confr.confrId).map((member) => member.name), ['bob']);
  });
});

describe('a tile', () => {
  const stream = { id: 's', name: 'Bobby', src: 'rtmp://x', voff: 0, aoff: 0, failed: false };

  test('starts again when a camera comes back, and asks for an address when its own is dead', async () => {
    const program = start();
    const tile = program.attach('components/tile/tile.js', { stream, texts: {} });
    tile.give({ stream: { ...stream, voff: 1 } });
    assert.equal(tile.data.isOff, true);
    assert.deepEqual(program.played, []);
    tile.give({ stream });
    assert.deepEqual([tile.data.isOff, program.played], [false, ['stop', 'play']]);
    tile.playerChanged(tap({}, { code: 2004 }));
    tile.playerChanged(tap({}, { code: -2301 }));
    await until(() => tile.events.length);
    assert.deepEqual(JSON.parse(JSON.stringify(tile.events)), [['lost', { id: 's' }]]);
    tile.playerFailed();
    tile.detach();
    await new Promise((resolve) => setTimeout(resolve, 1600));
    assert.equal(tile.events.length, 1, 'nothing after its end');
  });
});
