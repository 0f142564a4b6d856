"""Commands: the only writers of rows. One file per noun; each takes the actor first and refuses first."""
