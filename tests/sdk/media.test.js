// The addresses of pubStream and subStream, with real ffmpeg behind them and a real media server between.
'use strict';

const assert = require('node:assert');
const { execFile, spawn } = require('node:child_process');
const { after, describe, test } = require('node:test');
const { promisify } = require('node:util');

const { until } = require('./support/recorder.js');
const { backend, room } = require('./support/server.js');

const run = promisify(execFile);
const QUIET = ['-hide_banner', '-loglevel', 'error'];
const PICTURE = ['-f', 'lavfi', '-i', 'testsrc=size=160x120:rate=10'];
const SOUND = ['-f', 'lavfi', '-i', 'sine=frequency=440'];
const CODECS = ['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '10', '-c:a', 'aac'];

const publishers = new Set();

after(() => publishers.forEach((publisher) => publisher.kill('SIGKILL')));

/** Push to an address, as live-pusher does. `ended` says when the server has cut it, or it was stopped. */
function push(address, inputs = [...PICTURE, ...SOUND]) {
  const publisher = spawn('ffmpeg', [...QUIET, '-re', ...inputs, ...CODECS, '-f', 'flv', address], { stdio: 'ignore' });
  publishers.add(publisher);
  publisher.ended = new Promise((resolve) => publisher.once('exit', resolve));
  publisher.stop = () => {
    publisher.kill('SIGTERM');
    return publisher.ended;
  };
  return publisher;
}

/** The kinds of streams that come from an address, as live-player sees them; rejects when nothing comes. */
async function watch(address) {
  const options = ['-v', 'error', '-rw_timeout', '5000000', '-show_entries', 'stream=codec_type', '-of', 'csv=p=0'];
  const { stdout } = await run('ffprobe', [...options, address], { timeout: 20000 });
  return stdout.trim().split(/\s+/).sort();
}

describe('streams', { timeout: 120000 }, () => {
  test('what one pushes the others see, once; it goes dark, and it ends', async () => {
    const { alice, bob } = await room(['alice', 'bob']);
    const { data, rtcId } = await alice.mgr.pubStream(alice.emedia.util.getRtcId(), { kind: 'video' });
    const publisher = push(data.rtmp);

    const [stream, owner] = await bob.heard.next('onStreamAdded', () => true, 15000);
    assert.deepEqual([stream.rtcId, stream.voff, stream.aoff, owner.name], [rtcId, 0, 0, 'alice']);
    assert.equal(stream.id, `${rtcId}__Of_M1`);
    const play = await bob.mgr.subStream(stream.id);
    assert.equal(play.rtmp, play.data.rtmp);
    assert.deepEqual(await watch(play.data.rtmp), ['audio', 'video']);
    assert.match(play.data.hls, /^http.*\.m3u8$/);
    await until(async () => (await fetch(play.data.hls)).ok, 'no HLS', 15000);

    await alice.mgr.pauseVideo(rtcId);
    await bob.heard.next('onMediaChanaged', (each, { voff, aoff }) => voff === 1 && aoff === 0);
    await alice.mgr.pauseAudio(rtcId);
    await bob.heard.next('onMediaChanaged', (each, { voff, aoff }) => voff === 1 && aoff === 1);
    await alice.mgr.resumeVideo(rtcId);
    await bob.heard.next('onMediaChanaged', (each, { voff, aoff }) => voff === 0 && aoff === 1);

    await publisher.stop();
    await bob.heard.next('onStreamRemoved', () => true, 10000);
    assert.deepEqual(await alice.heard.next('onUnpublished'), [rtcId]);
    assert.equal(bob.heard.of('onStreamAdded').length, 1);
    assert.deepEqual(alice.heard.of('onStreamAdded'), []);
  });

  test('unpublish ends a stream of one’s own and uses its address up', async () => {
    const { alice, bob } = await room(['alice', 'bob']);
    const { data, rtcId } = await bob.mgr.pubStream();
    const publisher = push(data.rtmp);
    await alice.heard.next('onStreamAdded', () => true, 15000);
    await bob.mgr.unpublish(rtcId);
    await alice.heard.next('onStreamRemoved');
    await publisher.ended;
    assert.notEqual(await push(data.rtmp).ended, 0, 'the address is refused');
    await assert.rejects(bob.mgr.unpublish('no-such-stream'), { error: -507 });
  });

  test('who is demoted, muted or removed is off air at once, and knows', async () => {
    const { confrId, alice, bob } = await room(['alice', 'bob']);
    const air = async (kind, inputs) => {
      alice.heard.forget();
      bob.heard.forget();
      const { data } = await bob.mgr.pubStream(bob.emedia.util.getRtcId(), { kind });
      const publisher = push(data.rtmp, inputs);
      await alice.heard.next('onStreamAdded', () => true, 15000);
      return publisher;
    };

    const speaker = await air('audio', SOUND);
    await alice.mgr.muteBymemberId(confrId, `${confrId}M2`);
    await Promise.all([bob.heard.next('onUnpublished'), alice.heard.next('onStreamRemoved'), speaker.ended]);
    await alice.mgr.unmuteBymemberId(confrId, `${confrId}M2`);
    await bob.heard.next('onUnmuted');

    const talker = await air('video');
    await alice.mgr.grantRole(confrId, ['bob'], 1);
    await Promise.all([bob.heard.next('onUnpublished'), alice.heard.next('onStreamRemoved'), talker.ended]);
    await assert.rejects(bob.mgr.pubStream(), { error: -101 });
    await alice.mgr.grantRole(confrId, ['bob'], 3);
    await bob.heard.next('onRoleChanged', (role) => role === 3);

    const kicked = await air('video');
    const [{ id }] = alice.mgr.getStreams();
    await alice.mgr.kickMembersById(confrId, ['bob']);
    await Promise.all([bob.heard.next('onConferenceExit'), alice.heard.next('onStreamRemoved'), kicked.ended]);
    await assert.rejects(alice.mgr.subStream(id), { error: -507 });
  });

  test('a picture for which there is no seat is cut, and its owner knows why', async () => {
    const { alice, bob } = await room(['alice', 'bob'], { config: { maxVideoCount: 1 } });
    push((await alice.mgr.pubStream()).rtmp);
    await bob.heard.next('onStreamAdded', () => true, 15000);
    const publisher = push((await bob.mgr.pubStream()).rtmp);
    await bob.heard.next('onPubVideoTooMuch', () => true, 20000);
    await publisher.ended;
  });

  test('a stream that began while one was away is there when one is back', async () => {
    const { alice, bob } = await room(['alice', 'bob']);
    bob.phone.loseNetwork();
    await bob.heard.next('onReconnecting');
    const { data } = await alice.mgr.pubStream();
    const publisher = push(data.rtmp);
    const { confrId } = alice.mgr.current;
    await until(async () => (await backend('GET', `/conferences/${confrId}/streams`)).items.length, 'not on air', 15000);
    bob.phone.findNetwork();
    await bob.heard.next('onReconnect');
    const [stream] = await bob.heard.next('onStreamAdded', () => true, 15000);
    assert.deepEqual(await watch((await bob.mgr.subStream(stream.id)).rtmp), ['audio', 'video']);
    await publisher.stop();
    await bob.heard.next('onStreamRemoved', () => true, 10000);
    assert.equal(bob.heard.of('onStreamAdded').length, 1);
  });
});
