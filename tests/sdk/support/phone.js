// A phone with WeChat on it: `wx` as mini-programs see it, over a network that a test can take away.
//
// What is imitated: requests succeed on any status and fail only without an answer; a socket is a SocketTask, five at
// most; a lost network ends sockets, a changed one leaves them dead without a word; the application goes into the
// background and comes back. Below is the real network of this machine (`ws`, `fetch`), or a double of it.
'use strict';

const WebSocket = require('ws');

const MAX_SOCKETS = 5;

/** Calls back as WeChat does: success or fail, then complete, never before the call has returned. */
function answer(options, outcome, result) {
  setTimeout(() => {
    if (options[outcome]) options[outcome](result);
    if (options.complete) options.complete(result);
  });
}

class SocketTask {
  constructor(phone, { url }) {
    Object.assign(this, { phone, url, dead: false, readyState: 0 });
    this.listeners = { open: [], message: [], error: [], close: [] };
    this.socket = new phone.network.WebSocket(url);
    this.socket.onopen = () => this.tell('open', { header: {} }, 1);
    this.socket.onmessage = (event) => this.tell('message', { data: event.data });
    this.socket.onerror = (event) => this.tell('error', { errMsg: 'connectSocket:fail ' + (event.message || '') });
    this.socket.onclose = (event) => {
      phone.sockets.delete(this);
      this.tell('close', { code: event.code, reason: event.reason }, 3);
    };
  }

  tell(event, detail, readyState) {
    if (this.dead) return;
    if (readyState !== undefined) this.readyState = readyState;
    this.listeners[event].forEach((listener) => listener(detail));
  }

  onOpen(listener) {
    this.listeners.open.push(listener);
  }

  onMessage(listener) {
    this.listeners.message.push(listener);
  }

  onError(listener) {
    this.listeners.error.push(listener);
  }

  onClose(listener) {
    this.listeners.close.push(listener);
  }

  send(options) {
    if (this.dead) return; // into the void, as over a network that is gone
    if (this.readyState !== 1) {
      answer(options, 'fail', { errMsg: 'sendSocketMessage:fail WebSocket is not connected' });
      return;
    }
    this.socket.send(options.data);
    answer(options, 'success', { errMsg: 'sendSocketMessage:ok' });
  }

  close(options = {}) {
    const { code = 1000, reason = '' } = options;
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) {
      answer(options, 'fail', { errMsg: 'closeSocket:fail invalid code' });
      return;
    }
    if (this.dead || this.readyState === 3) {
      answer(options, 'fail', { errMsg: 'closeSocket:fail WebSocket is not connected' });
      return;
    }
    this.readyState = 2;
    this.socket.close(code, reason);
    answer(options, 'success', { errMsg: 'closeSocket:ok' });
  }

  /** The network under it is gone: with a word from the system, or silently. */
  die(silently) {
    if (!silently) this.tell('error', { errMsg: 'connectSocket:fail network is down' });
    if (!silently) this.tell('close', { code: 1006, reason: 'abnormal closure' }, 3);
    this.dead = true;
    this.phone.sockets.delete(this);
    this.socket.terminate();
  }
}

class Phone {
  /** @param {{fetch: function, WebSocket: function}} [network] */
  constructor(network = { fetch: (...args) => fetch(...args), WebSocket }) {
    Object.assign(this, { network, networkType: 'wifi', sockets: new Set(), errors: [], storage: {} });
    this.listeners = { network: [], show: [], hide: [] };
    this.wx = this.makeWx();
  }

  makeWx() {
    const { listeners } = this;
    const remove = (name) => (listener) => {
      listeners[name] = listeners[name].filter((each) => listener && each !== listener);
    };
    return {
      request: (options) => this.request(options),
      connectSocket: (options) => this.connectSocket(options),
      getSystemInfoSync: () => ({ language: 'zh_CN', SDKVersion: '2.19.4', platform: 'devtools' }),
      onNetworkStatusChange: (listener) => listeners.network.push(listener),
      offNetworkStatusChange: remove('network'),
      getNetworkType: (options) => answer(options, 'success', { networkType: this.networkType }),
      onAppShow: (listener) => listeners.show.push(listener),
      offAppShow: remove('show'),
      onAppHide: (listener) => listeners.hide.push(listener),
      offAppHide: remove('hide'),
    };
  }

  request(options) {
    const { url, data, method = 'GET', header = {}, timeout = 60000 } = options;
    if (this.networkType === 'none') {
      answer(options, 'fail', { errMsg: 'request:fail ' });
      return { abort() {} };
    }
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeout);
    const body = data === undefined || typeof data === 'string' ? data : JSON.stringify(data);
    this.network
      .fetch(url, { method, headers: { 'content-type': 'application/json', ...header }, body, signal: abort.signal })
      .then(async (response) => {
        const text = await response.text();
        let parsed = text;
        try {
          parsed = JSON.parse(text); // dataType json: what is none is handed over as text
        } catch (error) {
          parsed = text;
        }
        const headers = Object.fromEntries(response.headers || []);
        const result = { data: parsed, statusCode: response.status, header: headers, errMsg: 'request:ok', cookies: [] };
        answer(options, 'success', result);
      })
      .catch((error) => {
        const why = error.name === 'AbortError' ? 'timeout' : 'fail to connect';
        answer(options, 'fail', { errMsg: 'request:fail ' + why });
      })
      .finally(() => clearTimeout(timer));
    return { abort: () => abort.abort() };
  }

  connectSocket(options) {
    if (this.sockets.size >= MAX_SOCKETS) {
      answer(options, 'fail', { errMsg: 'connectSocket:fail exceed max task count' });
      return undefined;
    }
    const task = new SocketTask(this, options);
    this.sockets.add(task);
    if (this.networkType === 'none') setTimeout(() => task.die(false));
    return task;
  }

  // What happens to a phone

  loseNetwork() {
    this.setNetwork('none');
    this.sockets.forEach((task) => task.die(false));
  }

  findNetwork(networkType = '4g') {
    this.setNetwork(networkType);
  }

  /** From Wi-Fi to 4G: the sockets are dead, and nobody says so. */
  changeNetwork(networkType = '4g') {
    this.sockets.forEach((task) => task.die(true));
    this.setNetwork(networkType);
  }

  setNetwork(networkType) {
    this.networkType = networkType;
    const isConnected = networkType !== 'none';
    this.listeners.network.forEach((listener) => listener({ isConnected, networkType }));
  }

  /** Into the background, where the system takes the sockets away after a while. */
  hide({ killSockets = false } = {}) {
    this.listeners.hide.forEach((listener) => listener());
    if (killSockets) this.sockets.forEach((task) => task.die(true));
  }

  show() {
    this.listeners.show.forEach((listener) => listener({ path: '', query: {}, scene: 1001 }));
  }
}

module.exports = { Phone };
