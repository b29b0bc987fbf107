"""Large bodies in a bucket: a real S3-speaking server (moto) keeps them, links read them, the sweep deletes their chunks."""

import base64
import hashlib
import json
import urllib.error
import urllib.request

import boto3
import pytest
from conftest import binary
from moto.server import ThreadedMotoServer
from server import Server, engine, wait_until

BUCKET, REGION, SECRET = "bodies", "eu-west-1", "s3cret-key"
CHUNK = 32 * 1024


@pytest.fixture(scope="module")
def bucket():
    """A bucket of an S3 server on this machine; `keys()` are the names of its objects."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        s3 = boto3.client("s3", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="id", aws_secret_access_key=SECRET)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.endpoint = endpoint
        s3.keys = lambda: sorted(one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []))
        yield s3
    finally:
        moto.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, bucket):
    config = {"kind": "s3", "endpoint": bucket.endpoint, "bucket": BUCKET, "region": REGION, "access_key_id": "id", "secret_access_key": SECRET}
    env = {f"TOKENIM_OBJECTS__{key.upper()}": value for key, value in config.items()}
    running = Server(binary(), tmp_path_factory.mktemp("server"), env={**env, **engine()})
    try:
        running.bootstrap()
        running.start()
        yield running
        assert running.terminate() == 0, running.tail()
    finally:
        running.kill()


def call(server, method, path, body=None):
    request = urllib.request.Request(server.url + path, method=method, headers={"authorization": f"Bearer {server.identity['key']}"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def test_a_bucket_keeps_a_body_links_to_it_and_loses_its_chunks(server, bucket):
    body = json.dumps("x" * 100_000).encode()
    call(server, "POST", "/v1/conversations", {"kind": "group", "id": "c1", "members": ["alice", "bob"]})
    new = {"conversation": "c1", "sender": "alice", "client_msg_id": "m1", "kind": "json", "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    upload = json.loads(call(server, "POST", "/v1/uploads", new))
    path = f"/v1/uploads/{upload['upload']}"
    assert upload["missing"] == [[0, 3]]
    for index in (0, 1, 3):
        call(server, "PUT", f"{path}/chunks/{index}", {"data": base64.b64encode(body[index * CHUNK:(index + 1) * CHUNK]).decode()})
    assert json.loads(call(server, "GET", path))["missing"] == [[2, 2]]
    assert len(bucket.keys()) == 3 and all(key.startswith("uploads/") for key in bucket.keys())
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(server, "POST", f"{path}/commit", {})
    assert json.load(refused.value)["error"]["code"] == "upload_incomplete"
    call(server, "PUT", f"{path}/chunks/2", {"data": base64.b64encode(body[2 * CHUNK:3 * CHUNK]).decode()})
    seq = json.loads(call(server, "POST", f"{path}/commit", {}))["seq"]
    message = f"/v1/conversations/c1/messages/{seq}"
    assert call(server, "GET", f"{message}/body") == body
    link = json.loads(call(server, "POST", f"{message}/body/link", {"for_s": 60}))["url"]
    assert link.startswith(bucket.endpoint) and SECRET not in link
    with urllib.request.urlopen(link, timeout=30) as answer:
        assert answer.read() == body
    wait_until(lambda: len(bucket.keys()) == 1, 90, "the chunks are swept up")
    assert bucket.keys()[0].startswith("bodies/")
    call(server, "DELETE", message)
    with pytest.raises(urllib.error.HTTPError) as gone:
        call(server, "GET", f"{message}/body")
    assert gone.value.code == 404
    # Its bytes are deleted after a grace of two minutes, which the store's tests skip with a clock of their own.
    assert SECRET not in server.tail()


def upload_file(server, content, **fields):
    """An attachment of alice's that is whole."""
    new = {"purpose": "attachment", "sender": "alice", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), **fields}
    path = f"/v1/uploads/{json.loads(call(server, 'POST', '/v1/uploads', new))['upload']}"
    for index in range(-(-len(content) // CHUNK)):
        call(server, "PUT", f"{path}/chunks/{index}", {"data": base64.b64encode(content[index * CHUNK:(index + 1) * CHUNK]).decode()})
    return json.loads(call(server, "POST", f"{path}/commit", {}))["attachment"]


def test_a_bucket_keeps_an_attachment_and_hands_it_out_to_be_saved(server, bucket):
    content = bytes(range(256)) * 200
    call(server, "POST", "/v1/conversations", {"kind": "group", "id": "c2", "members": ["alice", "bob"]})
    types = {"image/png": "image/png", "image/svg+xml": "application/octet-stream", "text/html": "application/octet-stream"}
    for number, (told, served) in enumerate(types.items()):
        file = upload_file(server, content, client_msg_id=f"f{number}", name="图 1.png", content_type=told)
        assert (file["name"], file["content_type"], file["bytes"]) == ("图 1.png", told, len(content))
        message = {"sender": "alice", "client_msg_id": f"a{number}", "kind": "file", "body": {}, "attachments": [file["id"]]}
        seq = json.loads(call(server, "POST", "/v1/conversations/c2/messages", message))["seq"]
        item, = json.loads(call(server, "GET", f"/v1/conversations/c2/messages?after={seq - 1}"))["items"]
        assert item["attachments"] == [file]
        path = f"/v1/conversations/c2/messages/{seq}/attachments/{file['id']}"
        assert call(server, "GET", path) == content
        link = json.loads(call(server, "POST", f"{path}/link", {"for_s": 60}))["url"]
        assert link.startswith(bucket.endpoint) and SECRET not in link
        request = urllib.request.Request(link, headers={"range": "bytes=1000-1009"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert (answer.status, answer.read()) == (206, content[1000:1010])
        with urllib.request.urlopen(link, timeout=30) as answer:
            assert answer.read() == content
            assert answer.headers["content-type"] == served
            assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%E5%9B%BE%201.png"
        call(server, "DELETE", f"/v1/conversations/c2/messages/{seq}")
        with pytest.raises(urllib.error.HTTPError) as gone:
            call(server, "GET", path)
        assert gone.value.code == 404
    assert SECRET not in server.tail()
