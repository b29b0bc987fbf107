"""The examples of docs/MANAGE.md run as they are printed, and leave what they say."""

import json
import os
import re
import subprocess
from pathlib import Path

from rest import Rest

SECONDS = 30
MANUAL = Path(__file__).resolve().parents[2] / "docs" / "MANAGE.md"


def examples():
    _, section = MANUAL.read_text(encoding="utf-8").split("## 13. Examples")
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def run(script, env):
    """Runs an example; its answer, and the variable that its comment names."""
    done = subprocess.run(["bash", "-euc", script], env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "error" not in answer, (script, answer)
    named = re.search(r"# (\w+) = (\w+)$", script.strip())
    return answer, {named[1]: answer[named[2]]} if named else {}


def operator_key(server):
    words = [server.binary, "admin", "operator-key", "create", "--name", "manual", "--json", "--data", str(server.data)]
    made = subprocess.run(words, env=server.env, capture_output=True, text=True, timeout=SECONDS, check=True)
    return json.loads(made.stdout)["secret"]


def test_the_examples_make_an_org_with_an_app_and_a_key_and_suspend_them(server):
    operator = operator_key(server)
    variables, answers = {"PATH": os.environ["PATH"], "TIM": server.url, "OPERATOR_KEY": operator}, []
    for script in examples():
        answer, named = run(script, variables)
        variables.update(named)
        answers.append(answer)
    org, app, key, manager, rotated, suspended_app, suspended_org = answers
    assert (org["name"], app["mode"], manager["role"]) == ("Acme", "live", "admin")
    assert rotated["id"] != key["id"] and rotated["secret"].startswith("tim_live_sk_") and rotated["scopes"] == key["scopes"]
    assert suspended_app["suspended_at"] and suspended_org["suspended_reason"] == "invoice 12 is open"
    log = Rest(server.url, operator).call("GET", f"/v1/manage/audit?org={org['id']}")["items"]
    assert [event["action"] for event in log] == ["org.created", "app.created", "key.created", "management_key.created",
                                                  "key.rotated", "app.updated", "org.suspended"]
    assert [event["actor_kind"] for event in log] == [*["operator_key"] * 4, *["management_key"] * 2, "operator_key"]
    assert log[-1]["reason"] == "invoice 12 is open"
