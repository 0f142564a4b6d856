// The browser example as files: strict about scripts, complete in both languages.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { JSDOM } = require('jsdom');

const { ROOT, fakeHls, fakeMpegts } = require('./support/page.js');
const { until } = require('./support/recorder.js');

const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const { document } = new JSDOM(read('index.html')).window;
const scripts = fs.readdirSync(ROOT).filter((name) => name.endsWith('.js'));

test('nothing in the page is inline, and its policy forbids it', () => {
  const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]').content;
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  document.querySelectorAll('script').forEach((script) => assert.ok(script.src && !script.textContent));
  document.querySelectorAll('*').forEach((element) => {
    const inline = element.getAttributeNames().filter((name) => name === 'style' || name.startsWith('on'));
    assert.deepEqual(inline, [], element.outerHTML);
  });
  scripts.forEach((name) => assert.doesNotMatch(read(name), /innerHTML|outerHTML|insertAdjacentHTML|eval\(/, name));
});

test('whatever the page loads is there', () => {
  const loaded = [...document.querySelectorAll('script[src], link[rel=stylesheet]')];
  loaded.forEach((element) => {
    const name = element.getAttribute('src') || element.getAttribute('href');
    assert.ok(fs.existsSync(path.join(ROOT, name)), name);
  });
});

test('every element that the scripts look for is in the page', () => {
  scripts.forEach((name) => {
    [...read(name).matchAll(/(?:byId|show)\('([\w-]+)'/g)].forEach(([, id]) => assert.ok(document.getElementById(id), id));
  });
});

test('both languages have the same texts, and every text is in them', async () => {
  const { CHINESE, ENGLISH } = await import(path.join(ROOT, 'texts.js'));
  const shape = (texts) =>
    Object.entries(texts).map(([name, text]) => [name, typeof text === 'object' ? Object.keys(text) : typeof text]);
  assert.deepEqual(shape(ENGLISH), shape(CHINESE));
  const used = [...document.querySelectorAll('[data-text]')].map((element) => element.dataset.text);
  scripts.forEach((name) => used.push(...[...read(name).matchAll(/\btexts\.(?!js')(\w+)/g)].map(([, text]) => text)));
  assert.deepEqual(used.filter((name) => !(name in ENGLISH)), []);
});

test('a player goes on after errors, asks for a new address where it must, and ends', async () => {
  const { Player } = await import(path.join(ROOT, 'player.js'));
  const Hls = (globalThis.Hls = fakeHls());
  const addresses = [];
  const findAddresses = async () => ({ hls: `http://media/${addresses.push('asked')}.m3u8` });
  const player = new Player(document.createElement('video'), findAddresses, () => assert.fail('it can play'));
  const [first] = await until(() => Hls.made.length && Hls.made);
  assert.equal(first.source, 'http://media/1.m3u8');
  first.fail('mediaError');
  assert.equal(first.recovered, 1);
  first.fail('networkError');
  assert.ok(first.destroyed);
  const second = await until(() => Hls.made[1]);
  assert.equal(second.source, 'http://media/2.m3u8');
  player.end();
  assert.ok(second.destroyed);
});

test('FLV is played where the server offers it, and HLS after all where nothing comes of it', async () => {
  const { Player } = await import(path.join(ROOT, 'player.js'));
  const [Hls, mpegts] = [(globalThis.Hls = fakeHls()), (globalThis.mpegts = fakeMpegts())];
  const offered = { hls: 'http://media/1.m3u8', flv: 'http://media/1.flv' };
  const player = new Player(document.createElement('video'), async () => offered, () => assert.fail('it can play'));
  const [flv] = await until(() => mpegts.made.length && mpegts.made);
  assert.deepEqual([flv.source.url, flv.source.isLive, flv.isLoading], ['http://media/1.flv', true, true]);
  flv.fail();
  assert.ok(flv.destroyed);
  const [hls] = await until(() => Hls.made.length && Hls.made);
  assert.equal(hls.source, 'http://media/1.m3u8');
  player.end();
  delete globalThis.mpegts;
});

test('a player that has ended asks for nothing more, whatever the answer is', async () => {
  const { Player } = await import(path.join(ROOT, 'player.js'));
  let refuse;
  const answer = new Promise((resolve, reject) => (refuse = reject));
  const player = new Player(document.createElement('video'), () => answer, () => assert.fail('it is over'));
  player.end();
  refuse(new Error('no such stream'));
  await answer.catch(() => undefined);
  await new Promise(setImmediate);
  assert.ok(player.isOver);
});

test('a browser without HLS says so', async () => {
  const { Player } = await import(path.join(ROOT, 'player.js'));
  globalThis.Hls = undefined;
  const video = document.createElement('video');
  video.canPlayType = () => '';
  await new Promise((failed) => new Player(video, async () => ({ hls: 'http://media/1.m3u8' }), failed));
});
