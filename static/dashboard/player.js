/**
 * Plays one live stream in a box made of the template "player": over FLV by mpegts.js where it is offered, which is
 * two seconds earlier; else, or when nothing came that way, over HLS by hls.js or the browser itself. The box says how
 * it is: `data-state` is "connecting", "playing", "stalled" (no picture for five seconds), "ended" or "refused"; and
 * `data-protocol` is "flv" or "hls".
 */

import Hls from "../vendor/hls.light.min.mjs";

const STALLED_MS = 5000;
const LOOK_MS = 250;
const AGAIN_MS = 1000;
const HLS_TYPE = "application/vnd.apple.mpegurl";
const FLV_OPTIONS = {
  enableStashBuffer: false,
  liveBufferLatencyChasing: true,
  liveBufferLatencyMaxLatency: 1,
  liveBufferLatencyMinRemain: 0.3,
  lazyLoad: false,
};

export class Player {
  /**
   * @param {HTMLElement} box
   * @param {() => Promise<{hls?: string, flv?: string}>} addresses asks the server, which may refuse
   * @param {{audioOnly: boolean}} options
   */
  constructor(box, addresses, { audioOnly }) {
    Object.assign(this, { box, addresses, audioOnly });
    this.video = box.querySelector("video");
    this.status = box.querySelector("[data-status]");
    this.texts = this.status.dataset;
    box.classList.toggle("is-audio", audioOnly);
    this.controls = new AbortController();
    this.listen();
  }

  /** Begin to play, or begin again after it was refused. */
  async start() {
    this.halt();
    this.say("connecting");
    this.movedAt = performance.now();
    this.progress = 0;
    this.clock = setInterval(() => this.look(), LOOK_MS);
    await this.connect();
  }

  /** The stream is over. */
  end() {
    this.halt();
    this.say("ended");
  }

  /** Nobody looks any more. */
  stop() {
    this.halt();
    this.controls.abort();
    this.audio?.close();
  }

  halt() {
    clearInterval(this.clock);
    clearTimeout(this.again);
    this.engine?.destroy();
    this.engine = null;
    this.video.removeAttribute("src");
    this.clock = null;
  }

  async connect() {
    let urls;
    try {
      urls = await this.addresses();
    } catch (error) {
      if (!error.status) return this.retry();
      if (["stream_ended", "stream_not_found", "conference_closed"].includes(error.code)) return this.end();
      this.halt();
      return this.say("refused", error.detail);
    }
    if (this.clock === null) return; // stopped meanwhile
    const mpegts = urls.flv && !(urls.hls && this.isFlvVain) ? await loadMpegts() : null;
    if (this.clock === null) return;
    if (mpegts?.isSupported()) this.playFlv(mpegts, urls.flv);
    else this.playHls(urls.hls);
    if (this.audioOnly) this.measure();
    this.video.play().catch(() => {}); // it begins as soon as it may: it is muted
  }

  playHls(url) {
    this.box.dataset.protocol = "hls";
    if (!Hls.isSupported()) {
      if (this.video.canPlayType(HLS_TYPE)) this.video.src = url;
      this.video.onerror = () => this.retry();
      return;
    }
    this.engine = new Hls({ enableWorker: false, liveSyncDurationCount: 2, liveMaxLatencyDurationCount: 6, maxBufferLength: 10 });
    this.engine.on(Hls.Events.ERROR, (_, { fatal }) => fatal && this.retry());
    this.engine.loadSource(url);
    this.engine.attachMedia(this.video);
  }

  playFlv(mpegts, url) {
    this.box.dataset.protocol = "flv";
    this.engine = mpegts.createPlayer({ type: "flv", isLive: true, url, hasVideo: this.audioOnly ? false : undefined }, FLV_OPTIONS);
    const over = () => {
      this.isFlvVain = this.box.dataset.state !== "playing";
      this.retry();
    };
    this.engine.on(mpegts.Events.ERROR, over);
    this.engine.on(mpegts.Events.LOADING_COMPLETE, over);
    this.engine.attachMediaElement(this.video);
    this.engine.load();
  }

  /** Whatever went wrong, the server knows whether the stream goes on: ask it again in a moment. */
  retry() {
    clearTimeout(this.again);
    this.again = setTimeout(() => {
      this.engine?.destroy();
      this.engine = null;
      this.connect();
    }, AGAIN_MS);
  }

  /** Whether pictures come; of audio, whether time goes on. */
  look() {
    const now = performance.now();
    const progress = this.audioOnly ? this.video.currentTime : this.video.getVideoPlaybackQuality().totalVideoFrames;
    if (progress !== this.progress) {
      if (progress > this.progress) {
        this.movedAt = now;
        this.say("playing");
      }
      this.progress = progress;
    } else if (now - this.movedAt > STALLED_MS) {
      this.say("stalled");
    }
    if (this.meter) this.meter.value = this.loudness();
  }

  say(state, detail = "") {
    if (this.box.dataset.state === state) return;
    this.box.dataset.state = state;
    this.status.textContent = [this.texts[state], detail].filter(Boolean).join(" ");
    this.box.dispatchEvent(new CustomEvent("state", { detail: state, bubbles: true }));
  }

  // Sound, and how the picture is shown

  listen() {
    const { signal } = this.controls;
    const on = (name, does) => {
      const button = this.box.querySelector(`[data-player="${name}"]`);
      button.hidden = !does;
      if (does) button.addEventListener("click", does, { signal });
    };
    on("sound", () => this.toggleSound());
    on("fullscreen", document.fullscreenEnabled && (() => this.toggleFullscreen()));
    on("picture", document.pictureInPictureEnabled && !this.audioOnly && (() => this.togglePicture()));
    this.video.muted = true;
  }

  toggleSound() {
    this.isLoud = !this.isLoud;
    if (this.gain) this.gain.gain.value = this.isLoud ? 1 : 0;
    else this.video.muted = !this.isLoud;
    this.box.querySelector('[data-player="sound"]').setAttribute("aria-pressed", this.isLoud);
  }

  toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.box.requestFullscreen();
  }

  togglePicture() {
    if (document.pictureInPictureElement) document.exitPictureInPicture();
    else this.video.requestPictureInPicture().catch(() => {}); // not before there is a picture
  }

  /** Of a stream that only sounds, show how loud it is. The sound passes by the meter before it is let out. */
  measure() {
    if (this.audio) return;
    this.audio = new AudioContext();
    this.gain = new GainNode(this.audio, { gain: 0 });
    this.analyser = new AnalyserNode(this.audio, { fftSize: 512 });
    this.audio.createMediaElementSource(this.video).connect(this.analyser).connect(this.gain).connect(this.audio.destination);
    this.samples = new Float32Array(this.analyser.fftSize);
    this.meter = this.box.querySelector("meter");
    this.video.muted = false;
  }

  /** From 0 (silence, or 60 dB below the loudest) to 100. */
  loudness() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    return power ? Math.max(0, Math.min(100, 100 + (10 * Math.log10(power) * 100) / 60)) : 0;
  }
}

/** mpegts.js is no module: it is loaded when it is needed first. */
let loading = null;
function loadMpegts() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("../vendor/mpegts.js", import.meta.url);
    script.onload = () => {
      window.mpegts.LoggingControl.enableAll = false; // what goes wrong is seen in the box
      resolve(window.mpegts);
    };
    script.onerror = reject;
    document.head.append(script);
  });
  return loading;
}
