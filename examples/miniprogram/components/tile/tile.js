// One person's picture. Starts again when it must, and says `lost` when its address no longer works.
const NO_CONNECTION = -2301; // the player has tried several times
const RESTART_MS = 1500;

Component({
  properties: {
    stream: { type: Object, value: {} }, // {id, name, src, voff, aoff, failed}
    texts: { type: Object, value: {} },
  },

  data: {
    isOff: false,
  },

  observers: {
    'stream.voff'(voff) {
      const isOff = voff === 1;
      const cameOn = this.data.isOff && !isOff;
      this.setData({ isOff });
      if (cameOn) this.restart();
    },
  },

  lifetimes: {
    detached() {
      clearTimeout(this.timer);
    },
  },

  methods: {
    playerChanged(event) {
      if (event.detail.code === NO_CONNECTION) this.askAgain();
    },

    playerFailed() {
      this.askAgain();
    },

    /** After the camera was off and on, a player stays black until it is stopped and played. */
    restart() {
      const player = wx.createLivePlayerContext('player', this);
      player.stop();
      player.play();
    },

    askAgain() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.triggerEvent('lost', { id: this.data.stream.id }), RESTART_MS);
    },
  },
});
