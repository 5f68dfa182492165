#!/usr/bin/env python3
"""What /metrics says is what Prometheus' own client reads, and says what happened: check_metrics.py BINARIES"""

import sys
import time

import requests
from prometheus_client.parser import text_string_to_metric_families

from fleet import Fleet, Server


def scrape(server):
    answer = requests.get(server.url + "/metrics", timeout=10)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    names = [line.split()[2] for line in answer.text.splitlines() if line.startswith("# TYPE ")]
    assert len(names) == len(set(names)), "a metric that comes twice"
    for family in families.values():
        assert family.documentation, family.name
        assert family.type in ("counter", "gauge", "histogram"), family
        seen = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(seen) == len(set(seen)), f"{family.name}: a series that comes twice"
        if family.type == "histogram":
            check_histogram(family)
    return families


def check_histogram(family):
    series = {}
    for sample in family.samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        series.setdefault(labels, []).append(sample)
    for samples in series.values():
        buckets = [sample.value for sample in samples if sample.name.endswith("_bucket")]
        assert buckets == sorted(buckets), family.name
        count = next(sample.value for sample in samples if sample.name.endswith("_count"))
        total = next(sample.value for sample in samples if sample.name.endswith("_sum"))
        assert samples[len(buckets) - 1].labels["le"] == "+Inf" and buckets[-1] == count and total > 0, family.name


def value(families, name, **labels):
    """The sum of all series that have these labels."""
    family = families.get(name.removesuffix("_total")) or families.get(name.removesuffix("_count"))
    samples = family.samples if family else []
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def check(fleet):
    pivot, first, second = fleet.servers
    counts = {"GET": 7, "POST": 5, "DELETE": 2}
    before = [scrape(server) for server in fleet.servers]
    for number in range(counts["POST"]):
        requests.post(f"{first.url}/things/{number}", data="1", timeout=10)
    for number in range(counts["GET"]):
        requests.get(f"{first.url}/things/{number}", timeout=10)
    for number in range(counts["DELETE"]):
        requests.delete(f"{first.url}/things/{number}", timeout=10)
    for number in range(3):
        requests.get(f"{first.url}/things/*", timeout=10)
    requests.put(f"{first.url}/things/1", data="1", timeout=10)
    at_once = scrape(first)
    fleet.wait_until_quiet_of("things/4")
    fleet.wait_until_quiet()
    after = [scrape(server) for server in fleet.servers]

    def grown(index, name, **labels):
        return value(after[index], name, **labels) - value(before[index], name, **labels)

    requests_total = "gimbal_http_requests_total"
    later, after[1] = after[1], at_once
    assert grown(1, requests_total, route="key", method="POST", code="200") == counts["POST"]
    assert grown(1, requests_total, route="key", method="GET", code="200") == counts["POST"]
    assert grown(1, requests_total, route="key", method="GET", code="404") == counts["GET"] - counts["POST"]
    assert grown(1, requests_total, route="key", method="DELETE", code="204") == counts["DELETE"]
    assert grown(1, requests_total, route="list", method="GET", code="200") == 3
    assert grown(1, requests_total, code="405") == 1
    assert grown(1, "gimbal_http_request_seconds_count", route="key", method="POST") == counts["POST"]
    after[1] = later
    assert grown(0, requests_total, route="push", code="200") >= 1
    assert grown(1, "gimbal_commit_seconds_count") >= 1 and grown(0, "gimbal_fsync_seconds_count") >= 1
    for index in (0, 1):
        assert grown(index, "gimbal_push_verdicts_total", verdict="accepted") >= 1
    assert all(value(families, "gimbal_log_horizon") == 1 for families in after), "nothing is pruned yet"
    # Bytes are counted with the next round of the pruning.
    for name in ("gimbal_log_bytes", "gimbal_log_proof_entries"):
        assert all(value(families, name) >= 0 for families in after)
    assert value(after[0], "gimbal_snapshot_readers") == 0
    assert value(after[0], "gimbal_node_connected") == 2
    assert value(after[0], "gimbal_node_lag_entries") == 0
    skews = after[0]["gimbal_node_clock_skew_seconds"].samples
    assert len(skews) >= 1 and all(abs(sample.value) < 5 for sample in skews), skews
    for index in (1, 2):
        assert value(after[index], "gimbal_pivot_connected") == 1
        assert value(after[index], "gimbal_outbox_operations") == 0
        assert "gimbal_outbox_age_seconds" in after[index] and "gimbal_dead_letters" in after[index]
        assert value(after[index], "gimbal_log_position") == value(after[0], "gimbal_log_position")
    for index in range(3):
        assert value(after[index], "gimbal_rocksdb_estimate_num_keys") > 0
        assert value(after[index], "process_resident_memory_bytes") > 1e6
        started = value(after[index], "process_start_time_seconds")
        assert abs(started - fleet.servers[index].started) < 2, (started, fleet.servers[index].started)
    offline(fleet)
    print(f"metrics: {len(after[0])} at the pivot, {len(after[1])} at a node, read by Prometheus' client, and they say what was done")


def started(binaries):
    """A server tells when it started, and not when it was first asked."""
    server = Server("pivot", binaries, [])
    time.sleep(3)
    first = value(scrape(server), "process_start_time_seconds")
    assert abs(first - server.started) < 2, (first, server.started)
    server.stop()


def offline(fleet):
    """A node that waits says for how long, and what two wrote at once is counted."""
    pivot, first, second = fleet.servers
    scrape(first), scrape(second)
    fleet.pause(pivot)
    for server in (first, second):
        requests.post(f"{server.url}/things/both", data='"%s"' % server.address, timeout=10)
    families = scrape(first)
    assert value(families, "gimbal_outbox_operations") == 1 and value(families, "gimbal_outbox_age_seconds") > 0
    fleet.resume(pivot)
    fleet.wait_until(lambda: value(scrape(second), "gimbal_members_with_siblings") == 1)
    fleet.wait_until(lambda: value(scrape(first), "gimbal_members_with_siblings") == 1)
    fleet.wait_until(lambda: value(scrape(pivot), "gimbal_members_with_siblings") == 1)
    requests.post(f"{pivot.url}/things/both", data="1", timeout=10)
    fleet.wait_until(lambda: value(scrape(second), "gimbal_members_with_siblings") == 0)


if __name__ == "__main__":
    with Fleet(sys.argv[1]) as fleet:
        check(fleet)
    started(sys.argv[1])
