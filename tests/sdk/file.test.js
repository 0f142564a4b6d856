// The file itself: where it loads, what it is written in, how much it weighs, and what is said about it.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const vm = require('node:vm');
const zlib = require('node:zlib');

const acorn = require('acorn');
const { JSDOM } = require('jsdom');
const typescript = require('typescript');

const { CALLBACKS } = require('./support/recorder.js');
const { Phone } = require('./support/phone.js');

const ROOT = path.join(__dirname, '..', '..');
const FILE = path.join(ROOT, 'static/sdk/emedia.js');
const TYPES = path.join(ROOT, 'static/sdk/emedia.d.ts');
const SOURCE = fs.readFileSync(FILE, 'utf8');
const DOCUMENTS = ['docs/sdk.md', 'docs/sdk.zh-CN.md'].map((name) => path.join(ROOT, name));

/** The public names: what the declarations promise, by interface. */
function declared() {
  const file = typescript.createSourceFile(TYPES, fs.readFileSync(TYPES, 'utf8'), typescript.ScriptTarget.ES2019, true);
  const found = {};
  const visit = (node) => {
    if (typescript.isInterfaceDeclaration(node)) {
      found[node.name.text] = node.members.filter((member) => member.name).map((member) => member.name.getText());
    }
    typescript.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

test('it weighs less than 12 kB gzipped', () => {
  const size = zlib.gzipSync(SOURCE, { level: 9 }).length;
  assert.ok(size < 12000, `${size} bytes`);
});

test('it is ES2019, without a dependency', () => {
  acorn.parse(SOURCE, { ecmaVersion: 2019, sourceType: 'script' });
  assert.doesNotMatch(SOURCE, /\brequire\(|\bimport\b\s*[{(]/);
});

test('a mini-program requires it: there is wx, and nothing of a browser', () => {
  const { wx } = new Phone();
  const context = vm.createContext({ wx, module: { exports: {} }, setTimeout, clearTimeout, console });
  vm.runInContext('globalThis = undefined; ' + SOURCE, context);
  const emedia = context.module.exports;
  assert.equal(wx.emedia, emedia, 'as the document uses it');
  assert.equal(emedia.mgr.ConfrType.LIVE, 12);
  assert.match(emedia.util.getRtcId(), /^wx-\d+-[a-z0-9]{3}$/);
});

test('a page loads it by a script element, and as a module, where there is no `this`', async () => {
  const page = new JSDOM('', { runScripts: 'outside-only', url: 'http://localhost/' });
  page.window.eval(SOURCE);
  assert.equal(page.window.emedia.mgr.Role.TALKER, 3);

  const asModule = new JSDOM('', { runScripts: 'outside-only', url: 'http://localhost/' });
  asModule.window.eval(`(() => { 'use strict'; return (function () { ${SOURCE} }).call(undefined); })()`);
  assert.equal(asModule.window.emedia.mgr.Role.ADMIN, 7);
});

test("the wx of WeChat's library for web pages is none", () => {
  const page = new JSDOM('', { runScripts: 'outside-only', url: 'http://localhost/' });
  page.window.wx = { config() {}, ready() {} };
  page.window.eval(SOURCE);
  assert.equal(page.window.wx.emedia, undefined);
  assert.equal(page.window.emedia.mgr.platform.terminal, 'WEB');
});

test('Node requires it and imports it, and leaves nothing behind in the global scope', async () => {
  const required = require(FILE);
  const imported = await import(FILE);
  assert.equal(imported.default, required);
  assert.equal(globalThis.emedia, undefined);
});

test('the declarations compile, strictly, with code that uses them', () => {
  const usage = path.join(__dirname, 'usage.ts');
  const { ScriptTarget, ModuleKind } = typescript;
  const kind = { target: ScriptTarget.ES2019, module: ModuleKind.CommonJS, lib: ['lib.es2019.d.ts'], types: [] };
  const program = typescript.createProgram([usage], { strict: true, noEmit: true, ...kind });
  const problems = typescript.getPreEmitDiagnostics(program);
  assert.deepEqual(problems.map((each) => typescript.flattenDiagnosticMessageText(each.messageText, ' ')), []);
});

test('what is declared exists, and what is public is declared', () => {
  const { EMedia, Manager, Callbacks } = declared();
  const emedia = require(FILE);
  assert.deepEqual([...EMedia].sort(), Object.keys(emedia).sort());
  Manager.forEach((name) => assert.notEqual(emedia.mgr[name], undefined, name));
  const calls = Object.getPrototypeOf(emedia.mgr);
  const own = Object.getOwnPropertyNames(calls).filter((name) => name !== 'constructor');
  assert.deepEqual(own.sort(), [...new Set(Manager)].sort());
  const called = [...SOURCE.matchAll(/'(on[A-Z]\w+)'/g)].map((match) => match[1]);
  assert.deepEqual([...new Set(called)].sort(), [...Callbacks].sort());
  assert.deepEqual(CALLBACKS.filter((name) => !Callbacks.includes(name)), []);
});

test('every call and every callback is documented in both languages', () => {
  const { EMedia, Manager, Callbacks, Options } = declared();
  const names = new Set([...EMedia, ...Manager, ...Callbacks, ...Options]);
  DOCUMENTS.forEach((file) => {
    const text = fs.readFileSync(file, 'utf8');
    const missing = [...names].filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
    assert.deepEqual(missing, [], file);
  });
});

test('both languages have the same sections, tables and examples', () => {
  const shapes = DOCUMENTS.map((file) => {
    const text = fs.readFileSync(file, 'utf8');
    const count = (pattern) => (text.match(pattern) || []).length;
    return { headings: count(/^#+ /gm), rows: count(/^\|/gm), examples: count(/^```/gm) };
  });
  assert.deepEqual(shapes[0], shapes[1]);
});
