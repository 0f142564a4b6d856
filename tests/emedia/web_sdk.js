// The vendor's web SDK, npm easemob-emedia, unmodified, in a window of its own; and the real server that it talks to.
'use strict';

const fs = require('node:fs');
const { JSDOM, VirtualConsole } = require('jsdom');

const { CONFR_URL: URL, CONFR_APP_KEY: APP_KEY, CONFR_API_KEY: API_KEY } = process.env;
const SOURCE = fs.readFileSync(require.resolve('easemob-emedia'), 'utf8');
const DEADLINE = 10_000;

// The callbacks of `emedia.mgr` that the control plane uses, and what is kept of their arguments.
const CALLBACKS = {
  onMemberJoined: (member) => ({ name: member.name, id: member.id, role: member.role, ext: member.ext }),
  onMemberExited: (member, reason) => ({ name: member.name, reason }),
  onStreamAdded: (member, stream) => ({ name: member.name, id: stream.id, voff: stream.voff, aoff: stream.aoff }),
  onStreamRemoved: (member, stream) => ({ name: member.name, id: stream.id }),
  onRoleChanged: (role) => ({ role }),
  onAdminChanged: ({ memberId, role }) => ({ memberId, role }),
  onConferenceExit: (reason, failed) => ({ reason, failed }),
  onConfrAttrsUpdated: (attrs) => ({ attrs: attrs.map(({ key, val, op }) => ({ key, val, op })) }),
  onMuteAll: () => ({}),
  onUnMuteAll: () => ({}),
  onMuted: () => ({}),
  onUnmuted: () => ({}),
  onRequestToTalker: (applicant) => ({ ...applicant }),
  onRequestToAdmin: (applicant) => ({ ...applicant }),
  onRequestToTalkerReply: (result) => ({ result }),
  onRequestToAdminReply: (result) => ({ result }),
};

/** A user of the web SDK. `told` holds what its callbacks were called with, in order. */
class WebUser {
  constructor(name) {
    this.name = name;
    this.memName = `${APP_KEY}_${name}`;
    this.longName = `${this.memName}@easemob.com`;
    this.told = [];
    this.answers = {};
  }

  static async make(name, config = {}) {
    const user = new WebUser(name);
    const silent = new VirtualConsole();
    silent.on('jsdomError', (error) => user.told.push(['error', { message: String(error.detail || error) }]));
    const options = { url: 'https://app.example/', runScripts: 'outside-only', pretendToBeVisual: true };
    user.dom = new JSDOM('<!DOCTYPE html><body></body>', { ...options, virtualConsole: silent });
    user.window = user.dom.window;
    user.window.CanvasRenderingContext2D = class {}; // which jsdom lacks; media is not ours
    user.window.eval(SOURCE);
    const { emedia } = user.window;
    emedia.config({
      restPrefix: URL, appkey: APP_KEY, isHttpDNS: false, uploadStats: false, consoleLogger: false, reconnectDelay: 100,
      ...config,
    });
    emedia.mgr.setIdentity(user.memName, await tokenOf(name));
    for (const [callback, kept] of Object.entries(CALLBACKS)) {
      emedia.mgr[callback] = (...given) => {
        user.told.push([callback, JSON.parse(JSON.stringify(kept(...given)))]); // as it was, and of this realm
        user.answers[callback] = given;
      };
    }
    user.mgr = emedia.mgr;
    return user;
  }

  get service() {
    return this.mgr._services[this.confr.id];
  }

  async join(roomName, { role = 3, password = 'pw', config = {} } = {}) {
    this.confr = await this.mgr.joinRoom({ roomName, password, role, config });
    return this.confr;
  }

  /** Wait until a callback was called (the `count`-th time) with these values. */
  async until(callback, values = {}, count = 1) {
    const fits = ([name, given]) =>
      name === callback && Object.entries(values).every(([key, value]) => given[key] === value);
    const missing = () => `${this.name}: no ${callback} ${JSON.stringify(values)} in ${JSON.stringify(this.told)}`;
    await until(() => this.told.filter(fits).length >= count, missing);
    return this.told.filter(fits)[count - 1][1];
  }

  of(callback) {
    return this.told.filter(([name]) => name === callback).map(([, given]) => given);
  }

  /** The network goes, and comes back. */
  offline() {
    this.window.dispatchEvent(new this.window.Event('offline'));
  }

  online() {
    this.window.dispatchEvent(new this.window.Event('online'));
  }

  close() {
    this.window.close();
  }
}

async function until(condition, what = () => 'it never came true') {
  const deadline = Date.now() + DEADLINE;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(what());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

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

module.exports = { APP_KEY, URL, WebUser, backend, tokenOf, until };
