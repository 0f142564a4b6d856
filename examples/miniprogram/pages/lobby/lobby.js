// The first page: who you are, and which conference to create or to join.
const config = require('../../config.js');
const { call, say } = require('../../lib/phone.js');
const { textsFor } = require('../../lib/texts.js');
const emedia = require('../../sdk/emedia.js');

const { ConfrType, Role } = emedia.mgr;
const TYPES = [ConfrType.COMMUNICATION, ConfrType.COMMUNICATION_MIX, ConfrType.LIVE];
const ROLES = [0, Role.TALKER, Role.AUDIENCE]; // 0: what the room gives; its creator is admin

Page({
  data: {
    texts: textsFor('en'),
    asksForToken: true,
    modes: [],
    mode: 'room', // room: by name; id: by its id; create: a new one
    user: '',
    token: '',
    name: '',
    password: '',
    types: [],
    typeIndex: 0,
    roles: [],
    roleIndex: 0,
    busy: false,
  },

  onLoad() {
    const texts = textsFor(wx.getSystemInfoSync().language);
    wx.setNavigationBarTitle({ title: texts.title });
    this.setData({
      texts,
      asksForToken: !config.signInUrl,
      modes: [
        { mode: 'room', label: texts.byRoom },
        { mode: 'id', label: texts.byId },
        { mode: 'create', label: texts.create },
      ],
      types: texts.types,
      roles: ROLES.map((role) => texts.roleNames[role]),
      user: wx.getStorageSync('user') || '',
    });
  },

  chooseMode(event) {
    this.setData({ mode: event.currentTarget.dataset.mode });
  },

  /** One handler for all inputs: `data-field` says which. */
  typed(event) {
    this.setData({ [event.currentTarget.dataset.field]: event.detail.value.trim() });
  },

  typeChosen(event) {
    this.setData({ typeIndex: Number(event.detail.value) });
  },

  roleChosen(event) {
    this.setData({ roleIndex: Number(event.detail.value) });
  },

  async go() {
    const { texts, mode, name, busy } = this.data;
    if (busy) return;
    if (mode !== 'create' && !name) {
      say(texts.needRoom);
      return;
    }
    this.setData({ busy: true });
    try {
      await this.signIn();
      await this.openRoom();
    } catch (error) {
      say(error.message || texts.needName);
    }
    this.setData({ busy: false });
  },

  /** Ask your backend who this is; in a try, the page itself was told. */
  async signIn() {
    const { user, token, texts } = this.data;
    if (!config.signInUrl) {
      if (!user || !token) throw new Error(texts.needName);
      emedia.mgr.setIdentity(user, token);
    } else {
      const { code } = await call(wx.login, {});
      const answer = await call(wx.request, { url: config.signInUrl, method: 'POST', data: { code, name: user } });
      if (answer.statusCode >= 400) throw new Error(answer.data.message);
      emedia.mgr.setIdentity(answer.data.user, answer.data.token);
    }
    wx.setStorageSync('user', user);
  },

  /** Passwords go through memory, not through the address of a page. */
  async openRoom() {
    const { mode, name, password, typeIndex, roleIndex, user } = this.data;
    const wish = { mode, name, password, role: ROLES[roleIndex], nickName: user };
    if (mode === 'create') {
      const confr = await emedia.mgr.createConference(TYPES[typeIndex], password || undefined);
      Object.assign(wish, { mode: 'id', name: confr.confrId, password: confr.password, role: 0 });
    }
    getApp().globalData.wish = wish;
    await call(wx.navigateTo, { url: '/pages/room/room' });
  },
});
