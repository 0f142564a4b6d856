// What the form at the door begins with.
export const config = {
  server: 'http://127.0.0.1:8000',
  appKey: 'demo#live',
};
