// The one file to change: where your Confr is, and who may say who a user is.
module.exports = {
  // Your Confr. On a phone it must be https, and its domain must be listed in WeChat's console (see README.md).
  server: 'http://127.0.0.1:8000',
  // The application that your users belong to: "org#app".
  appKey: 'demo#live',
  // Your backend. It gets {code} of wx.login and {name}, and answers {user, token}: a Confr user token.
  // While it is '', the first page asks for a token instead, for a try in the developer tools.
  signInUrl: '',
  // true writes every frame to the console.
  debug: false,
};
