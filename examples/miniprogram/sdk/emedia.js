/*! Confr's client with the calls of Easemob EMedia, for mini-programs, browsers and Node: see docs/sdk.md. */
(function () {
  'use strict';

  const VERSION = '1.0.0';
  const ConfrType = { COMMUNICATION: 10, COMMUNICATION_MIX: 11, LIVE: 12 };
  const Role = { ADMIN: 7, TALKER: 3, AUDIENCE: 1 };
  const NO_WISH = 9; // the server decides which role to give
  const ExitReason = { HANG_UP: 0, REFUSED: 2, FAILED: 4, TIMEOUT: 6, OTHER_DEVICE: 10, CLOSED: 11, KICKED: 12 };
  const ErrorCode = {
    NO_RIGHT: -101,
    BAD_PARAMETERS: -200,
    TIMEOUT: -408,
    BAD_ANSWER: -501,
    MEMBER_INVALID: -504,
    CONFERENCE_CLOSED: -506,
    UNSUPPORTED: -507,
    TALKERS_FULL: -523,
    NETWORK: -9527,
  };

  // The vendor's names, and those of its document or of a dictionary.
  const SPELLINGS = {
    onMemberJoined: 'onMemberJoin',
    onMediaChanaged: 'onMediaChanged',
    onUnMuteAll: 'onUnmuteAll',
  };

  // Times are milliseconds.
  const DEFAULTS = {
    language: '',
    timeout: 15000,
    enterTimeout: 20000,
    heartbeat: 15000,
    reconnectAttempts: 20,
    reconnectDelay: 500,
    reconnectMaxDelay: 10000,
    debug: false,
  };

  // -- Refusals

  const TEXTS = {
    network: [ErrorCode.NETWORK, 'The server cannot be reached; check the network', '连接不到服务器,请检查网络'],
    timeout: [ErrorCode.TIMEOUT, 'The server did not answer in time; try again', '服务器未及时响应,请重试'],
    answer: [ErrorCode.BAD_ANSWER, 'The server gave no valid answer', '服务器的响应无效'],
    outside: [ErrorCode.MEMBER_INVALID, 'You are not in this conference', '您不在此会议中'],
    right: [ErrorCode.NO_RIGHT, 'Join this conference first', '请先加入此会议'],
    missing: [ErrorCode.BAD_PARAMETERS, 'Missing', '缺少参数'],
    alone: [ErrorCode.MEMBER_INVALID, 'There is no admin to ask; try again later', '会议中没有管理员,请稍后重试'],
  };

  function refusal(error, message) {
    return Object.assign(new Error(message), { name: 'EMediaError', error });
  }

  function messageIn(answer) {
    return answer.errorMessage || answer.msg || answer.message || answer.error_description || answer.detail;
  }

  /** Why a conference ends when the server refuses it with `code`. */
  function exitReasonOf(code) {
    if (code === ErrorCode.CONFERENCE_CLOSED) return ExitReason.CLOSED;
    const failures = [-500, -502, -504, -508, -510, ErrorCode.NETWORK, ErrorCode.TIMEOUT];
    return failures.includes(code) ? ExitReason.FAILED : ExitReason.REFUSED;
  }

  function isAway(error) {
    return error.error === ErrorCode.NETWORK || error.error === ErrorCode.TIMEOUT;
  }

  // -- Platforms

  function weChat(wx) {
    const { language } = wx.getSystemInfoSync();
    return {
      terminal: 'MINI_PROGRAM',
      scope: wx,
      language,
      request: (options) => new Promise((success, fail) => wx.request({ ...options, success, fail })),
      connect(url, on) {
        const fail = (event) => on.close(1006, event.errMsg);
        const task = wx.connectSocket({ url, fail });
        task.onOpen(on.open);
        task.onMessage((event) => on.message(event.data));
        task.onClose((event) => on.close(event.code, event.reason));
        task.onError(fail);
        return { send: (data) => task.send({ data, fail }), close: () => task.close({ code: 1000 }) };
      },
      watch(network, foreground) {
        wx.onNetworkStatusChange((status) => network(status.isConnected));
        if (wx.onAppShow) wx.onAppShow(foreground);
      },
    };
  }

  function web(scope) {
    return {
      terminal: 'WEB',
      scope,
      language: scope.navigator && scope.navigator.language,
      async request({ url, method, header, data }) {
        const { fetch } = scope;
        const response = await fetch(url, { method, headers: header, body: JSON.stringify(data) });
        return { data: parse(await response.text()), statusCode: response.status, header: {}, errMsg: 'request:ok' };
      },
      connect(url, on) {
        const socket = new scope.WebSocket(url);
        socket.onopen = on.open;
        socket.onmessage = (event) => on.message(event.data);
        socket.onclose = (event) => on.close(event.code, event.reason);
        socket.onerror = () => on.close(1006);
        return { send: (text) => socket.send(text), close: () => socket.close(1000) };
      },
      watch(network, foreground) {
        const { document } = scope;
        if (!document) return;
        scope.addEventListener('online', () => network(true));
        scope.addEventListener('offline', () => network(false));
        document.addEventListener('visibilitychange', () => document.hidden || foreground());
      },
    };
  }

  function theScope() {
    if (typeof globalThis !== 'undefined') return globalThis;
    return typeof self !== 'undefined' ? self : {};
  }

  /** The `wx` of web pages has no sockets. */
  function theWx() {
    return typeof wx !== 'undefined' && wx.connectSocket ? wx : undefined;
  }

  // -- Names, tickets, ids

  /** What JSON text says; anything else as it is. */
  function parse(text) {
    try {
      return JSON.parse(text);
    } catch (error) {
      return text;
    }
  }

  function addText(object, toString) {
    return Object.defineProperty(object, 'toString', { value: toString, configurable: true });
  }

  /** "alice" of "org#app_alice@domain", of "org#app_alice" and of "alice". Names may be e-mail addresses. */
  function shortName(name = '') {
    const long = /^[^#]+#[^_]+_(.*?)(@[^@]*)?$/.exec(name);
    return long ? long[1] : name;
  }

  /** An object, as documented. `JSON.parse(member.ext)`, as code for the vendor's build has it, works too. */
  function readExt(ext) {
    const value = parse(ext);
    return value && typeof value === 'object' && value !== ext ? addText(value, () => ext) : ext;
  }

  /** A ticket, out of JSON text, a conference or an answer. One of the REST API is for another socket. */
  function readTicket(given) {
    const value = parse(given);
    if (!value || typeof value !== 'object') return undefined;
    const { url, ticket } = value;
    if (!url) return readTicket(ticket || value.data);
    return ticket ? { ...value, url: url.replace(/live$/, 'easemob/rtc/ws'), tkt: ticket } : value;
  }

  /** Conferences are named by their id, or by what a promise resolved with. */
  function idOf(confr) {
    return typeof confr === 'object' && confr ? confr.confrId : confr;
  }

  function namesOf(members) {
    return [].concat(members).map((member) => member.name || member);
  }

  /** The vendor's server sends lists as lists or as maps. */
  function list(values) {
    return Object.values(values || []);
  }

  let serial = 0;

  function newTsxId() {
    serial += 1;
    return 'MSG' + Date.now() + '-' + serial;
  }

  function getRtcId() {
    serial += 1;
    return 'wx-' + serial + '-' + Math.random().toString(36).slice(2, 5);
  }

  const SECRETS = /^(token|roleToken|ticket|tkt|password|useUrl|rtmp|hls|flv)$/;

  function masked(value) {
    return JSON.stringify(value, (name, inner) => (inner && SECRETS.test(name) ? '***' : inner));
  }

  /** A seat in a conference: its socket and the way back, and who and what is in the room. */
  class Session {
    constructor(mgr, entry) {
      Object.assign(this, entry, { mgr, state: 'entering' }); // then inside, lost and inside again, ended
      this.members = new Map();
      this.streams = new Map();
      this.attributes = {};
      this.own = {}; // rtcId → {voff, aoff}
      this.calls = new Map(); // tsxId → settle
      this.asked = {}; // the roles that we raised a hand for
      this.cver = 0; // the last change that we know of
      this.floor = 0; // the change that the last roster was made after
      this.attempt = 0;
    }

    enter() {
      this.entered = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
      this.deadline = setTimeout(() => this.end(ExitReason.FAILED, ErrorCode.NETWORK), this.mgr.options.enterTimeout);
      this.connect();
      return this.entered;
    }

    // -- The socket

    connect() {
      this.drop();
      const line = { early: [] }; // early: pushes that overtake the answer to op 200
      const current = (handle) => (...args) => this.line === line && handle(...args);
      line.lost = current((code, why) => this.lose(code, why));
      line.guard = setTimeout(line.lost, this.mgr.options.timeout, 1006, 'no answer');
      this.line = line;
      try {
        line.socket = this.mgr.platform.connect(this.ticket.url, {
          open: current(() => this.greet(line)),
          message: current((text) => this.receive(line, text)),
          close: line.lost,
        });
      } catch (error) {
        line.lost(1006, error.message);
      }
    }

    greet(line) {
      const { ticket, nickName, sessId, cver } = this;
      const res = { type: this.mgr.platform.terminal, ver: VERSION, platVersion: VERSION, ops: [1002] };
      const { language } = this.mgr;
      const ext = this.ext && JSON.stringify(parse(this.ext));
      const message = { op: 200, res, tkt: ticket, nickName, ext, lang: language };
      this.call(sessId ? { ...message, cver } : message).then(
        (reply) => this.line === line && this.welcome(line, reply),
        (error) => this.line === line && this.turnedAway(error),
      );
    }

    /** Rejects when the answer is a refusal, late, or when the socket goes. */
    call(message, timeout) {
      const { line, mgr } = this;
      if (this.state !== 'inside' && message.op !== 200) return Promise.reject(mgr.refusal('network'));
      return new Promise((resolve, reject) => {
        const tsxId = newTsxId();
        const settle = (answer) => {
          clearTimeout(timer);
          this.calls.delete(tsxId);
          if (answer instanceof Error) reject(answer);
          else if (answer.result < 0) reject(refusal(answer.result, messageIn(answer) || 'error ' + answer.result));
          else resolve(answer);
        };
        const timer = setTimeout(() => settle(mgr.refusal('timeout')), timeout || mgr.options.timeout);
        this.calls.set(tsxId, settle);
        this.send(line, { tsxId, ...message });
      });
    }

    send(line, message) {
      const frame = { sessId: this.sessId, ...message };
      this.mgr.log('>', frame);
      try {
        line.socket.send(JSON.stringify(frame));
      } catch (error) {
        line.lost(1006, error.message);
      }
    }

    receive(line, text) {
      const frame = parse(text) || {};
      this.mgr.log('<', frame);
      if (frame.op === 1001) this.answered(frame);
      else if (this.state === 'inside') this.push(frame);
      else line.early.push(frame);
    }

    answered(frame) {
      const { op2 } = parse(frame.arg) || {};
      if (op2 && frame.result >= 0) this.replied(op2 === 22 ? Role.ADMIN : Role.TALKER, frame.result);
      const settle = this.calls.get(frame.tsxId);
      if (settle) settle(frame);
    }

    drop() {
      const { line } = this;
      [this.retry, this.beat, line && line.guard].forEach(clearTimeout);
      if (!line) return;
      this.line = undefined;
      this.calls.forEach((settle) => settle(this.mgr.refusal('network')));
      if (line.socket) line.socket.close();
    }

    // -- Entering, losing, coming back, leaving

    welcome(line, reply) {
      const returned = this.state === 'lost';
      clearTimeout(line.guard);
      clearTimeout(this.deadline);
      Object.assign(this, { state: 'inside', attempt: 0, renewed: false, sessId: reply.sessId });
      this.useUrl = reply.useUrl || this.useUrl;
      this.sitDown(reply);
      this.compare(reply);
      this.attributesAre(reply.cattrs, returned ? 'UPDATE' : '');
      this.stateIs(reply.cstate);
      line.early.forEach((frame) => this.push(frame));
      if (this.line !== line) return; // a callback or an early push has ended it
      this.beatLater();
      if (returned) this.mgr.emit('onReconnect', this.memId, this.confr.ticket);
      else this.resolve(this.confr);
    }

    /** Take or keep the seat that the server gives. */
    sitDown({ memId, role, roleToken, vcodes, rtcCfg, sessId, mems }) {
      const { self: before, nickName, confr } = this;
      const { memName } = { ...this.ticket, ...list(mems).find(({ id }) => id === memId) };
      if (before && before.id === memId) {
        this.roleIs(role, roleToken);
        return;
      }
      Object.keys(this.own).forEach((rtcId) => this.ownStreamOut(rtcId));
      if (before) this.memberOut(before.id, ExitReason.TIMEOUT);
      const names = { memName, globalName: memName, name: shortName(memName), nickName };
      this.self = { ...names, id: memId, ext: this.ext, role, vcodes, rtcCfg, sessId, isSelf: true };
      this.memId = memId;
      this.members.set(memId, this.self);
      Object.assign(confr, { memId, role, roleToken: roleToken || confr.roleToken });
      this.mgr.emit('onMemberJoined', this.self);
    }

    /** Op 200 was refused. A lost seat is asked for once more, with a new ticket. */
    turnedAway(error) {
      const code = error.error;
      const lost = this.state === 'lost';
      const stale = [-500, -502, -504].includes(code);
      if (isAway(error) || (lost && code === ErrorCode.BAD_ANSWER)) this.lose(1006, error.message);
      else if (lost && stale && this.password !== undefined && !this.renewed) this.renew();
      else this.end(exitReasonOf(code), code, error);
    }

    renew() {
      const waiting = (handle) => (value) => this.state === 'lost' && handle(value);
      this.drop();
      this.renewed = true;
      this.mgr.ticketFor(this.confrId, this.password, this.role).then(
        waiting((answer) => {
          this.ticket = readTicket(answer);
          this.sessId = undefined;
          Object.assign(this.confr, { ticket: answer.ticket, roleToken: answer.roleToken });
          this.connect();
        }),
        waiting((error) => {
          this.renewed = false;
          if (isAway(error)) this.comeBack();
          else this.end(exitReasonOf(error.error), error.error, error);
        }),
      );
    }

    lose(code, why) {
      if (this.state === 'ended') return;
      this.mgr.log('lost', { code, why });
      this.drop();
      this.comeBack();
    }

    comeBack() {
      const { reconnectAttempts, reconnectDelay, reconnectMaxDelay } = this.mgr.options;
      if (this.attempt >= reconnectAttempts) {
        this.end(ExitReason.FAILED, ErrorCode.NETWORK);
        return;
      }
      // Jitter: a server that comes back must not meet everybody in one moment.
      const longest = Math.min(reconnectMaxDelay, reconnectDelay * 2 ** this.attempt);
      const delay = Math.round(longest * (0.5 + Math.random() / 2));
      if (this.mgr.online) this.attempt += 1;
      this.retry = setTimeout(() => this.connect(), delay);
      if (this.state === 'entering') return;
      this.state = 'lost';
      this.mgr.emit('onReconnecting', this.attempt, delay);
    }

    /** The network or the foreground is back: is the socket alive? */
    wake() {
      this.attempt = 0;
      if (this.state === 'inside') this.sayAlive(this.mgr.options.timeout / 3);
      else if (!this.line && !this.renewed) this.connect();
    }

    beatLater() {
      clearTimeout(this.beat);
      this.beat = setTimeout(() => this.sayAlive(), this.mgr.options.heartbeat);
    }

    /** A sign of life that asks for what we have missed. */
    sayAlive(timeout) {
      const { line } = this;
      this.call({ op: 1000, cver: this.cver }, timeout).then(
        (reply) => {
          if (this.line !== line) return;
          this.compare(reply);
          this.beatLater();
        },
        (error) => {
          if (this.line !== line) return;
          if (error.error === ErrorCode.CONFERENCE_CLOSED) this.end(ExitReason.CLOSED, error.error, error);
          else this.lose(1006, error.message); // the answer to op 200 will tell
        },
      );
    }

    /** The room is empty at once; the socket stays until the server has heard. */
    async leave() {
      const told = this.call({ op: 201 }, 500).catch((error) => this.mgr.log('leave', error.message));
      this.tellEnd(ExitReason.HANG_UP, undefined, this.mgr.refusal('outside'));
      await told;
      this.drop();
    }

    /** `failed` is the code behind the end, undefined when nothing failed. */
    end(reason, failed, error) {
      this.drop();
      this.tellEnd(reason, failed, error || this.mgr.refusal('network'));
    }

    tellEnd(reason, failed, error) {
      if (this.state === 'ended') return;
      this.state = 'ended';
      [this.deadline, this.retry, this.beat].forEach(clearTimeout);
      this.mgr.forget(this);
      this.reject(error);
      Array.from(this.members.keys()).forEach((id) => this.memberOut(id));
      this.mgr.emit('onConferenceExit', reason, failed, this.confr);
    }

    // -- Who and what is in the room

    push(frame) {
      const { op, cver = 0 } = frame;
      const isOld = cver && cver <= this.floor && op >= 300 && op < 1000; // a roster has told it
      if (this.state !== 'inside' || isOld) return;
      this.cver = Math.max(this.cver, cver);
      const handle = PUSHES[op];
      if (handle) handle.call(this, frame);
    }

    /** Make the room what a roster says, telling only of the differences. */
    compare({ mems, streams, cver = this.cver }) {
      if (!mems || cver < this.cver) return;
      this.cver = this.floor = cver;
      const here = new Set(list(mems).map((mem) => mem.id).concat(this.memId));
      const shown = new Set(list(streams).map((stream) => stream.id));
      Array.from(this.streams.keys()).forEach((id) => shown.has(id) || this.streamOut(id));
      Array.from(this.members.keys()).forEach((id) => here.has(id) || this.memberOut(id));
      list(mems).forEach((mem) => this.memberIn(mem));
      list(streams).forEach((stream) => this.streamIn(stream));
    }

    memberIn(mem) {
      if (mem.id === this.memId) return;
      const globalName = mem.memName || mem.name;
      const member = { ...mem, name: shortName(globalName), globalName, ext: readExt(mem.ext) };
      const known = this.members.get(mem.id);
      if (!known) {
        this.members.set(mem.id, member);
        this.mgr.emit('onMemberJoined', member);
      } else if (known.role !== member.role) this.mgr.emit('onMemberChanged', Object.assign(known, member));
    }

    memberOut(id, reason) {
      const member = this.members.get(id);
      this.streams.forEach((stream) => stream.memId === id && this.streamOut(stream.id));
      if (!this.members.delete(id)) return;
      this.mgr.emit('onMemberExited', member, reason);
    }

    streamIn(pubS, memId = pubS.memId) {
      if (memId === this.memId) return;
      const known = this.streams.get(pubS.id);
      if (known) {
        this.mediaIs(known, pubS);
        return;
      }
      const { memName } = pubS;
      const owner = this.members.get(memId) || { id: memId, name: shortName(memName), globalName: memName };
      const stream = { voff: 0, aoff: 0, ...pubS, memId, owner };
      this.streams.set(stream.id, stream);
      this.mgr.emit('onStreamAdded', stream, owner);
    }

    streamOut(id) {
      const stream = this.streams.get(id);
      if (!this.streams.delete(id)) return;
      this.mgr.emit('onStreamRemoved', stream, stream.owner);
    }

    ownStreamOut(rtcId) {
      delete this.own[rtcId];
      this.mgr.emit('onUnpublished', rtcId);
    }

    mediaIs(stream, { voff = stream.voff, aoff = stream.aoff, sver = stream.sver }) {
      if (sver < stream.sver || (voff === stream.voff && aoff === stream.aoff)) return;
      this.mgr.emit('onMediaChanaged', Object.assign(stream, { voff, aoff, sver }), { voff, aoff });
    }

    roleIs(role, roleToken) {
      const { confr, self: me } = this;
      const before = me.role;
      if (roleToken) confr.roleToken = roleToken;
      if (!role || role === before) return;
      me.role = confr.role = role;
      this.mgr.emit('onRoleChanged', role, confr.roleToken);
      if (role > before) this.replied(role, 0);
    }

    /** The answer to a raised hand, told once, whichever way it comes. */
    replied(role, result) {
      if (!this.asked[role]) return;
      this.asked[role] = false;
      this.mgr.emit(role === Role.ADMIN ? 'onRequestToAdminReply' : 'onRequestToTalkerReply', result);
    }

    /** All attributes, as the server has them. */
    attributesAre(cattrs, op) {
      if (!cattrs) return;
      const known = this.attributes;
      const now = Array.isArray(cattrs) ? cattrs : Object.keys(cattrs).map((key) => ({ key, val: cattrs[key] }));
      const kept = now.map(({ key }) => key);
      const gone = Object.keys(known).filter((key) => !kept.includes(key));
      const changed = now.filter(({ key, val }) => known[key] !== val);
      this.attributesChange(
        changed.map(({ key, val }) => ({ key, val, op })).concat(gone.map((key) => ({ key, op: 'DEL' }))),
      );
    }

    /** Some attributes: the application gets them all, and `op` says what is new. */
    attributesChange(changes) {
      if (!changes.length) return;
      const known = this.attributes;
      const keys = changes.map(({ key }) => key);
      const others = Object.keys(known).filter((key) => !keys.includes(key));
      changes.forEach(({ key, val, op }) => {
        if (op === 'DEL') delete known[key];
        else known[key] = val;
      });
      this.mgr.emit('onConfrAttrsUpdated', others.map((key) => ({ key, val: known[key], op: '' })).concat(changes));
    }

    stateIs({ muteAll } = {}) {
      if (muteAll === undefined || muteAll === !!this.muteAll) return;
      this.muteAll = muteAll;
      if (this.self.role !== Role.ADMIN) this.mgr.emit(muteAll ? 'onMuteAll' : 'onUnMuteAll');
    }

    raiseHand(op2) {
      const { memId, nickName, self: me } = this;
      const admins = Array.from(this.members.values()).filter(({ id, role }) => role === Role.ADMIN && id !== memId);
      if (!admins.length) return Promise.reject(this.mgr.refusal('alone'));
      this.asked[op2 === 22 ? Role.ADMIN : Role.TALKER] = true;
      const arg = JSON.stringify({ op2, memId, memName: me.memName, nickName });
      return Promise.all(admins.map((admin) => this.call({ op: 1002, memId: admin.id, arg })));
    }

    handRaised({ tsxId }, { op2, memId, memName, nickName }) {
      const role = op2 === 22 ? Role.ADMIN : Role.TALKER;
      const applicant = { memberId: memId, nickName, memName, name: shortName(memName) };
      const agree = (memberId, whenFull) =>
        this.mgr.grantRole(this.confrId, applicant, role).catch((error) => {
          if (error.error !== ErrorCode.TALKERS_FULL || !whenFull) throw error;
          whenFull();
        });
      const refuse = () =>
        this.send(this.line, { op: 1001, tsxId, memId, result: 1, arg: JSON.stringify({ op2, memId }) });
      this.mgr.emit(role === Role.ADMIN ? 'onRequestToAdmin' : 'onRequestToTalker', applicant, agree, refuse);
    }
  }

  // What the server says unasked, by the number of the frame. `this` is the session.
  const PUSHES = {
    107({ endReason }) {
      if (endReason === 23) this.mgr.emit('onPubVideoTooMuch');
      if (endReason === 24) this.mgr.emit('onPubDesktopTooMuch');
    },
    204() {
      this.end(ExitReason.CLOSED);
    },
    300({ mem }) {
      this.memberIn(mem);
    },
    301({ memId, reason }) {
      if (memId !== this.memId) this.memberOut(memId, reason);
      else if (reason === ExitReason.FAILED || reason === ExitReason.TIMEOUT) this.lose(1012, 'told to come again');
      else this.end(reason || ExitReason.HANG_UP);
    },
    302({ memId, pubS }) {
      this.streamIn(pubS, memId);
    },
    303({ memId, pubSId }) {
      if (memId === this.memId) this.ownStreamOut(pubSId.split('__Of_')[0]);
      else this.streamOut(pubSId);
    },
    400(frame) {
      const stream = this.streams.get(frame.streamId);
      if (stream) this.mediaIs(stream, frame);
    },
    402({ cattrs, cstate }) {
      if (Array.isArray(cattrs)) this.attributesChange(cattrs);
      else this.attributesAre(cattrs, 'UPDATE');
      this.stateIs(cstate);
    },
    412({ role, roleToken }) {
      this.roleIs(role, roleToken);
    },
    413({ memberId, role }) {
      this.mgr.emit('onAdminChanged', { memberId, role });
      const member = this.members.get(memberId);
      if (member) this.memberIn({ ...member, role });
    },
    1002(frame) {
      const arg = parse(frame.arg);
      if (arg.op2 === 21 || arg.op2 === 22) this.handRaised(frame, arg);
      else if (arg.op2 === 23) this.mgr.emit('onMuted');
      else if (arg.op2 === 24) this.mgr.emit('onUnmuted');
      else this.send(this.line, { op: 1001, tsxId: frame.tsxId, memId: frame.memId, result: ErrorCode.UNSUPPORTED });
    },
  };

  /** What the calls are made of: identity, requests, listeners, the log. */
  class Client {
    constructor(platform) {
      Object.assign(this, { platform, options: { ...DEFAULTS }, online: true, lines: [], listeners: {} });
      this.leavings = { all: 0 }; // by confrId: how often it was left
      this.confrs = {}; // by confrId: role token, password, …
      this.sessions = new Map();
    }

    /** Without setIdentity, that of Easemob's IM SDK at `wx.WebIM`. */
    async credentials() {
      const { WebIM } = this.platform.scope;
      const { jid = {}, userId, accessToken, appKey } = (WebIM && WebIM.conn && WebIM.conn.context) || {};
      const appkey = this.options.appkey || jid.appKey || appKey;
      const { memName = userId || jid.name, token = accessToken } = this;
      if (!memName || !token) throw this.refusal('missing', 'emedia.mgr.setIdentity(memName, token)');
      const uid = /[#@]/.test(memName) || !appkey ? memName : appkey + '_' + memName;
      return { appkey, uid, token: typeof token === 'function' ? await token() : token };
    }

    async ticketFor(confrId, password = '', role) {
      if (!confrId) throw this.refusal('missing', 'confrId');
      return this.requestTicket({ confrId, password, role: role || NO_WISH });
    }

    /** The raw response, as the vendor's build gives it, with the documented conference on top. */
    async requestTicket(wishes) {
      const { uid, token } = await this.credentials();
      const response = await this.post('/easemob/rtc/req/ticket', { uid, token, ...wishes });
      const answer = response.data;
      const id = wishes.confrId || answer.confrId;
      const { data, error, rtcCfg, password = wishes.password, ...rest } = answer;
      const mixed = answer.type === ConfrType.COMMUNICATION_MIX || answer.type === ConfrType.LIVE;
      const facts = { confrId: id, id, serverConfrId: id, mixed };
      this.confrs[id] = { ...rest, ...facts, password };
      Object.assign(answer, facts);
      return { ...response, ...this.confrs[id] };
    }

    enter(confrId, given, entry) {
      if (this.sessions.has(confrId)) return this.sessions.get(confrId).entered;
      const ticket = readTicket(given);
      if (!ticket || !confrId) return Promise.reject(this.refusal('missing', 'ticket'));
      const text = typeof given === 'string' ? given : JSON.stringify(ticket);
      const { roleToken } = ticket;
      const confr = { id: confrId, roleToken, ...this.confrs[confrId], confrId, ticket: text };
      addText(confr, () => confr.memId); // what the vendor's build resolves with
      this.confrs[confrId] = confr;
      const nickName = (parse(entry.ext) || {}).nickName || shortName(ticket.memName);
      this.current = new Session(this, { confrId, confr, ticket, nickName, ...entry });
      this.sessions.set(confrId, this.current);
      this.watch();
      return this.current.enter();
    }

    forget(session) {
      this.sessions.delete(session.confrId);
      if (this.current === session) this.current = Array.from(this.sessions.values()).pop();
    }

    /** Answers a check that nobody has left since: no ghosts. */
    comingTo(confrId) {
      const { all, [confrId]: own } = this.leavings;
      return () => {
        if (this.leavings.all !== all || this.leavings[confrId] !== own) throw this.refusal('outside');
      };
    }

    watch() {
      if (this.watching) return;
      this.watching = true;
      const wake = () => this.sessions.forEach((session) => session.wake());
      this.platform.watch((online) => {
        this.log('network', { online });
        this.online = online;
        if (online) wake();
      }, wake);
    }

    session(confr) {
      const session = confr ? this.sessions.get(idOf(confr)) : this.current;
      if (!session || !session.memId) throw this.refusal('outside');
      return session;
    }

    async moderate(confr, path, body) {
      const confrId = idOf(confr) || (this.current && this.current.confrId);
      const { roleToken } = this.confrs[confrId] || {};
      if (!roleToken) throw this.refusal('right');
      return this.post('/easemob/rtc/' + path, { confrId, roleToken, ...body });
    }

    async control(confr, memId, op2) {
      return this.session(confr).call({ op: 1002, memId, arg: JSON.stringify({ op2, memId }) });
    }

    writeAttribute({ confrId, success, error }, attribute) {
      return this.moderate(confrId, 'confr/attrs/update', { cattrs: [attribute] }).then(success, error);
    }

    async use(body) {
      const { useUrl } = this.session();
      const response = await this.ask(useUrl, body);
      return { ...response, ...response.data };
    }

    async post(path, body) {
      if (!this.host) throw this.refusal('missing', 'emedia.mgr.setHost(url)');
      return this.ask(this.host + path, body);
    }

    async ask(url, data) {
      const { timeout } = this.options;
      const header = { 'Content-Type': 'application/json', 'Accept-Language': this.language };
      this.log('POST', data);
      const response = await new Promise((resolve, reject) => {
        const lose = ({ errMsg, message = errMsg }) => {
          this.log('failed', message);
          reject(this.refusal(/timeout/.test(errMsg) ? 'timeout' : 'network'));
        };
        const timer = setTimeout(lose, timeout, { errMsg: 'timeout' });
        const answer = this.platform.request({ url, method: 'POST', data, header, timeout });
        answer.then(resolve, lose).then(() => clearTimeout(timer));
      });
      this.log(response.statusCode, response.data);
      this.check(response);
      return response;
    }

    /** Throws the refusal that a response is, if it is one. */
    check({ data, statusCode }) {
      const answer = data && typeof data === 'object' ? data : { error: ErrorCode.BAD_ANSWER };
      if (!answer.error && statusCode < 400) return;
      const code = Number(answer.error) || ErrorCode.BAD_ANSWER;
      throw refusal(code, messageIn(answer) || this.refusal('answer', 'HTTP ' + statusCode).message);
    }

    /** A refusal that is born here. */
    refusal(name, detail) {
      const [code, english, chinese] = TEXTS[name];
      const text = this.language === 'en' ? english : chinese;
      return refusal(code, detail ? text + ': ' + detail : text);
    }

    /** Of messages, the server's too. */
    get language() {
      return /^zh/i.test(this.options.language || this.platform.language) ? 'zh-hans' : 'en';
    }

    /** What a listener throws is the application's. */
    emit(name, ...args) {
      this.log(name, {});
      const called = new Set();
      [name, SPELLINGS[name]].forEach((spelling) => {
        if (this[spelling]) called.add(this[spelling]);
        (this.listeners[spelling] || []).forEach((listener) => called.add(listener));
      });
      called.forEach((listener) => {
        try {
          listener.apply(this, args);
        } catch (error) {
          setTimeout(() => {
            throw error;
          });
        }
      });
    }

    /** Without secrets. */
    log(what, value) {
      const { debug } = this.options;
      const line = (new Date().toISOString() + ' ' + what + ' ' + masked(value)).slice(0, 1000);
      this.lines = this.lines.slice(-299).concat(line);
      if (typeof debug === 'function') debug(line);
      else if (debug) console.log(line);
    }
  }

  /** `emedia.mgr`: a refusal rejects with `{error, message}`. */
  class Manager extends Client {
    setHost(url) {
      this.host = url.replace(/\/+$/, '');
    }

    setIdentity(memName, token) {
      Object.assign(this, { memName, token });
    }

    on(name, listener) {
      this.listeners[name] = (this.listeners[name] || []).concat(listener);
      return () => this.off(name, listener);
    }

    /** Stop a listener; without one, all of that name. */
    off(name, listener) {
      this.listeners[name] = (this.listeners[name] || []).filter((each) => listener && each !== listener);
      if (!listener || this[name] === listener) this[name] = undefined;
    }

    // -- Getting in and out

    /** Create a conference and be its admin. In place of `confrType`: all of it in one object. */
    async createConference(confrType, password, rec = '', recMerge = '') {
      const options = typeof confrType === 'object' ? confrType : { confrType, password, rec, recMerge };
      return this.requestTicket({ supportWechatMiniProgram: true, role: NO_WISH, terminal: {}, ...options });
    }

    /** A ticket, without entering. */
    getConferenceTkt(confrId, password, { role } = {}) {
      return this.ticketFor(idOf(confrId), password, role);
    }

    /** `ext` is what others get as `member.ext`; `ext.nickName` is shown. */
    async joinConference(confrId, password = '', ext, { role } = {}) {
      const id = idOf(confrId);
      if (this.sessions.has(id)) return this.sessions.get(id).entered;
      const stillComing = this.comingTo(id);
      const { ticket } = await this.ticketFor(id, password, role);
      stillComing();
      return this.enter(id, ticket, { ext, password, role });
    }

    async joinConferenceWithTicket(confrId, ticket, ext) {
      const id = idOf(confrId) || (readTicket(ticket) || {}).confrId;
      const { password } = this.confrs[id] || {};
      return this.enter(id, ticket, { ext, password });
    }

    /** Enter the room of a name, which is created when there is none. */
    async joinRoom({ roomName, password = '', role, config = {} } = {}) {
      const stillComing = this.comingTo();
      const { appkey, uid, token } = await this.credentials();
      if (!roomName || !appkey) throw this.refusal('missing', roomName ? 'emedia.config({appkey})' : 'roomName');
      const common = { supportWechatMiniProgram: true, useVCodes: ['H264', 'VP8'] };
      const body = { roomName, password, memName: uid, token, ...common, ...config };
      const { data } = await this.post('/' + appkey.replace('#', '/') + '/conferences/room', body);
      const { confrId, isCreator } = data;
      const { ext, nickName, rec, recMerge } = config;
      const wishes = { confrId, password, role: role || NO_WISH, terminal: {}, rec, recMerge, ...common };
      const { ticket } = await this.requestTicket(wishes);
      stillComing();
      if (isCreator) this.confrs[confrId].isCreator = true;
      return this.enter(confrId, ticket, { ext: { nickName, ...ext }, password, role });
    }

    /** Leave, or turn back on the way in; without an id, the conference entered last. */
    async exitConference(confrId) {
      const id = idOf(confrId);
      this.leavings[id || 'all'] = (this.leavings[id || 'all'] || 0) + 1;
      const session = id ? this.sessions.get(id) : this.current;
      if (session) await session.leave();
      else if (this.current) throw this.refusal('outside', id + ' ≠ ' + this.current.confrId);
    }

    // -- Moderation

    destroyConference(confrId) {
      return this.moderate(confrId, 'disband/conference');
    }

    kickMembersById(confrId, memberNames) {
      return this.moderate(confrId, 'kick/member', { uids: namesOf(memberNames) });
    }

    grantRole(confrId, memberNames, role) {
      return this.moderate(confrId, 'chanage/roles', { uids: namesOf(memberNames), role: Number(role) });
    }

    /** Step down, or take others down. */
    degradeRole(confrId, memberNames, role) {
      return this.moderate(confrId, 'role/degrade', { uids: namesOf(memberNames), role: Number(role) });
    }

    /** Mute everybody but the admins, newcomers too. */
    muteAll(confrId) {
      return this.moderate(confrId, 'confr/attrs/update', { cstate: { muteAll: true } });
    }

    unmuteAll(confrId) {
      return this.moderate(confrId, 'confr/attrs/update', { cstate: { muteAll: false } });
    }

    muteBymemberId(confrId, memberId) {
      return this.control(confrId, memberId, 23);
    }

    unmuteBymemberId(confrId, memberId) {
      return this.control(confrId, memberId, 24);
    }

    /** Raise a hand: ask the admins to become a talker. */
    async requestToTalker(confrId) {
      return this.session(confrId).raiseHand(21);
    }

    async requestToAdmin(confrId) {
      return this.session(confrId).raiseHand(22);
    }

    // -- Media

    /** Where to push: `res.data.rtmp`. `declared` says what will be sent. */
    async pubStream(rtcId = getRtcId(), declared = {}) {
      const { own } = this.session();
      const response = await this.use({ op: 'pubS', rtcId, ...declared });
      own[rtcId] = own[rtcId] || { voff: 0, aoff: 0 };
      return { ...response, rtcId };
    }

    /** Where to play: `res.data.rtmp`, and `hls` or `flv` where the server offers them. */
    subStream(streamId) {
      return this.use({ op: 'subS', streamId });
    }

    /** End a stream of one's own for everybody, at once. */
    async unpublish(rtcId) {
      const { memId, confrId } = this.session();
      return this.use({ op: 'unpubS', streamId: rtcId + '__Of_' + memId.slice(confrId.length) });
    }

    /** Tell what one's own stream lacks. */
    async streamControl(rtcId, off) {
      const session = this.session();
      const state = { voff: 0, aoff: 0, ...session.own[rtcId], ...off };
      await session.call({ op: 400, rtcId, ...state });
      session.own[rtcId] = state;
    }

    pauseVideo(rtcId) {
      return this.streamControl(rtcId, { voff: 1 });
    }

    resumeVideo(rtcId) {
      return this.streamControl(rtcId, { voff: 0 });
    }

    pauseAudio(rtcId) {
      return this.streamControl(rtcId, { aoff: 1 });
    }

    resumeAudio(rtcId) {
      return this.streamControl(rtcId, { aoff: 0 });
    }

    async getConferenceInfo(confrId, password = '') {
      const { uid, token } = await this.credentials();
      return this.post('/easemob/rtc/select/confr', { uid, token, confrId: idOf(confrId), password });
    }

    setConferenceAttrs(option) {
      return this.writeAttribute(option, { key: option.key, val: option.val, op: 'UPDATE' });
    }

    deleteConferenceAttrs(option) {
      return this.writeAttribute(option, { key: option.key, op: 'DEL' });
    }

    getMembers(confrId) {
      return Array.from(this.session(confrId).members.values());
    }

    getStreams(confrId) {
      return Array.from(this.session(confrId).streams.values());
    }
  }

  const calls = Manager.prototype;
  Object.assign(calls, { ConfrType, Role, ExitReason, ErrorCode });
  calls.raiseHand = calls.requestToTalker;
  calls.muteByMemberId = calls.muteBymemberId;
  calls.unmuteByMemberId = calls.unmuteBymemberId;

  /** An SDK of its own. `given`: {wx}, or {fetch, WebSocket} where the platform has none. */
  function create(given = {}) {
    const isGiven = given.fetch || given.WebSocket;
    const wx = given.wx || (!isGiven && theWx());
    const scope = theScope();
    const { fetch = scope.fetch, WebSocket = scope.WebSocket } = given;
    const mgr = new Manager(wx ? weChat(wx) : web(isGiven ? { fetch, WebSocket } : scope));
    return {
      mgr,
      create,
      version: VERSION,
      util: { getRtcId },
      /** Set server, identity and options: {host, appkey, memName, token, language, debug, …}. */
      config({ host, restPrefix = host, memName = mgr.memName, token = mgr.token, ...options }) {
        if (restPrefix) mgr.setHost(restPrefix);
        mgr.setIdentity(memName, token);
        Object.assign(mgr.options, options);
      },
      /** What happened last, as text for a support request. */
      genReport: () => mgr.lines.join('\n'),
    };
  }

  const emedia = create();
  if (theWx()) theWx().emedia = emedia;
  if (typeof module === 'object' && module.exports) module.exports = emedia;
  else theScope().emedia = emedia;
})();
