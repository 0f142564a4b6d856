const config = require('./config.js');
const emedia = require('./sdk/emedia.js');

App({
  globalData: {
    wish: null, // what the lobby asks the room for: {mode, name, password, type, role, nickName}
  },

  onLaunch() {
    emedia.config({ host: config.server, appkey: config.appKey, debug: config.debug });
  },
});
