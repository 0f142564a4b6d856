// The real server, as tests/sdk/test_sdk.py starts it: CONFR_URL, CONFR_APP_KEY, CONFR_API_KEY, CONFR_PID.
'use strict';

const fs = require('node:fs');
const { randomBytes } = require('node:crypto');
const { after } = require('node:test');

const { create } = require('../../../static/sdk/emedia.js');
const { Phone } = require('./phone.js');
const { Recorder } = require('./recorder.js');

const { CONFR_URL: URL, CONFR_APP_KEY: APP_KEY, CONFR_API_KEY: API_KEY, CONFR_PID: PID } = process.env;

const everybody = new Set();

// Whatever a test leaves inside would keep the process alive.
after(() => Promise.all(Array.from(everybody, (user) => user.mgr.exitConference())));

/** Our own REST, as the application's backend uses it. */
async function backend(method, path, body) {
  const response = await fetch(`${URL}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${API_KEY}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? undefined : response.json();
}

async function tokenOf(name) {
  return (await backend('POST', '/user-tokens', { memName: name })).token;
}

/** A user with a phone, signed in, and everything that its SDK says written down. */
async function user(name, options = {}) {
  const phone = new Phone();
  const emedia = create({ wx: phone.wx });
  const token = await tokenOf(name);
  const patience = { timeout: 10000, heartbeat: 1000, reconnectDelay: 50, reconnectMaxDelay: 500, reconnectAttempts: 200 };
  emedia.config({ host: URL, appkey: APP_KEY, memName: name, token, language: 'en', ...patience, ...options });
  const made = { name, token, phone, emedia, mgr: emedia.mgr, heard: new Recorder(emedia.mgr) };
  everybody.add(made);
  return made;
}

/** A name for a room that no other test uses. */
function roomName() {
  return 'room-' + randomBytes(6).toString('hex');
}

/** Users in one new room; the first is its admin. */
async function room(names, { config, confrType, roles = {}, options } = {}) {
  const users = await Promise.all(names.map((name) => user(name, options)));
  const [first, ...others] = users;
  const created = await first.mgr.createConference({ confrType: confrType || 10, password: 'pw', ...config });
  const { confrId } = created;
  await first.mgr.joinConference(confrId, 'pw', { nickName: first.name });
  for (const { name, mgr } of others) await mgr.joinConference(confrId, 'pw', {}, { role: roles[name] });
  await Promise.all(
    users.map(({ name, heard, mgr }) =>
      Promise.all(
        names
          .filter((other) => confrType !== mgr.ConfrType.LIVE || !roles[other] || other === name)
          .map((other) => heard.next('onMemberJoined', (member) => member.name === other)),
      ),
    ),
  );
  return { confrId, users, ...Object.fromEntries(users.map((each) => [each.name, each])) };
}

/** The web processes of the server, found below its supervisor. */
function webProcesses() {
  const processes = fs
    .readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
        const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
        return [{ pid: Number(pid), parent: Number(parent), line: fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') }];
      } catch (error) {
        return []; // it has ended meanwhile
      }
    });
  const children = (pid) => processes.filter((each) => each.parent === pid);
  const master = children(Number(PID)).find((each) => /uvicorn/.test(each.line));
  return children(master.pid).filter((each) => /spawn_main/.test(each.line));
}

module.exports = { API_KEY, APP_KEY, URL, backend, room, roomName, tokenOf, user, webProcesses };
