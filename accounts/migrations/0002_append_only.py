"""The application's log is append only."""

from django.db import migrations

from accounts.sql import append_only, append_only_function


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [append_only_function(), append_only("accounts_applicationevent")]
