"""The dashboard: its form, its place on the grid, and every query against promtool and a running server."""

import json

import promql
import pytest
import yaml
from conftest import DEPLOY, run, tool

FILE = DEPLOY / "grafana/dashboards/tokenim.json"
GRID_COLUMNS = 24
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*"}


def dashboard():
    return json.loads(FILE.read_text(encoding="utf-8"))


def panels():
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries():
    board = dashboard()
    written = [target["expr"] for panel in panels() for target in panel["targets"]]
    return written + [annotation["expr"] for annotation in board["annotations"]["list"]]


def rules():
    return yaml.safe_load((DEPLOY / "prometheus/rules/tokenim.yml").read_text(encoding="utf-8"))


def plain(query):
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query, query
    return query


def test_panels_have_what_grafana_needs_and_do_not_overlap():
    board = dashboard()
    assert board["uid"] and board["title"] and board["schemaVersion"] >= 39
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= GRID_COLUMNS, panel["title"]
        taken |= cells
    for panel in panels():
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0


def test_the_data_source_is_a_variable_everywhere():
    names = {variable["name"] for variable in dashboard()["templating"]["list"]}
    assert names == {"datasource", "instance"}
    for panel in panels():
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]


def test_promtool_reads_every_query(tmp_path):
    group = {"name": "queries", "rules": [{"record": f"query:{at}", "expr": plain(query)} for at, query in enumerate(queries())]}
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")
    assert f"{len(queries())} rules found" in run(tool("promtool"), "check", "rules", file)


def test_a_query_that_is_none_is_refused(tmp_path):
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [{"record": "q", "expr": "sum(rate(up[5m])"}]}]}), encoding="utf-8")
    with pytest.raises(AssertionError):
        run(tool("promtool"), "check", "rules", file)


def test_every_query_reads_what_the_server_measures(samples):
    known = promql.recorded(rules()) | {"ALERTS"}
    for query in queries():
        assert list(promql.reads(query)), f"nothing found in {query}"
        assert not list(promql.missing(plain(query), samples, known)), query
