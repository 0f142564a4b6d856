// What the SDK makes of orders, losses and codes that a real server does not show on demand.
// The server is a DOUBLE here (support/double.js); server.test.js is the same SDK with a real one.
'use strict';

const assert = require('node:assert');
const { afterEach, beforeEach, describe, test } = require('node:test');

const { create } = require('../../static/sdk/emedia.js');
const { Double, TICKET, WELCOME, member, stream } = require('./support/double.js');
const { Phone } = require('./support/phone.js');
const { Recorder, until } = require('./support/recorder.js');

const PATIENCE = { timeout: 1000, enterTimeout: 5000, heartbeat: 10000, reconnectDelay: 10, reconnectMaxDelay: 40 };
const REQUEST_TICKET = '/easemob/rtc/req/ticket';

let double, phone, emedia, mgr, heard;

function ticketAnswer(extra) {
  const facts = { confrId: 'ROOM1', type: 10, password: 'pw', role: 3, roleToken: 'RT', ticket: JSON.stringify(TICKET) };
  return { error: 0, ...facts, rtcCfg: '{}', data: { roleToken: 'RT', ticket: facts.ticket }, ...extra };
}

function pathsAsked() {
  return double.requests.map((request) => request.path);
}

function sent(op) {
  return double.lines.flatMap((line) => line.received).filter((message) => message.op === op);
}

beforeEach(() => {
  double = new Double();
  double.answers[REQUEST_TICKET] = ticketAnswer();
  phone = new Phone(double.network);
  emedia = create({ wx: phone.wx });
  emedia.config({ host: 'http://double/', appkey: 'acme#live', memName: 'alice', token: 'TOKEN', language: 'en' });
  emedia.config(PATIENCE);
  mgr = emedia.mgr;
  heard = new Recorder(mgr);
});

afterEach(() => mgr.exitConference());

const join = () => mgr.joinConference('ROOM1', 'pw', { nickName: 'Al' });
const joinWithTicket = () => mgr.joinConferenceWithTicket('ROOM1', JSON.stringify(TICKET), { nick: 'A' });

async function lost() {
  double.line.close(1006);
  return heard.next('onReconnect');
}

describe('what promises give', () => {
  test('a created conference is the documented object and the raw response at once', async () => {
    const confr = await mgr.createConference(mgr.ConfrType.COMMUNICATION, 'pw', true, false);

    assert.equal(confr.confrId, 'ROOM1');
    assert.equal(confr.id, 'ROOM1');
    assert.equal(confr.roleToken, 'RT');
    assert.equal(confr.password, 'pw');
    assert.equal(confr.statusCode, 200);
    assert.equal(confr.data.ticket, JSON.stringify(TICKET));
    assert.equal(confr.data.data.ticket, confr.data.ticket);
    const { body } = double.requests[0];
    assert.deepEqual(body, {
      uid: 'acme#live_alice',
      token: 'TOKEN',
      supportWechatMiniProgram: true,
      role: 9,
      terminal: {},
      confrType: 10,
      password: 'pw',
      rec: true,
      recMerge: false,
    });
  });

  test('a ticket may be handed on as text, as an object, or as what the promise gave', async () => {
    const answer = await mgr.getConferenceTkt('ROOM1', 'pw');
    for (const ticket of [answer.ticket, answer, answer.data, JSON.parse(answer.ticket)]) {
      const confr = await mgr.joinConferenceWithTicket('ROOM1', ticket, {});
      assert.equal(confr.memId, 'ROOM1M1');
      assert.equal(String(confr), 'ROOM1M1', 'the vendor resolves with the id');
      assert.deepEqual(sent(200).pop().tkt, TICKET);
      await mgr.exitConference('ROOM1');
    }
  });

  test('a ticket of the REST API is as good, and goes to the socket that this SDK speaks to', async () => {
    const native = { confrId: 'ROOM1', ticket: 'tk_1', roleToken: 'RT', url: 'ws://double/live', role: 3 };
    double.welcome.mems = [member(1, 'alice', { memName: 'acme#live_alice@confr' })];
    for (const ticket of [native, JSON.stringify(native)]) {
      await mgr.joinConferenceWithTicket('ROOM1', ticket);
      assert.equal(double.line.socket.url, 'ws://double/easemob/rtc/ws');
      assert.equal(sent(200).pop().tkt.tkt, 'tk_1');
      assert.deepEqual(mgr.getMembers().map(({ name, globalName }) => [name, globalName]), [['alice', 'acme#live_alice@confr']]);
      await mgr.exitConference();
    }
  });

  test('something that is no ticket is refused before a socket is opened', async () => {
    await assert.rejects(mgr.joinConferenceWithTicket('ROOM1', 'nonsense'), { error: -200 });
    assert.equal(double.lines.length, 0);
  });

  test('joining twice, as a double tap does, is joining once', async () => {
    const [one, two] = await Promise.all([join(), join()]);
    assert.equal(one, two);
    assert.equal(await join(), one);
    assert.equal(double.lines.length, 1);
  });

  test('joinRoom needs no config, and puts nickName and ext where others see them', async () => {
    double.answers['/acme/live/conferences/room'] = { error: 0, confrId: 'ROOM1', isCreator: true };
    const confr = await mgr.joinRoom({ roomName: 'test', config: { nickName: 'Al', ext: { seat: 4 }, rec: true } });

    assert.equal(confr.isCreator, true);
    const [room, ticket] = double.requests.map((request) => request.body);
    assert.equal(room.memName, 'acme#live_alice');
    assert.deepEqual([room.nickName, room.rec, room.password], ['Al', true, '']);
    assert.deepEqual([ticket.role, ticket.rec, ticket.confrId], [9, true, 'ROOM1']);
    assert.deepEqual(JSON.parse(sent(200)[0].ext), { nickName: 'Al', seat: 4 });
    await mgr.exitConference();
    await mgr.joinRoom({ roomName: 'test', role: mgr.Role.AUDIENCE });
    assert.equal(double.requests[3].body.role, 1);
  });
});

describe('refusals', () => {
  const cases = [
    ['a code with its text', { error: -508, errorMessage: 'The password is wrong.' }, -508, /password is wrong/],
    ['a status with a problem document', [404, { code: 'not_found', detail: 'No such thing.' }], -501, /No such thing/],
    ['a page of a proxy', [502, '<html>Bad gateway</html>'], -501, /HTTP 502/],
    ['an empty answer', [200, ''], -501, /HTTP 200/],
    ['an error in words', [401, { error: 'unauthorized', error_description: 'Who are you?' }], -501, /Who are you/],
    ['no server', undefined, -9527, /cannot be reached/],
    ['no answer', () => new Promise(() => {}), -408, /in time/],
  ];
  cases.forEach(([name, answer, error, message]) => {
    test(`reject with error and message: ${name}`, async () => {
      double.answers[REQUEST_TICKET] = answer;
      await assert.rejects(mgr.createConference(10, 'pw'), { error, message });
      await assert.rejects(join(), { error, message });
      assert.equal(double.lines.length, 0);
      assert.deepEqual(heard.story, []);
    });
  });

  test('speak Chinese to a phone that does', async () => {
    emedia.config({ language: '' });
    phone.networkType = 'none';
    await assert.rejects(join(), { error: -9527, message: /连接不到服务器/ });
  });

  test('the socket is told the language, so that its refusals speak it', async () => {
    await join();
    await mgr.exitConference();
    emedia.config({ language: 'zh_CN' });
    await join();
    assert.deepEqual(sent(200).map(({ lang }) => lang), ['en', 'zh-hans']);
  });

  test('say what is missing when nobody is signed in, or no server is set', async () => {
    const fresh = create({ wx: phone.wx });
    await assert.rejects(fresh.mgr.createConference(10, 'pw'), { error: -200, message: /setIdentity/ });
    fresh.mgr.setIdentity('alice', async () => 'TOKEN');
    await assert.rejects(fresh.mgr.createConference(10, 'pw'), { error: -200, message: /setHost/ });
    await assert.rejects(mgr.joinRoom({}), { error: -200, message: /roomName/ });
    await assert.rejects(mgr.getConferenceTkt(), { error: -200, message: /confrId/ });
  });

  test('moderation without a role token, or media outside, is refused here', async () => {
    await assert.rejects(mgr.kickMembersById('ROOM9', ['bob']), { error: -101 });
    await assert.rejects(mgr.subStream('x'), { error: -504 });
    await assert.rejects(mgr.muteBymemberId('ROOM1', 'ROOM1M2'), { error: -504 });
    assert.equal(double.requests.length, 0);
  });

  test('of op 200 tell the reason and the code, as the document promises, and reject', async () => {
    const reasons = { '-500': 4, '-502': 4, '-504': 4, '-508': 4, '-510': 4, '-506': 11, '-523': 2, '-501': 2, '-701': 2 };
    for (const [code, reason] of Object.entries(reasons)) {
      heard.forget();
      double.welcome = { result: Number(code), msg: 'because' };
      await assert.rejects(join(), { error: Number(code), message: 'because' });
      assert.deepEqual(heard.of('onConferenceExit').map((args) => args.slice(0, 2)), [[reason, Number(code)]]);
    }
    await assert.rejects(mgr.pubStream('r'), { error: -504 }, 'nothing of it is left');
  });

  test('entering gives up after its time when no socket opens', async () => {
    double.refuseSockets = true;
    emedia.config({ enterTimeout: 200 });
    await assert.rejects(join(), { error: -9527 });
    assert.deepEqual(heard.of('onConferenceExit')[0].slice(0, 2), [4, -9527]);
    assert.ok(double.lines.length > 2, 'it has tried more than once');
    const tries = double.lines.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(double.lines.length, tries, 'and tries no more');
  });
});

describe('the room', () => {
  test('oneself comes first, then who is inside, then the streams, and then the promise', async () => {
    double.welcome = { ...WELCOME, mems: [member(2, 'bob')], streams: [stream(2, 'bob')], cattrs: { a: '1' } };
    const joined = join().then(() => heard.events.push(['joined']));
    await joined;
    assert.deepEqual(heard.story, [
      'onMemberJoined alice',
      'onMemberJoined bob',
      'onStreamAdded rtc-2',
      'onConfrAttrsUpdated',
      'joined',
    ]);
    const [me] = heard.of('onMemberJoined')[0];
    assert.equal(me.isSelf, true);
    const [bob] = heard.of('onMemberJoined')[1];
    assert.deepEqual([bob.name, bob.globalName], ['bob', 'acme#live_bob@confr']);
    const [added, owner] = heard.of('onStreamAdded')[0];
    assert.equal(added.owner, bob);
    assert.equal(owner, bob);
    assert.equal(added.memName.split('_')[1].split('@')[0], 'bob', 'what the demo of the vendor does');
  });

  test('lists may be maps', async () => {
    double.welcome = { ...WELCOME, mems: { x: member(2, 'bob') }, streams: { y: stream(2, 'bob') } };
    await join();
    assert.deepEqual(mgr.getMembers().map((each) => each.name), ['alice', 'bob']);
    assert.deepEqual(mgr.getStreams('ROOM1').map((each) => each.rtcId), ['rtc-2']);
  });

  test('pushes that overtake the answer to op 200 wait for it, and old ones are dropped', async () => {
    double.heard[200] = (line, message) => {
      line.say({ op: 300, cver: 9, mem: member(2, 'gone-before') });
      line.say({ op: 300, cver: 11, mem: member(3, 'carol') });
      line.answer(message, WELCOME);
    };
    await join();
    assert.deepEqual(heard.story, ['onMemberJoined alice', 'onMemberJoined carol']);
  });

  test('a stream before its owner, doubles and strangers do no harm', async () => {
    await join();
    heard.forget();
    const { line } = double;
    line.say({ op: 302, cver: 11, memId: 'ROOM1M2', pubS: stream(2, 'bob') });
    line.say({ op: 300, cver: 12, mem: member(2, 'bob') });
    line.say({ op: 300, cver: 12, mem: member(2, 'bob') });
    line.say({ op: 302, cver: 12, memId: 'ROOM1M2', pubS: stream(2, 'bob') });
    line.say({ op: 301, cver: 13, memId: 'ROOM1M99' });
    line.say({ op: 303, cver: 13, memId: 'ROOM1M99', pubSId: 'nothing' });
    line.say({ op: 400, cver: 13, streamId: 'nothing', voff: 1 });
    line.say({ op: 9999 });
    line.socket.hear('no json');
    line.socket.hear('null');
    line.say({ op: 301, cver: 14, memId: 'ROOM1M2', reason: 0 });
    assert.deepEqual(heard.story, [
      'onStreamAdded rtc-2',
      'onMemberJoined bob',
      'onStreamRemoved rtc-2',
      'onMemberExited bob',
    ]);
    assert.equal(heard.of('onStreamAdded')[0][0].owner.name, 'bob');
  });

  test('a name may be an e-mail address', async () => {
    mgr.setIdentity('ann@corp.com', 'TOKEN');
    double.welcome = { ...WELCOME, role: 7, mems: [member(2, 'bob@corp.com')] };
    double.answers['/easemob/rtc/kick/member'] = { error: 0 };
    await join();
    const [, bob] = mgr.getMembers();
    assert.equal(bob.name, 'bob@corp.com');
    await mgr.kickMembersById('ROOM1', bob);
    const [ticket, kick] = double.requests.map(({ body }) => body);
    assert.deepEqual([ticket.uid, kick.uids], ['ann@corp.com', ['bob@corp.com']]);
  });

  test('a stream that goes dark is told under both spellings, once each, and stale news is not', async () => {
    const calls = [];
    mgr.onMediaChanaged = mgr.onMediaChanged = (each, off) => calls.push([each.rtcId, off]);
    double.welcome = { ...WELCOME, mems: [member(2, 'bob')], streams: [stream(2, 'bob')] };
    await join();
    const streamId = stream(2, 'bob').id;
    double.line.say({ op: 400, cver: 11, streamId, voff: 1, aoff: 0, sver: 3 });
    double.line.say({ op: 400, cver: 12, streamId, voff: 0, aoff: 0, sver: 2 });
    double.line.say({ op: 400, cver: 13, streamId, voff: 1, aoff: 0, sver: 4 });
    assert.deepEqual(calls, [['rtc-2', { voff: 1, aoff: 0 }]]);
    assert.equal(mgr.getStreams()[0].voff, 1);
  });

  test("one's own stream is no onStreamAdded, but one hears that it is cut", async () => {
    await join();
    const own = stream(1, 'alice');
    double.line.say({ op: 302, cver: 11, memId: 'ROOM1M1', pubS: own });
    double.line.say({ op: 303, cver: 12, memId: 'ROOM1M1', pubSId: own.id });
    assert.deepEqual(heard.story.slice(1), ['onUnpublished rtc-1']);
    assert.deepEqual(mgr.getStreams(), []);
  });

  test('ext is an object, and JSON.parse of it works as in code for the vendor', async () => {
    double.welcome = { ...WELCOME, mems: [member(2, 'bob', { ext: '{"seat":4}' }), member(3, 'carol', { ext: 'words' })] };
    await join();
    const [, bob, carol] = mgr.getMembers();
    assert.equal(bob.ext.seat, 4);
    assert.deepEqual(JSON.parse(bob.ext), { seat: 4 });
    assert.equal(JSON.stringify(bob.ext), '{"seat":4}', 'nothing of it shows in setData');
    assert.equal(carol.ext, 'words');
  });

  test('attributes come as one list in which op says what is new', async () => {
    double.welcome = { ...WELCOME, cattrs: { a: '1', b: '2' } };
    await join();
    const { line } = double;
    line.say({ op: 402, cattrs: [{ key: 'b', val: '3', op: 'UPDATE' }] });
    line.say({ op: 402, cattrs: [{ key: 'a', val: '', op: 'DEL' }] });
    line.say({ op: 402, cattrs: { b: '3', c: '4' } });
    const lists = heard.of('onConfrAttrsUpdated').map(([attrs]) => attrs.map(({ key, val, op }) => `${key}=${val}${op}`));
    assert.deepEqual(lists, [['a=1', 'b=2'], ['a=1', 'b=3UPDATE'], ['b=3', 'a=DEL'], ['b=3', 'c=4UPDATE']]);
  });

  test('mute-all is told to whom it concerns, once per change', async () => {
    double.welcome = { ...WELCOME, cstate: { muteAll: true } };
    await join();
    const { line } = double;
    line.say({ op: 402, cattrs: [], cstate: { muteAll: true } });
    line.say({ op: 402, cattrs: [], cstate: { muteAll: false } });
    line.say({ op: 412, role: 7, roleToken: 'RT7' });
    line.say({ op: 402, cattrs: [], cstate: { muteAll: true } });
    assert.deepEqual(heard.story.slice(1), ['onMuteAll', 'onUnMuteAll', 'onRoleChanged 7']);
    double.answers['/easemob/rtc/confr/attrs/update'] = { error: 0 };
    await mgr.unmuteAll('ROOM1');
    assert.deepEqual(double.requests.pop().body, { confrId: 'ROOM1', roleToken: 'RT7', cstate: { muteAll: false } });
  });

  test('a listener that throws hurts neither the others nor the conference', async () => {
    const runners = process.rawListeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    mgr.onMemberJoined = () => {
      throw new Error('of the application');
    };
    await join();
    assert.match((await thrown).message, /of the application/);
    runners.forEach((runner) => process.on('uncaughtException', runner));
    assert.deepEqual(heard.story, ['onMemberJoined alice']);
  });

  test('off stops one listener, or all of a name', async () => {
    const calls = [];
    const first = () => calls.push('first');
    const second = () => calls.push('second');
    mgr.onMemberJoin = () => calls.push('assigned');
    mgr.on('onMemberJoined', first);
    const stop = mgr.on('onMemberJoined', second);
    stop();
    await join();
    assert.deepEqual(calls, ['first', 'assigned']);
    mgr.off('onMemberJoined', first);
    mgr.off('onMemberJoin');
    double.line.say({ op: 300, cver: 11, mem: member(2, 'bob') });
    assert.equal(calls.length, 2);
  });
});

describe('raised hands', () => {
  const applicant = { memId: 'ROOM1M2', memName: 'acme#live_bob@confr', nickName: 'Bob' };
  const ask = (op2) => ({ op: 1002, tsxId: 'T1', memId: 'ROOM1M1', arg: JSON.stringify({ op2, ...applicant }) });

  test('reach every admin; the answer comes once, whichever way', async () => {
    double.welcome = { ...WELCOME, role: 1, mems: [member(2, 'bob', { role: 7 }), member(3, 'carol', { role: 7 })] };
    await join();
    await mgr.requestToTalker('ROOM1');
    const asked = sent(1002);
    assert.deepEqual(asked.map((message) => message.memId), ['ROOM1M2', 'ROOM1M3']);
    const arg = JSON.parse(asked[0].arg);
    assert.deepEqual(arg, { op2: 21, memId: 'ROOM1M1', memName: TICKET.memName, nickName: 'Al' });
    double.line.say({ op: 1001, tsxId: asked[0].tsxId, memId: 'ROOM1M1', result: 1, arg: '{"op2":21}' });
    double.line.say({ op: 1001, tsxId: asked[1].tsxId, memId: 'ROOM1M1', result: 1, arg: '{"op2":21}' });
    assert.deepEqual(heard.of('onRequestToTalkerReply'), [[1]]);
    await mgr.requestToTalker('ROOM1');
    double.line.say({ op: 412, role: 3, roleToken: 'RT3' });
    assert.deepEqual(heard.of('onRequestToTalkerReply'), [[1], [0]]);
  });

  test('without an admin are refused', async () => {
    await join();
    await assert.rejects(mgr.requestToAdmin('ROOM1'), { error: -504, message: /no admin to ask/ });
  });

  test('are agreed to with the role, refused with an answer, and told when the seats are taken', async () => {
    double.welcome = { ...WELCOME, role: 7 };
    await join();
    double.answers['/easemob/rtc/chanage/roles'] = { error: 0 };
    double.line.say(ask(21));
    const [who, agree, refuse] = await heard.next('onRequestToTalker');
    assert.deepEqual(who, { memberId: 'ROOM1M2', nickName: 'Bob', memName: 'acme#live_bob@confr', name: 'bob' });
    await agree(who.memberId);
    assert.deepEqual(double.requests.pop().body, {
      confrId: 'ROOM1',
      roleToken: 'RT',
      uids: ['bob'],
      role: 3,
    });
    double.answers['/easemob/rtc/chanage/roles'] = { error: -523, errorMessage: 'full' };
    let full = false;
    await agree(who.memberId, () => (full = true));
    assert.ok(full);
    await assert.rejects(agree(who.memberId), { error: -523 });
    refuse(who.memberId);
    const [answer] = await until(() => sent(1001).length && sent(1001));
    assert.deepEqual(
      { ...answer, arg: JSON.parse(answer.arg) },
      { op: 1001, sessId: 'S1', tsxId: 'T1', memId: 'ROOM1M2', result: 1, arg: { op2: 21, memId: 'ROOM1M2' } },
    );
  });

  test('a control that nobody knows is answered with -507', async () => {
    await join();
    double.line.say({ op: 1002, tsxId: 'T2', memId: 'ROOM1M1', arg: { op2: 30 } });
    double.line.say({ op: 1002, tsxId: 'T3', memId: 'ROOM1M1', arg: { op2: 23 } });
    double.line.say({ op: 1002, tsxId: 'T3', memId: 'ROOM1M1', arg: '{"op2":24}' });
    const [answer] = await until(() => sent(1001).length && sent(1001));
    assert.deepEqual([answer.result, answer.tsxId], [-507, 'T2']);
    assert.deepEqual(heard.story.slice(1), ['onMuted', 'onUnmuted']);
  });
});

describe('losses', () => {
  test('a lost socket comes back with the same ticket, session and last change, telling only what changed', async () => {
    double.welcome = {
      ...WELCOME,
      mems: [member(2, 'bob'), member(3, 'carol')],
      streams: [stream(2, 'bob'), stream(3, 'carol')],
      cattrs: { a: '1', b: '2' },
    };
    await joinWithTicket();
    double.line.say({ op: 300, cver: 12, mem: member(4, 'dave') });
    heard.forget();
    double.welcome = {
      ...WELCOME,
      cver: 20,
      role: 7,
      roleToken: 'RT7',
      mems: [member(3, 'carol'), member(4, 'dave'), member(5, 'eve')],
      streams: [stream(3, 'carol', { voff: 1, sver: 2 }), stream(5, 'eve')],
      cattrs: { b: '2', c: '3' },
      cstate: { muteAll: false },
    };
    double.heard[200] = (line, message) => {
      line.answer(message, double.welcome);
      line.say({ op: 301, cver: 15, memId: 'ROOM1M2' }); // what the vendor's SDK needs, and we have seen
      line.say({ op: 300, cver: 16, mem: member(6, 'came-and-went') });
      line.say({ op: 301, cver: 17, memId: 'ROOM1M6' });
      line.say({ op: 402, cver: 18, cattrs: [{ key: 'c', val: '1', op: 'UPDATE' }], cstate: { muteAll: true } });
      line.say({ op: 412, cver: 19, role: 1, roleToken: 'RT7' });
      line.say({ op: 302, cver: 21, memId: 'ROOM1M4', pubS: stream(4, 'dave') });
    };
    double.line.close(1012);
    await heard.next('onReconnect');

    const { sessId, cver, tkt } = sent(200)[1];
    assert.deepEqual([sessId, cver, tkt], ['S1', 12, TICKET]);
    assert.deepEqual(heard.story, [
      'onReconnecting 1',
      'onRoleChanged 7',
      'onStreamRemoved rtc-2',
      'onMemberExited bob',
      'onMemberJoined eve',
      'onMediaChanaged rtc-3',
      'onStreamAdded rtc-5',
      'onConfrAttrsUpdated',
      'onStreamAdded rtc-4',
      'onReconnect ROOM1M1',
    ]);
    assert.equal(heard.of('onReconnect')[0][1], JSON.stringify(TICKET));
  });

  test('the same seat is no second join; a new seat is one, and its streams are gone', async () => {
    double.answers['/use/secret'] = { error: 0, rtmp: 'rtmp://double/1' };
    await join();
    await mgr.pubStream('rtc-1');
    double.welcome = { ...WELCOME, streams: [stream(1, 'alice')] };
    heard.forget();
    await lost();
    assert.deepEqual(heard.story, ['onReconnecting 1', 'onReconnect ROOM1M1']);
    heard.forget();
    double.welcome = { ...WELCOME, memId: 'ROOM1M8', sessId: 'S2' };
    await lost();
    assert.deepEqual(heard.story, [
      'onReconnecting 1',
      'onUnpublished rtc-1',
      'onMemberExited alice',
      'onMemberJoined alice',
      'onReconnect ROOM1M8',
    ]);
    assert.deepEqual(mgr.getMembers().map((each) => each.id), ['ROOM1M8']);
  });

  test('attempts wait longer and longer, with jitter, and end with reason 4 and -9527', async () => {
    emedia.config({ reconnectAttempts: 6, reconnectDelay: 8, reconnectMaxDelay: 64 });
    await join();
    double.refuseSockets = true;
    double.line.close(1006);
    const [reason, failed, confr] = await heard.next('onConferenceExit');
    assert.deepEqual([reason, failed, confr.confrId], [4, -9527, 'ROOM1']);
    const delays = heard.of('onReconnecting').map(([, delay]) => delay);
    assert.equal(delays.length, 6);
    [8, 16, 32, 64, 64, 64].forEach((longest, index) => {
      assert.ok(delays[index] >= longest / 2 - 1 && delays[index] <= longest, `${delays[index]} of ${longest}`);
    });
    assert.equal(double.lines.length, 7);
  });

  test('while the phone is offline no attempt is counted, and it comes back the moment it is online', async () => {
    emedia.config({ reconnectAttempts: 2, reconnectDelay: 20, reconnectMaxDelay: 20 });
    await join();
    phone.loseNetwork();
    await until(() => heard.of('onReconnecting').length > 5);
    assert.deepEqual(heard.of('onConferenceExit'), []);
    emedia.config({ reconnectDelay: 5000, reconnectMaxDelay: 5000 });
    await until(() => phone.sockets.size === 0);
    const began = Date.now();
    phone.findNetwork('4g');
    await heard.next('onReconnect');
    assert.ok(Date.now() - began < 1000);
  });

  test('from Wi-Fi to 4G: a dead socket is found although nobody says so', async () => {
    await join();
    phone.changeNetwork('4g');
    await heard.next('onReconnect');
    assert.equal(double.lines.length, 2);
  });

  test('back in the foreground, a live socket is kept and a dead one replaced', async () => {
    await join();
    phone.hide();
    phone.show();
    await until(() => sent(1000).length === 1);
    await new Promise((resolve) => setTimeout(resolve, PATIENCE.timeout));
    assert.equal(double.lines.length, 1);
    phone.hide({ killSockets: true });
    phone.show();
    await heard.next('onReconnect');
    assert.equal(double.lines.length, 2);
  });

  test('a heartbeat that is not answered is a loss; its cver heals what is behind', async () => {
    emedia.config({ heartbeat: 50 });
    await join();
    double.heard[1000] = (line, message) => {
      const mems = [member(2, 'bob')];
      line.answer(message, message.cver < 15 ? { cver: 15, mems, streams: [] } : { cver: 15 });
    };
    await heard.next('onMemberJoined', (each) => each.name === 'bob');
    double.line.say({ op: 300, cver: 14, mem: member(4, 'old-news') });
    double.line.say({ op: 300, cver: 16, mem: member(5, 'carol') });
    double.heard[1000] = (line, message) => line.answer(message, { cver: 15, mems: [member(2, 'bob')], streams: [] });
    double.line.received.length = 0;
    await until(() => sent(1000).length > 1);
    assert.deepEqual(mgr.getMembers().map((each) => each.name), ['alice', 'bob', 'carol'], 'an older roster');
    delete double.heard[1000];
    await until(() => sent(1000).some((message) => message.cver === 16));
    double.heard[1000] = () => {};
    await heard.next('onReconnecting');
    delete double.heard[1000];
    await heard.next('onReconnect');
    assert.ok(!heard.story.includes('onMemberJoined old-news'));
  });

  test('op 1000 that says the conference is over ends it; a ticket that is stale there is tried at the door', async () => {
    emedia.config({ heartbeat: 20 });
    await join();
    double.heard[1000] = (line, message) => line.answer(message, { result: -504 });
    await heard.next('onReconnect');
    double.heard[1000] = (line, message) => line.answer(message, { result: -506, msg: 'over' });
    assert.deepEqual((await heard.next('onConferenceExit')).slice(0, 2), [11, -506]);
  });

  test('a ticket that is used up is renewed where the password is known', async () => {
    await join();
    let refused = 0;
    double.heard[200] = (line, message) => {
      if (message.sessId) line.answer(message, { result: -500, msg: `no ${(refused += 1)}` });
      else line.answer(message, { ...WELCOME, memId: 'ROOM1M2', sessId: 'S2' });
    };
    await lost();
    assert.equal(refused, 1);
    assert.deepEqual(pathsAsked(), [REQUEST_TICKET, REQUEST_TICKET]);
    assert.equal(double.requests[1].body.password, 'pw');
  });

  test('a door that is shut stays shut: kicked meanwhile, or without a password to ask with', async () => {
    await join();
    double.heard[200] = (line, message) => line.answer(message, { result: -500, msg: 'revoked' });
    double.answers[REQUEST_TICKET] = { error: -701, errorMessage: 'You may not enter.' };
    double.line.close(1006);
    assert.deepEqual((await heard.next('onConferenceExit')).slice(0, 2), [2, -701]);
    assert.deepEqual(heard.of('onReconnect'), []);

    heard.forget();
    delete double.heard[200];
    const other = create({ wx: phone.wx });
    other.config({ ...PATIENCE, memName: 'alice', token: 'TOKEN' });
    const told = new Recorder(other.mgr);
    await other.mgr.joinConferenceWithTicket('ROOM1', JSON.stringify(TICKET));
    double.heard[200] = (line, message) => line.answer(message, { result: -502, msg: 'expired' });
    double.line.close(1006);
    assert.deepEqual((await told.next('onConferenceExit')).slice(0, 2), [4, -502]);
  });

  test('a server that is busy when one comes back is asked again', async () => {
    await join();
    let times = 0;
    double.heard[200] = (line, message) => {
      times += 1;
      line.answer(message, times < 3 ? { result: -501, msg: 'busy' } : WELCOME);
    };
    await lost();
    assert.equal(times, 3);
  });

  test('calls on the socket reject while it is lost', async () => {
    await join();
    double.refuseSockets = true;
    double.heard[400] = (line) => line.close(1006);
    await assert.rejects(mgr.pauseVideo('r'), { error: -9527 });
    await assert.rejects(mgr.pauseVideo('r'), { error: -9527 });
  });

  test('WeChat has five sockets: a sixth is a loss like any other', async () => {
    const others = Array.from({ length: 5 }, () => phone.wx.connectSocket({ url: 'ws://double/other' }));
    setTimeout(() => others[0].close({}), 50);
    await join();
    assert.deepEqual(heard.of('onConferenceExit'), []);
  });
});

describe('ends', () => {
  [
    [0, 0],
    [10, 10],
    [11, 11],
    [12, 12],
  ].forEach(([given, reason]) => {
    test(`being told to go with reason ${given} is final`, async () => {
      double.welcome = { ...WELCOME, mems: [member(2, 'bob')] };
      await join();
      heard.forget();
      double.line.say({ op: 301, memId: 'ROOM1M1', reason: given });
      double.line.say({ op: 300, cver: 40, mem: member(9, 'late') });
      double.line.close(1000);
      assert.deepEqual(heard.story, ['onMemberExited alice', 'onMemberExited bob', `onConferenceExit ${reason}`]);
      assert.equal(heard.of('onConferenceExit')[0][1], undefined);
      await new Promise((resolve) => setTimeout(resolve, 80));
      assert.equal(double.lines.length, 1, 'nobody goes back in');
    });
  });

  test('a planned restart, and a grace that has run out, send us round to the door again', async () => {
    await join();
    for (const reason of [4, 6]) {
      heard.forget();
      double.line.say({ op: 301, memId: 'ROOM1M1', reason });
      await heard.next('onReconnect');
    }
    assert.deepEqual(heard.of('onConferenceExit'), []);
  });

  test('op 204 is a conference that was closed', async () => {
    await join();
    double.line.say({ op: 204, cver: 11, confrId: 'ROOM1' });
    assert.deepEqual(heard.of('onConferenceExit').map(([reason]) => reason), [11]);
  });

  test('leaving tells the server, empties the room and ends with reason 0', async () => {
    double.welcome = { ...WELCOME, mems: [member(2, 'bob')], streams: [stream(2, 'bob')] };
    await join();
    heard.forget();
    const done = mgr.exitConference('ROOM1');
    assert.equal(mgr.exitConference() instanceof Promise, true, 'a second time is no error');
    await done;
    assert.equal(sent(201).length, 1);
    assert.deepEqual(heard.story, [
      'onMemberExited alice',
      'onStreamRemoved rtc-2',
      'onMemberExited bob',
      'onConferenceExit 0',
    ]);
    await until(() => double.line.socket.readyState === 3);
  });

  test('leaving another conference than the one that one is in is refused, and says so', async () => {
    await join();
    await assert.rejects(mgr.exitConference('ROOM7'), { error: -504, message: /ROOM7 ≠ ROOM1/ });
    assert.equal(sent(201).length, 0);
    assert.deepEqual(heard.of('onConferenceExit'), []);
  });

  test('who leaves while still on the way in does not haunt the room', async () => {
    const joining = assert.rejects(join(), { error: -504 });
    await mgr.exitConference('ROOM1');
    await joining;
    assert.equal(double.lines.length, 0);

    double.heard[200] = () => mgr.exitConference('ROOM1');
    await assert.rejects(join(), { error: -504 });
    await until(() => double.line.socket.readyState === 3);
    assert.equal(double.lines.length, 1);
  });

  test('the page that one comes from may leave its conference after the next one was joined', async () => {
    await join();
    const other = { ...TICKET, confrId: 'ROOM2', url: 'ws://double/2' };
    double.welcome = { ...WELCOME, memId: 'ROOM2M1' };
    double.answers[REQUEST_TICKET] = (body) => ticketAnswer({ confrId: body.confrId, ticket: JSON.stringify(other) });
    const joining = mgr.joinConference('ROOM2', 'pw');
    await mgr.exitConference('ROOM1');
    assert.equal((await joining).memId, 'ROOM2M1');
    assert.deepEqual(mgr.getMembers('ROOM2').map((each) => each.id), ['ROOM2M1']);
    assert.throws(() => mgr.getMembers('ROOM1'), { error: -504 });
  });
});

describe('the log', () => {
  test('tells what happened without a secret', async () => {
    const lines = [];
    emedia.config({ debug: (line) => lines.push(line) });
    double.answers['/use/secret'] = { rtmp: 'rtmp://media/live/SECRETNAME?key=SECRETKEY' };
    await join();
    await mgr.pubStream('r');
    const report = emedia.genReport();
    assert.equal(report, lines.join('\n'));
    assert.match(report, /onMemberJoined/);
    assert.match(report, /"op":200/);
    ['TOKEN', '"RT"', 'ROOM1TK1', 'SECRET', '/use/secret', '"pw"'].forEach((secret) => {
      assert.ok(!report.includes(secret), `${secret} is in the log`);
    });
  });

  test('says what WeChat says of a request that fails, such as a domain that is not listed', async () => {
    phone.networkType = 'none';
    await assert.rejects(join(), { error: -9527 });
    assert.match(emedia.genReport(), /failed "request:fail /);
  });

  test('keeps the last 300 lines', () => {
    for (let index = 0; index < 400; index += 1) mgr.log('line', { index });
    const lines = emedia.genReport().split('\n');
    assert.equal(lines.length, 300);
    assert.match(lines[299], /399/);
  });
});
