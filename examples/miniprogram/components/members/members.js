// The list of people. For admins: raised hands to answer, and roles, mutes and the door.
Component({
  properties: {
    members: { type: Array, value: [] }, // {id, name, label, role, roleName, isSelf}
    hands: { type: Array, value: [] }, // {memberId, name}
    isAdmin: { type: Boolean, value: false },
    muteAll: { type: Boolean, value: false },
    texts: { type: Object, value: {} },
  },

  methods: {
    close() {
      this.triggerEvent('close');
    },

    answer(event) {
      const { member, yes } = event.currentTarget.dataset;
      this.triggerEvent('answer', { memberId: member, yes: yes === 'yes' });
    },

    toggleMuteAll() {
      this.triggerEvent('muteall', { on: !this.data.muteAll });
    },

    /** What an admin may do with one member, as a sheet of WeChat's. */
    openMenu(event) {
      const { members, isAdmin, texts } = this.data;
      const member = members.find((each) => each.id === event.currentTarget.dataset.member);
      if (!isAdmin || !member || member.isSelf) return;
      const acts = [
        { label: texts.mute, name: 'mute', detail: { on: true } },
        { label: texts.unmute, name: 'mute', detail: { on: false } },
        { label: texts.makeAdmin, name: 'grant', detail: { role: 7 } },
        { label: texts.makeTalker, name: 'grant', detail: { role: 3 } },
        { label: texts.makeAudience, name: 'grant', detail: { role: 1 } },
        { label: texts.kick, name: 'kick', detail: {} },
      ].filter((act) => act.detail.role !== member.role);
      wx.showActionSheet({
        itemList: acts.map((act) => act.label),
        success: ({ tapIndex }) => {
          const { name, detail } = acts[tapIndex];
          this.triggerEvent(name, { ...detail, id: member.id, name: member.name });
        },
      });
    },
  },
});
