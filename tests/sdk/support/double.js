// A DOUBLE of the server, NOT the server: a loop-back that says what a test's script says.
//
// It is for what a real server cannot be made to do: frames in odd orders, answers that never come, codes of other
// servers. Whatever the real server can show is tested against the real server (server.test.js).
'use strict';

console.log('A DOUBLE stands in for the server in this file.');

const TICKET = {
  url: 'ws://double/ws',
  memName: 'acme#live_alice@confr',
  confrId: 'ROOM1',
  tktId: 'ROOM1TK1',
  type: 'CONFR',
};

/** The answer to op 200 that a test starts from. */
const WELCOME = {
  result: 0,
  sessId: 'S1',
  memId: 'ROOM1M1',
  role: 3,
  cver: 10,
  vcodes: ['H264'],
  mems: [],
  streams: [],
  cattrs: {},
  cstate: {},
  useUrl: 'http://double/use/secret',
  rtcCfg: '{}',
};

function member(number, name, extra) {
  return { id: 'ROOM1M' + number, name: `acme#live_${name}@confr`, nickName: name, role: 3, ext: '{}', ...extra };
}

function stream(number, name, extra) {
  const id = `rtc-${number}__Of_M${number}`;
  const owner = { memId: 'ROOM1M' + number, memName: `acme#live_${name}@confr` };
  return { id, rtcId: 'rtc-' + number, type: 0, voff: 0, aoff: 0, sver: 1, ...owner, ...extra };
}

/** The server's end of one socket. */
class Line {
  constructor(double, socket) {
    Object.assign(this, { double, socket, received: [] });
  }

  /** Say a frame to the client; `sessId` is added. */
  say(frame) {
    this.socket.hear(JSON.stringify({ sessId: 'S1', ...frame }));
  }

  answer(message, frame) {
    this.say({ op: 1001, tsxId: message.tsxId, result: 0, ...frame });
  }

  close(code = 1006, reason = '') {
    this.socket.closed(code, reason);
  }
}

class Double {
  constructor() {
    this.lines = []; // every socket that was opened, in order
    this.requests = []; // every body that was posted, with its path
    this.answers = {}; // path → body | function(body) → body | [status, body]
    this.welcome = { ...WELCOME };
    this.heard = {}; // op → function(line, message), instead of a plain yes
    this.refuseSockets = false;
    const double = this;
    this.network = {
      fetch: (url, options) => this.fetch(url, options),
      WebSocket: class extends FakeSocket {
        constructor(url) {
          super(double, url);
        }
      },
    };
  }

  /** The line that is open now. */
  get line() {
    return this.lines[this.lines.length - 1];
  }

  async fetch(url, options) {
    const { pathname } = new URL(url);
    const body = JSON.parse(options.body);
    this.requests.push({ path: pathname, body });
    const made = this.answers[pathname];
    if (made === undefined) throw new TypeError('no network');
    const said = await (typeof made === 'function' ? made(body) : made);
    const [status, content] = Array.isArray(said) ? said : [200, said];
    return { status, headers: [], text: async () => (typeof content === 'string' ? content : JSON.stringify(content)) };
  }

  hears(line, text) {
    const message = JSON.parse(text);
    line.received.push(message);
    const handle = this.heard[message.op];
    if (handle) handle(line, message);
    else if (message.op === 200) line.answer(message, this.welcome);
    else if (message.op !== 1001) line.answer(message, {});
  }
}

/** As much of a WebSocket as the phone and the SDK use. */
class FakeSocket {
  constructor(double, url) {
    Object.assign(this, { double, url, readyState: 0 });
    this.line = new Line(double, this);
    double.lines.push(this.line);
    setTimeout(() => this.begin());
  }

  begin() {
    if (this.readyState !== 0) return;
    if (this.double.refuseSockets) {
      this.closed(1006, 'refused');
      return;
    }
    this.readyState = 1;
    if (this.onopen) this.onopen({});
  }

  send(text) {
    setTimeout(() => this.readyState === 1 && this.double.hears(this.line, text));
  }

  hear(data) {
    if (this.readyState === 1 && this.onmessage) this.onmessage({ data });
  }

  closed(code, reason) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    if (this.onclose) this.onclose({ code, reason });
  }

  close(code, reason) {
    setTimeout(() => this.closed(code || 1000, reason || ''));
  }

  terminate() {
    this.readyState = 3;
  }
}

module.exports = { Double, TICKET, WELCOME, member, stream };
