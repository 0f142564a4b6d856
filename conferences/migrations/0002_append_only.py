"""A conference's log is append only."""

from django.db import migrations

from accounts.sql import append_only


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_append_only"), ("conferences", "0001_initial")]

    operations = [append_only("conferences_event")]
