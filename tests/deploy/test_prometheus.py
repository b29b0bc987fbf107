"""The scrape configuration, the rules and the alerts: checked by promtool, against a running server and the runbooks."""

import re

import promql
import pytest
import yaml
from conftest import DEPLOY, ROOT, run, tool

RULES = DEPLOY / "prometheus/rules/tokenim.yml"
UNIT_TESTS = ROOT / "tests/deploy/alerts.yml"
RUNBOOKS = "https://github.com/tokenim/tokenim/blob/main/docs/OPERATIONS.md#"


def rules():
    return yaml.safe_load(RULES.read_text(encoding="utf-8"))


def alerts():
    return [rule for group in rules()["groups"] for rule in group["rules"] if "alert" in rule]


def test_promtool_accepts_the_configuration_and_the_rules():
    run(tool("promtool"), "check", "config", DEPLOY / "prometheus/prometheus.yml")
    said = run(tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert f"{len(alerts()) + len(promql.recorded(rules()))} rules found" in said


def test_each_alert_fires_on_a_bad_series_and_is_silent_on_a_good_one():
    run(tool("promtool"), "test", "rules", UNIT_TESTS)
    cases = [case for test in yaml.safe_load(UNIT_TESTS.read_text(encoding="utf-8"))["tests"] for case in test["alert_rule_test"]]
    for alert in alerts():
        fires = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert["alert"]}
        assert fires == {True, False}, f"{alert['alert']} is not tested both ways"


@pytest.mark.parametrize("expression", ["up < -1", "count by (instance, job) ({job='tokenim'}) > 0"], ids=["never", "always"])
def test_the_unit_tests_notice_every_alert_that_never_or_always_fires(expression, tmp_path):
    broken = rules()
    for rule in (rule for group in broken["groups"] for rule in group["rules"] if "alert" in rule):
        rule["expr"] = expression
        rule.pop("for", None)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(broken), encoding="utf-8")
    tests = yaml.safe_load(UNIT_TESTS.read_text(encoding="utf-8"))
    tests["rule_files"] = ["rules.yml"]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    with pytest.raises(AssertionError) as failure:
        run(tool("promtool"), "test", "rules", tmp_path / "tests.yml")
    noticed = set(re.findall(r"alertname: (\w+)", str(failure.value)))
    assert noticed == {alert["alert"] for alert in alerts()}


def test_every_rule_reads_what_the_server_measures(samples):
    known = promql.recorded(rules()) | {"up"}
    for group in rules()["groups"]:
        for rule in group["rules"]:
            assert list(promql.reads(rule["expr"])), f"nothing found in {rule['expr']}"
            assert not list(promql.missing(rule["expr"], samples, known)), rule.get("alert", rule.get("record"))


def test_a_metric_or_label_that_does_not_exist_is_found(samples):
    for expression in ("rate(tokenim_nonsense_total[5m])", 'tokenim_refusals_total{code=~"overloaded|no_code"}', 'up{job="tokenim"} + tokenim_readi'):
        assert len(list(promql.missing(expression, samples, {"up"}))) == 1, expression


def test_every_alert_says_how_bad_it_is_and_has_its_runbook():
    page = (ROOT / "docs/OPERATIONS.md").read_text(encoding="utf-8")
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in page.splitlines() if line.startswith("#")}
    described = re.findall(r"^### (Tokenim\w+)\n\*(Critical|Warning)\.\*", page, re.MULTILINE)
    assert described == [(alert["alert"], alert["labels"]["severity"].capitalize()) for alert in alerts()]
    for alert in alerts():
        assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}, alert["alert"]
        anchor = alert["annotations"]["runbook_url"].removeprefix(RUNBOOKS)
        assert anchor == alert["alert"].lower() and anchor in headings
