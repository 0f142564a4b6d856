// The mini-program as files: what the developer tools would complain about.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const acorn = require('acorn');

const { Phone } = require('./support/phone.js');
const { Program } = require('./support/program.js');
const { elements, parse, usedNames } = require('./support/wxml.js');

const ROOT = path.join(__dirname, '..', '..', 'examples', 'miniprogram');
const BUILT_IN = ['view', 'text', 'input', 'button', 'picker', 'scroll-view', 'live-pusher', 'live-player'];

const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const readJson = (name) => JSON.parse(read(name));
const files = fs.readdirSync(ROOT, { recursive: true }).map(String);
const app = readJson('app.json');
const components = files.filter((name) => name.endsWith('.json') && (readJson(name) || {}).component);
const units = [...app.pages, ...components.map((name) => name.replace(/\.json$/, ''))];

test('every page that app.json names has its four files', () => {
  app.pages.forEach((page) => {
    ['js', 'json', 'wxml', 'wxss'].forEach((kind) => assert.ok(files.includes(`${page}.${kind}`), `${page}.${kind}`));
  });
  assert.equal(app.sitemapLocation, 'sitemap.json');
  assert.ok(readJson('sitemap.json').rules.length);
  assert.equal(readJson('project.config.json').appid, 'touristappid');
});

test('every JSON file is JSON, and every script is ES2019', () => {
  files.filter((name) => name.endsWith('.json')).forEach((name) => readJson(name));
  files
    .filter((name) => name.endsWith('.js'))
    .forEach((name) => acorn.parse(read(name), { ecmaVersion: 2019, sourceType: 'script' }));
});

test('the SDK in it is the SDK', () => {
  const ours = fs.readFileSync(path.join(ROOT, '..', '..', 'static', 'sdk', 'emedia.js'), 'utf8');
  assert.equal(read('sdk/emedia.js'), ours, 'cp static/sdk/emedia.js examples/miniprogram/sdk/');
});

test('both languages have the same texts, and the templates use no other', () => {
  const { ENGLISH, CHINESE } = require(path.join(ROOT, 'lib', 'texts.js'));
  const shape = (texts) =>
    Object.entries(texts).map(([name, text]) => [name, typeof text === 'object' ? Object.keys(text) : typeof text]);
  assert.deepEqual(shape(ENGLISH), shape(CHINESE));
  units.forEach((unit) => {
    [...read(`${unit}.wxml`).matchAll(/texts\.(\w+)/g)].forEach(([, name]) => assert.ok(name in ENGLISH, `${unit}: ${name}`));
  });
});

units.forEach((unit) => {
  test(`${unit}: its template uses what its script has`, () => {
    const program = new Program(ROOT, new Phone());
    const definition = program.define(`${unit}.js`);
    const methods = definition.methods || definition;
    const data = { ...definition.data, ...definition.properties };
    const template = parse(read(`${unit}.wxml`));
    const { usingComponents } = readJson(`${unit}.json`);

    [...usedNames(template)].forEach((name) => assert.ok(name in data, `{{${name}}}`));
    for (const { name, attributes } of elements(template)) {
      assert.ok(BUILT_IN.includes(name) || name in usingComponents, `<${name}>`);
      Object.entries(attributes).forEach(([attribute, value]) => {
        if (/^(bind|catch)/.test(attribute)) assert.equal(typeof methods[value], 'function', `${attribute}="${value}"`);
      });
      if ('wx:for' in attributes) assert.ok(attributes['wx:key'], `wx:key of <${name}>`);
    }
  });
});

test('pages give components the properties that they have, and hear the events that they trigger', () => {
  const program = new Program(ROOT, new Phone());
  const camel = (name) => name.replace(/-(\w)/g, (all, letter) => letter.toUpperCase());
  units.forEach((unit) => {
    const { usingComponents } = readJson(`${unit}.json`);
    for (const { name, attributes } of elements(parse(read(`${unit}.wxml`)))) {
      if (!usingComponents[name]) continue;
      const file = usingComponents[name].slice(1);
      const { properties } = program.define(`${file}.js`);
      const source = read(`${file}.js`);
      Object.keys(attributes).forEach((attribute) => {
        if (attribute.startsWith('wx:')) return;
        if (!attribute.startsWith('bind:')) assert.ok(camel(attribute) in properties, `${name} ${attribute}`);
        else assert.match(source, new RegExp(`'${attribute.slice(5)}'`), `${name} ${attribute}`);
      });
    }
  });
});
