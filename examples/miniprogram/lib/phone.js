// The parts of wx that answer by callbacks, as promises.

/** `call(wx.authorize, {scope})` resolves with what success gets and rejects with what fail gets. */
function call(method, options) {
  return new Promise((success, fail) => method({ ...options, success, fail }));
}

/** Whether the user lets us have this scope: "scope.camera", "scope.record". Asks once; WeChat remembers. */
function isAllowed(scope) {
  return call(wx.authorize, { scope }).then(
    () => true,
    () => false,
  );
}

function say(title) {
  wx.showToast({ title, icon: 'none', duration: 3000 });
}

module.exports = { call, isAllowed, say };
