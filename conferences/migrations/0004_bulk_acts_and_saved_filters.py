"""Bulk acts and saved filters of the rooms page, and indexes for reports."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_append_only'),
        ('conferences', '0003_watch'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BulkAct',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.CharField(max_length=32)),
                ('verb', models.CharField(choices=[('end', 'end'), ('lock', 'lock'), ('unlock', 'unlock'), ('mute', 'mute everybody'), ('unmute', 'unmute everybody'), ('announce', 'announce')], max_length=8, verbose_name='act')),
                ('content', models.TextField(blank=True, verbose_name='announcement')),
                ('reason', models.CharField(blank=True, max_length=200, verbose_name='reason')),
                ('address', models.GenericIPAddressField(null=True)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('cancelled_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'bulk act',
                'verbose_name_plural': 'bulk acts',
            },
        ),
        migrations.CreateModel(
            name='BulkItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('done', 'done'), ('already', 'was so already'), ('refused', 'refused'), ('cancelled', 'cancelled')], default='waiting', max_length=9, verbose_name='state')),
                ('code', models.CharField(blank=True, max_length=48)),
                ('at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'item of a bulk act',
                'verbose_name_plural': 'items of bulk acts',
            },
        ),
        migrations.CreateModel(
            name='SavedFilter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, verbose_name='name')),
                ('query', models.CharField(max_length=1000)),
                ('shared', models.BooleanField(default=False, verbose_name='shared with the staff of the application')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'verbose_name': 'saved filter',
                'verbose_name_plural': 'saved filters',
            },
        ),
        migrations.AddIndex(
            model_name='conference',
            index=models.Index(condition=models.Q(('state', 'closed'), models.Q(('name', ''), _negated=True)), fields=['application', 'name', 'id'], name='conference_lives'),
        ),
        migrations.AddIndex(
            model_name='conference',
            index=models.Index(condition=models.Q(('state', 'closed')), fields=['application', 'closed_at', 'id'], name='conference_closed'),
        ),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('type__in', ['role.requested', 'role.answered'])), fields=['conference', 'seq'], name='event_hands'),
        ),
        migrations.AddField(
            model_name='bulkact',
            name='application',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='bulk_acts', to='accounts.application'),
        ),
        migrations.AddField(
            model_name='bulkact',
            name='staff',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bulk_acts', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='bulkitem',
            name='act',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='conferences.bulkact'),
        ),
        migrations.AddField(
            model_name='bulkitem',
            name='conference',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bulk_items', to='conferences.conference'),
        ),
        migrations.AddField(
            model_name='savedfilter',
            name='application',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='saved_filters', to='accounts.application'),
        ),
        migrations.AddField(
            model_name='savedfilter',
            name='staff',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='saved_filters', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='bulkact',
            constraint=models.UniqueConstraint(fields=('staff', 'token'), name='bulk_act_token_unique'),
        ),
        migrations.AddIndex(
            model_name='bulkitem',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['act'], name='bulk_item_waiting'),
        ),
        migrations.AddConstraint(
            model_name='bulkitem',
            constraint=models.UniqueConstraint(fields=('act', 'conference'), name='bulk_item_unique'),
        ),
        migrations.AddConstraint(
            model_name='savedfilter',
            constraint=models.UniqueConstraint(fields=('staff', 'application', 'name'), name='saved_filter_name_unique', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='savedfilter',
            constraint=models.CheckConstraint(condition=models.Q(('shared', False), ('application__isnull', False), _connector='OR'), name='saved_filter_shared_in_one'),
        ),
    ]
