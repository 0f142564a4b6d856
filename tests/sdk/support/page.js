// The browser example in jsdom: its own HTML and modules, the real SDK, and a player that plays nothing.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { JSDOM } = require('jsdom');
const WebSocket = require('ws');

const { create } = require('../../../static/sdk/emedia.js');

const ROOT = path.join(__dirname, '..', '..', '..', 'examples', 'browser');

/** As much of hls.js as the page uses; `made` are all players, with what they were told. */
function fakeHls() {
  return class Hls {
    static made = [];
    static isSupported = () => true;
    static Events = { ERROR: 'hlsError' };
    static ErrorTypes = { MEDIA_ERROR: 'mediaError', NETWORK_ERROR: 'networkError' };

    constructor(options) {
      Object.assign(this, { options, destroyed: false, recovered: 0 });
      Hls.made.push(this);
    }

    on(event, listener) {
      this.listener = listener;
    }

    loadSource(source) {
      this.source = source;
    }

    attachMedia(video) {
      this.video = video;
    }

    recoverMediaError() {
      this.recovered += 1;
    }

    destroy() {
      this.destroyed = true;
    }

    fail(type) {
      this.listener('hlsError', { fatal: true, type });
    }
  };
}

/** As much of mpegts.js. */
function fakeMpegts() {
  const made = [];
  const createPlayer = (source) => {
    const listeners = {};
    const player = {
      source,
      on: (event, listener) => (listeners[event] = listener),
      attachMediaElement() {},
      load: () => (player.isLoading = true),
      destroy: () => (player.destroyed = true),
      fail: () => listeners.error(),
    };
    made.push(player);
    return player;
  };
  return { made, createPlayer, isSupported: () => true, Events: { ERROR: 'error', LOADING_COMPLETE: 'loading_complete' } };
}

/** Open the page. A process opens it once, since modules are loaded once. */
async function openPage() {
  const html = fs.readFileSync(path.join(ROOT, 'index.html'), 'utf8');
  const { window } = new JSDOM(html, { url: 'http://localhost:9000/examples/browser/' });
  const { document, FormData } = window;
  const Hls = fakeHls();
  const emedia = create({ fetch, WebSocket });
  emedia.config({ language: 'en', heartbeat: 1000 });
  Object.assign(globalThis, { document, FormData, Hls, emedia, addEventListener: window.addEventListener.bind(window) });
  Object.defineProperty(globalThis, 'navigator', { value: { language: 'en' }, configurable: true });
  await import(path.join(ROOT, 'main.js'));
  const byId = (id) => document.getElementById(id);
  const buttons = (root, label) => [...root.querySelectorAll('button')].filter((each) => each.textContent === label);
  return {
    Hls,
    byId,
    emedia,
    /** Fill the form in and send it. */
    enter(fields) {
      Object.entries(fields).forEach(([name, value]) => (byId('door').elements[name].value = value));
      byId('door').dispatchEvent(new window.Event('submit', { cancelable: true }));
    },
    /** Press the button with this label, in the line that contains `text`. */
    press(listId, text, label) {
      const line = [...byId(listId).children].find((each) => each.textContent.includes(text));
      buttons(line, label)[0].click();
    },
    leavePage: () => window.dispatchEvent(new window.Event('pagehide')),
  };
}

module.exports = { ROOT, fakeHls, fakeMpegts, openPage };
