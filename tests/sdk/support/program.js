// Runs a mini-program without WeChat: its modules over `wx`, its pages and components with data, methods and events.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

/** Reads "a.b" in data, and "stream.voff" of an observer. */
function read(data, name) {
  return name.split('.').reduce((value, key) => (value === undefined || value === null ? undefined : value[key]), data);
}

class Program {
  /** @param {string} root - the folder of the mini-program; `phone` - support/phone.js */
  constructor(root, phone) {
    Object.assign(this, { root, phone, modules: {}, pages: [], toasts: [], refusedScopes: [], sheet: undefined });
    this.context = vm.createContext({ wx: this.wx(), console, setTimeout, clearTimeout, setInterval, clearInterval });
    this.context.App = (definition) => {
      this.app = definition;
    };
    this.context.getApp = () => this.app;
    this.context.Page = (definition) => {
      this.defined = definition;
    };
    this.context.Component = (definition) => {
      this.defined = definition;
    };
    this.load('app.js');
    this.app.onLaunch();
  }

  wx() {
    const { phone } = this;
    return Object.assign(phone.wx, {
      showToast: ({ title }) => this.toasts.push(title),
      setNavigationBarTitle: ({ title }) => {
        this.title = title;
      },
      getStorageSync: (key) => phone.storage[key] || '',
      setStorageSync: (key, value) => {
        phone.storage[key] = value;
      },
      setKeepScreenOn: () => undefined,
      setClipboardData: ({ data, success }) => {
        this.clipboard = data;
        success();
      },
      login: ({ success }) => setTimeout(() => success({ code: 'CODE' })),
      authorize: ({ scope, success, fail }) =>
        setTimeout(() => (this.refusedScopes.includes(scope) ? fail({ errMsg: 'authorize:fail auth deny' }) : success({}))),
      showActionSheet: (options) => {
        this.sheet = options;
      },
      navigateTo: ({ url, success }) => {
        this.open(url);
        success({});
      },
      navigateBack: () => {
        const page = this.pages.pop();
        page.left = page.onUnload ? page.onUnload() : undefined;
        if (this.page && this.page.onShow) this.page.onShow();
      },
      createLivePusherContext: () => ({ switchCamera: () => (this.flipped = true) }),
      createLivePlayerContext: () => ({ stop: () => this.played.push('stop'), play: () => this.played.push('play') }),
    });
  }

  /** `require` of the mini-program: relative paths, each module once. */
  load(file) {
    if (this.modules[file]) return this.modules[file].exports;
    const module = { exports: {} };
    this.modules[file] = module;
    const source = fs.readFileSync(path.join(this.root, file), 'utf8');
    const run = vm.runInContext(`(function (require, module, exports) {${source}\n})`, this.context, { filename: file });
    run((name) => this.load(path.join(path.dirname(file), name)), module, module.exports);
    return module.exports;
  }

  get page() {
    return this.pages[this.pages.length - 1];
  }

  /** Define a page or a component, as its file does. */
  define(file) {
    delete this.modules[file];
    this.defined = undefined;
    this.load(file);
    return this.defined;
  }

  open(url) {
    const definition = this.define(url.replace(/^\//, '') + '.js');
    const page = Object.assign(Object.create(definition), { data: JSON.parse(JSON.stringify(definition.data)) });
    page.setData = (changes) => setData(page.data, changes);
    this.pages.push(page);
    page.loaded = page.onLoad && page.onLoad({});
    if (page.onShow) page.onShow();
    return page;
  }

  /** An instance of a component, attached; `events` collects what it triggers. */
  attach(file, properties) {
    this.played = [];
    const definition = this.define(file);
    const defaults = Object.entries(definition.properties).map(([name, { value }]) => [name, value]);
    const component = Object.assign(Object.create(definition.methods), { events: [] });
    component.data = { ...Object.fromEntries(defaults), ...definition.data };
    component.triggerEvent = (name, detail) => component.events.push([name, detail]);
    component.setData = (changes) => setData(component.data, changes);
    component.give = (changes) => {
      const before = { ...component.data };
      setData(component.data, changes);
      Object.entries(definition.observers || {}).forEach(([name, observe]) => {
        if (read(before, name) !== read(component.data, name)) observe.call(component, read(component.data, name));
      });
    };
    component.detach = () => definition.lifetimes.detached.call(component);
    component.give(properties);
    return component;
  }

  // The application's life

  hide() {
    this.phone.hide();
    if (this.page.onHide) this.page.onHide();
  }

  show() {
    this.phone.show();
    if (this.page.onShow) this.page.onShow();
  }
}

/** WeChat refuses undefined and functions in data: what does not survive JSON is an error here. */
function setData(data, changes) {
  Object.entries(changes).forEach(([name, value]) => {
    const copy = value === undefined ? undefined : JSON.parse(JSON.stringify(value));
    if (copy === undefined) throw new Error(`setData of ${name} to undefined`);
    data[name] = copy;
  });
}

/** What an event handler gets. */
function tap(dataset = {}, detail = {}) {
  return { currentTarget: { dataset }, detail };
}

module.exports = { Program, tap };
