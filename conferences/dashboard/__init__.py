"""The dashboard: staff moderate live rooms from a browser. A transport: its pages and its socket call services."""
