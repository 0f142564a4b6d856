// The room as a moderator sees it: everybody's picture, who is there, and what may be done about it.
import { byId, element, show } from './elements.js';
import { Player } from './player.js';

export class Room {
  /** @param {object} mgr - emedia.mgr */
  constructor(mgr, texts) {
    Object.assign(this, { mgr, texts, tiles: new Map(), hands: new Map(), confr: undefined, role: 0, isMuted: false });
  }

  // What the server tells

  listen() {
    const { mgr, texts } = this;
    const called = (member) => member.nickName || member.name;
    const handlers = {
      onMemberJoined: (member) => this.peopleChanged(called(member), texts.joined),
      onMemberExited: (member) => {
        this.hands.delete(member.id);
        this.peopleChanged(called(member), texts.exited);
      },
      onMemberChanged: () => this.peopleChanged(),
      onStreamAdded: (stream, owner) => this.addTile(stream, called(owner)),
      onStreamRemoved: (stream, owner) => this.removeTile(stream, called(owner)),
      onMediaChanaged: (stream) => this.drawSwitches(stream),
      onRoleChanged: (role) => this.setRole(role),
      onRequestToTalker: (who, agree, refuse) => this.raise(who, agree, refuse),
      onRequestToTalkerReply: (result) => this.notice(result ? texts.handRefused : ''),
      onConfrAttrsUpdated: (attributes) =>
        attributes.filter(({ op }) => op).forEach(({ key, val, op }) => this.log(`${key} ${op === 'DEL' ? '−' : val}`)),
      onMuteAll: () => this.setMuteAll(true),
      onUnMuteAll: () => this.setMuteAll(false),
      onReconnecting: () => this.notice(texts.reconnecting),
      onReconnect: () => this.notice(''),
      onConferenceExit: (reason, failed) => this.end(reason, failed),
    };
    Object.keys(handlers).forEach((name) => mgr.on(name, handlers[name]));
    byId('leave').onclick = () => this.act(() => mgr.exitConference());
    byId('end').onclick = () => this.act(() => mgr.destroyConference(this.confr));
    byId('hand').onclick = () => this.act(() => this.askToTalk());
    byId('mute-all').onclick = () => this.act(() => this.muteEverybody(!this.isMuted));
  }

  /** Rejects when the server refuses. */
  async enter({ mode, name, password, role }) {
    const { mgr } = this;
    this.confr = await (mode === 'room'
      ? mgr.joinRoom({ roomName: name, password, role })
      : mgr.joinConference(name, password, {}, { role }));
    byId('title').textContent = mode === 'room' ? name : this.confr.confrId;
    this.setRole(this.confr.role);
  }

  end(reason, failed) {
    this.tiles.forEach(({ player }) => player.end());
    this.tiles.clear();
    this.hands.clear();
    ['tiles', 'members', 'hands', 'log'].forEach((id) => byId(id).replaceChildren());
    if (!this.confr) return; // it never began: the form says why
    byId('why').textContent = [this.texts.ends[reason] || this.texts.ends[4], failed].filter(Boolean).join(' ');
    show('room', false);
    show('over', true);
  }

  // Pictures

  addTile(stream, name) {
    const video = element('video', { playsinline: true, autoplay: true, controls: true });
    video.muted = true; // browsers play no sound unasked
    const switches = element('span', { class: 'switches' });
    const figure = element('figure', { id: stream.id }, video, element('figcaption', {}, name, switches));
    const addresses = async () => (await this.mgr.subStream(stream.id)).data;
    const player = new Player(video, addresses, () => switches.append(this.texts.noPlayer));
    this.tiles.set(stream.id, { figure, player, switches });
    byId('tiles').append(figure);
    this.drawSwitches(stream);
    this.log(name, this.texts.onAir);
  }

  removeTile({ id }, name) {
    const tile = this.tiles.get(id);
    this.tiles.delete(id);
    tile.player.end();
    tile.figure.remove();
    this.log(name, this.texts.offAir);
  }

  drawSwitches({ id, voff, aoff }) {
    const { figure, switches } = this.tiles.get(id);
    const { cameraOff, microphoneOff } = this.texts;
    figure.classList.toggle('dark', voff === 1);
    switches.textContent = [voff ? cameraOff : '', aoff ? microphoneOff : ''].filter(Boolean).join(' · ');
  }

  // People

  peopleChanged(...happened) {
    if (happened.length) this.log(...happened);
    let members = [];
    try {
      members = this.mgr.getMembers();
    } catch (outside) {
      // one has just left
    }
    byId('count').textContent = members.length;
    byId('members').replaceChildren(...members.map((member) => this.drawMember(member)));
    byId('hands').replaceChildren(...Array.from(this.hands.values(), (hand) => this.drawHand(hand)));
  }

  drawMember(member) {
    const { texts } = this;
    const label = (member.nickName || member.name) + (member.isSelf ? ` (${texts.you})` : '');
    const line = element('li', {}, element('b', {}, label), ` ${texts.roleNames[member.role]} `);
    if (this.isAdmin && !member.isSelf) line.append(...this.drawActs(member));
    return line;
  }

  /** What an admin may do with a member. */
  drawActs(member) {
    const { mgr, confr, texts } = this;
    const { ADMIN, TALKER, AUDIENCE } = mgr.Role;
    const grant = (role) => async () => {
      await mgr.grantRole(confr, member, role);
      member.role = role;
      this.peopleChanged();
    };
    const acts = [
      [texts.mute, () => mgr.muteByMemberId(confr, member.id)],
      [texts.unmute, () => mgr.unmuteByMemberId(confr, member.id)],
      [texts.makeAdmin, grant(ADMIN), ADMIN],
      [texts.makeTalker, grant(TALKER), TALKER],
      [texts.makeAudience, grant(AUDIENCE), AUDIENCE],
      [texts.kick, () => mgr.kickMembersById(confr, member)],
    ];
    const useful = acts.filter(([, , role]) => role !== member.role);
    return useful.map(([label, act]) => element('button', { click: () => this.act(act) }, label));
  }

  raise(who, agree, refuse) {
    this.hands.set(who.memberId, { who, agree, refuse });
    this.peopleChanged(who.nickName || who.name, this.texts.wantsToTalk);
  }

  drawHand({ who, agree, refuse }) {
    const { texts } = this;
    const answer = (reply) => () =>
      this.act(async () => {
        await reply(who.memberId);
        this.hands.delete(who.memberId);
        this.peopleChanged();
      });
    const yes = element('button', { click: answer(agree) }, texts.agree);
    const no = element('button', { click: answer(refuse) }, texts.refuse);
    return element('li', {}, `✋ ${who.nickName || who.name} `, yes, no);
  }

  // Oneself

  get isAdmin() {
    return this.role === this.mgr.Role.ADMIN;
  }

  setRole(role) {
    const { texts } = this;
    if (role !== this.role) this.log(texts.roleIs, texts.roleNames[role]);
    this.role = role;
    byId('role').textContent = texts.roleNames[role];
    show('mute-all', this.isAdmin);
    show('end', this.isAdmin);
    show('hand', role < this.mgr.Role.TALKER);
    byId('hand').textContent = texts.raiseHand;
    this.peopleChanged();
  }

  async askToTalk() {
    await this.mgr.requestToTalker(this.confr);
    byId('hand').textContent = this.texts.handRaised;
  }

  async muteEverybody(isMuted) {
    await (isMuted ? this.mgr.muteAll(this.confr) : this.mgr.unmuteAll(this.confr));
    this.setMuteAll(isMuted);
  }

  setMuteAll(isMuted) {
    const { texts } = this;
    this.isMuted = isMuted;
    byId('mute-all').textContent = isMuted ? texts.unmuteAll : texts.muteAll;
    this.log(isMuted ? texts.mutedAll : texts.unmutedAll);
  }

  // Saying things

  /** Do it, or say why not. */
  async act(what) {
    try {
      await what();
    } catch (error) {
      this.notice(error.message);
    }
  }

  notice(text) {
    byId('notice').textContent = text;
  }

  log(...words) {
    const time = new Date().toLocaleTimeString();
    byId('log').prepend(element('li', {}, element('time', {}, time), ' ', words.join(' ')));
  }
}
