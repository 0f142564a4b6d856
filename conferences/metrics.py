"""What Confr counts and measures. Knows no framework, so that everybody may import it; /metrics is in the API."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

FAST = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
KICK = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10)

JOINS = Counter("confr_joins_total", "Members who entered, or came back to their seat", ["outcome"])
REFUSALS = Counter("confr_refusals_total", "Refusals by cause and transport", ["code", "transport"])
SOCKETS = Gauge("confr_sockets", "Open member sockets", multiprocess_mode="livesum")
SLOW_CONSUMERS = Counter("confr_slow_consumers_total", "Sockets closed because they read too slowly")
HUB_LAG = Histogram("confr_hub_lag_seconds", "From an event's birth to its writing on the sockets", buckets=FAST)
HOOKS = Histogram("confr_hook_seconds", "How long the media server waited for a hook", ["call"], buckets=FAST)
KICKS = Histogram("confr_kick_seconds", "From a kick to the media server's silence", buckets=KICK)
PICTURES_WANTED = Gauge("confr_pictures_wanted", "Streams whose pictures are looked at", multiprocess_mode="livesum")
PICTURES_LATE = Gauge("confr_pictures_late", "Of these, those not seen for ten seconds", multiprocess_mode="livesum")
MEDIA_JOBS = Gauge("confr_media_jobs", "What media workers record and mix", ["kind"], multiprocess_mode="livesum")
MEDIA_JOBS_WAITING = Gauge(
    "confr_media_jobs_waiting",
    "What should be recorded or mixed and nobody does",
    ["kind"],
    multiprocess_mode="mostrecent",
)
REPAIRS = Counter("confr_reconciler_repairs_total", "What the reconciler set right", ["repair"])
JOB_FAILURES = Counter("confr_job_failures_total", "Jobs that failed", ["job"])
JOBS = Histogram("confr_job_seconds", "How long jobs took", ["job"])
REQUESTS = Counter("confr_http_requests_total", "HTTP requests by operation and status", ["operation", "status"])
REQUEST_SECONDS = Histogram("confr_http_request_seconds", "How long they took", ["operation"], buckets=FAST)
CSP_REPORTS = Counter("confr_csp_reports_total", "Pages that broke the content security policy, as browsers say")
RECORDINGS = Counter("confr_recordings_total", "Recordings that were finished, or given up", ["kind", "outcome"])
RECORDINGS_CUT = Counter(
    "confr_recordings_cut_total", "Conferences that stopped being recorded for want of space", ["cause"]
)
RECORDING_DISK_FULL = Gauge(
    "confr_recording_disk_full", "1 while too little space is free to record", multiprocess_mode="mostrecent"
)
