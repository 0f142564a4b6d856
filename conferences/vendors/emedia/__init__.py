"""Easemob EMedia (环信多人会议) as its mini-program SDK and its web SDK speak it; docs/vendors/emedia.md.

`codec` says facts and refusals in its frames, `commands` does what its frames ask, `tokens` reads and makes what
clients hold, `views` are its HTTP calls, `consumer` is its socket.
"""
