"""How staff sign in: what django-allauth and django-axes are told, and our own pages beside theirs."""
